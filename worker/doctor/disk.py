"""Checks of the disk: the root, room, inodes, days left; and what `worker.doctor.trial` tries."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import tallies
from archive.catalog.examine import looking_at
from archive.catalog.roots import has_recordings
from archive.layout import PARTS
from archive.room import bytes_a_day, days_left, spoken_days
from worker.commands.options import human_bytes
from worker.doctor.catalog import READ_S, usable
from worker.doctor.check import Check, Found, Group, Once, aside, failed, passed, skipped, warned
from worker.doctor.settings import look_at_folder
from worker.doctor.trial import judge_flush, judge_links, judge_names, try_flushes, try_out
from worker.places import root_here

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from archive.room import Written
    from worker.doctor.world import World

_SCARCE: Final = 0.05
_FEW: Final = 1000
_LITTLE: Final = 64 * 2**20
"""What catalog, queue and callbacks may need within minutes."""
_SOON_DAYS: Final = 14.0
_ROOT: Final = frozenset({"archive"})


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """The room on the disk of a place. ``inodes`` is 0 where there is no fixed number of them."""

    place: str
    free: int
    total: int
    inodes: int
    inodes_free: int


def checks(world: World) -> Iterator[Check]:
    """Return the checks of the disk."""
    make = partial(Check, group=Group.DISK)
    need = partial(make, needs=_ROOT)
    if world.gathered is None:
        yield need(name="root", look=partial(_root, world), fatal=True)
        return
    root = world.settings.archive.root
    trial = Once(partial(aside, partial(try_out, root)))
    both = _ROOT | {"catalog"}

    async def space() -> Found:
        room = await aside(partial(room_of, root))
        return judge_space(room, world.settings.archive.min_free)

    async def inodes() -> Found:
        return judge_inodes(await aside(partial(room_of, root)))

    async def flush() -> Found:
        if (found := await trial()) is None:
            return skipped("the root is not there yet")
        return judge_flush(found.small_ms, found.large_ms, "[archive] root")

    async def flush_state() -> Found:
        state = world.settings.queue.state
        found = await aside(partial(try_flushes, state))
        if found is None:
            return skipped("the state folder is not there yet")
        return judge_flush(*found, "[queue] state")

    async def links() -> Found:
        found = await trial()
        return skipped("the root is not there yet") if found is None else judge_links(found)

    async def names() -> Found:
        found = await trial()
        return skipped("the root is not there yet") if found is None else judge_names(found)

    yield need(name="root", look=partial(_root, world), needs=both, fatal=True)
    yield need(name="space", look=space, fatal=True)
    yield need(name="inodes", look=inodes, fatal=True)
    # A full disk under the catalog stops work as one under the recordings does.
    yield need(
        name="space-state", look=partial(_space_state, world), needs=both | {"queue"}, fatal=True
    )
    yield need(name="days-left", look=partial(_days_left, world), needs=both)
    yield need(name="flush", look=flush)
    yield make(name="flush-state", look=flush_state, needs=frozenset({"queue"}))
    yield need(name="links", look=links, fatal=True)
    yield need(name="names", look=names)


async def _space_state(world: World) -> Found:
    file = world.settings.catalog_file
    places = [world.settings.queue.state, *([] if file is None else [file.parent])]
    return judge_others(await aside(partial(rooms_beside, world.settings.archive.root, places)))


class RootFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The archive's root: whether it is there, ours, an archive, and whether one is expected."""

    path: str
    is_there: bool
    is_ours: bool
    nearest: str
    is_archive: bool
    has_recordings: bool


async def _root(world: World) -> Found:
    root, catalog = world.settings.archive.root, world.settings.catalog.url

    def look() -> RootFacts:
        has = False
        if not usable(world):
            with looking_at(catalog, within_s=READ_S) as tx:
                has = has_recordings(tx, root_here(tx, world.settings))
        folder = look_at_folder(root)
        return RootFacts(
            path=str(root),
            is_there=folder.is_there,
            is_ours=folder.is_ours,
            nearest=folder.nearest,
            is_archive=(root / PARTS).is_dir(),
            has_recordings=has,
        )

    return judge_root(await aside(look))


def judge_root(facts: RootFacts) -> Found:
    """Tell whether the archive is where it should be, and can be written to."""
    if facts.has_recordings and not facts.is_archive:
        return failed(
            f"there is no archive in {facts.path}, but the catalog knows recordings in it",
            f"mount its disk: mount {facts.path}; or correct [archive] root",
        )
    if not facts.is_ours:
        return failed(
            f"{facts.path if facts.is_there else facts.nearest} cannot be written to by this user",
            f"sudo chown $(id -un) {facts.path if facts.is_there else facts.nearest}",
        )
    if not facts.is_there:
        return passed(f"{facts.path} will be made in {facts.nearest} when work begins")
    return passed(f"{facts.path} is there and can be written to")


def room_of(place: Path) -> Room:
    """Look at the room on the disk of a place, or of the nearest folder above it; blocks."""
    nearest = Path(look_at_folder(place).nearest)
    seen, usage = os.statvfs(nearest), shutil.disk_usage(nearest)
    return Room(
        place=str(nearest),
        free=usage.free,
        total=usage.total,
        inodes=seen.f_files,
        inodes_free=seen.f_favail,
    )


def rooms_beside(root: Path, places: Iterable[Path]) -> list[Room]:
    """Look at the room on the disks of some places, each once, but for that of the root; blocks."""
    seen = {_device(root)}
    found = []
    for place in places:
        if (device := _device(place)) not in seen:
            seen.add(device)
            found.append(room_of(place))
    return found


def _device(place: Path) -> int:
    return Path(look_at_folder(place).nearest).stat().st_dev


def judge_others(rooms: Sequence[Room]) -> Found:
    """Tell whether catalog, queue and callbacks can be written, where they lie on other disks."""
    if not rooms:
        return skipped("state and catalog are on the disk of [archive] root: see space")
    said = "; ".join(_told(room) for room in rooms)
    for room in rooms:
        if room.free < _LITTLE:
            return failed(said, _make_room(room))
        if room.inodes > 0 and room.inodes_free < _FEW:
            return failed(
                f"{said}; {room.inodes_free:,} inodes are free on {room.place}",
                f"remove small files: df -i {room.place}",
            )
    tight = next((room for room in rooms if room.free < 10 * _LITTLE), None)
    return warned(said, _make_room(tight)) if tight else passed(said)


def _told(room: Room) -> str:
    return f"{human_bytes(room.free)} of {human_bytes(room.total)} are free on {room.place}"


def _make_room(room: Room) -> str:
    return f"make room, see what takes it: du -xh --max-depth=2 {room.place} | sort -h | tail"


def judge_space(room: Room, min_free: int) -> Found:
    """Tell whether there is room enough for work to go on."""
    said = _told(room)
    if room.free < min_free:
        return failed(
            f"{said}, less than min_free ({human_bytes(min_free)}): work pauses",
            _make_room(room),
        )
    if room.free < 2 * min_free:
        return warned(f"{said}, nearly down to min_free ({human_bytes(min_free)})", "make room")
    return passed(said)


def judge_inodes(room: Room) -> Found:
    """Tell whether files can be made: each recording is one, with its sidecar two."""
    if room.inodes <= 0:
        return passed("this file system has no fixed number of files")
    said = f"{room.inodes_free:,} of {room.inodes:,} inodes are free on {room.place}"
    if room.inodes_free < _FEW:
        return failed(said, f"remove small files: df -i {room.place}")
    if room.inodes_free < room.inodes * _SCARCE:
        return warned(said, "remove small files, or set sidecar = false in [archive]")
    return passed(said)


async def _days_left(world: World) -> Found:
    def look() -> tuple[Written, int] | str:
        if why := usable(world):
            return why
        with looking_at(world.settings.catalog.url, within_s=READ_S) as tx:
            written = tallies.written_lately(tx, world.effects.clock())
        return written, room_of(world.settings.archive.root).free

    seen = await aside(look)
    if isinstance(seen, str):
        return skipped(seen)
    written, free = seen
    spare = free - world.settings.archive.min_free
    return judge_days_left(written, spare, world.effects.clock())


def judge_days_left(written: Written, spare: int, now: datetime) -> Found:
    """Tell whether the disk will be full soon."""
    if not written.bytes:
        return skipped("nothing was archived in the last 7 days")
    left = days_left(spare, bytes_a_day(written, now))
    if left is None:
        return skipped("archiving began less than a day ago, which says nothing of the next days")
    said = f"at the rate of the last 7 days there is room for {spoken_days(left)}"
    if left < _SOON_DAYS:
        return warned(
            said, "give it a larger disk, or move older days away and keep their SHA256SUMS"
        )
    return passed(said)
