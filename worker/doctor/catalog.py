"""Checks of the catalog: where it lies, its version, soundness, locks, books, and what holds it."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from archive.belonging import lost_beside
from archive.catalog import balance, counts, examine, pauses, troubles
from archive.catalog.database import file_of, is_on_a_server, name_of
from archive.catalog.examine import LongReadError, looking_at
from archive.errors import CallvaultError, LostCatalogError
from archive.reasons import meaning_of
from worker.doctor.check import Check, Found, Group, aside, failed, passed, skipped, warned
from worker.doctor.mounts import Mount, mount_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from archive.catalog.pauses import Paused
    from archive.catalog.troubles import Trouble
    from worker.doctor.world import World

READ_S: Final = 10.0
"""How long a look at the catalog may take; on one of tens of gigabytes it is ended then."""
_LOCK_S: Final = 2.0
_WAL_LARGE: Final = 512 * 2**20
_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "9p"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.ceph", "beegfs", "gpfs"}
)
_WRITE_LOCK: Final = 120
"""The byte of the ``-shm`` file that who writes has locked (SQLite, WAL file format, 2.3)."""
_LOCK_LINE: Final = re.compile(
    r"\d+: (?:POSIX|OFDLCK)\s+ADVISORY\s+WRITE\s+(-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) (\d+) (\d+|EOF)"
)
_NEEDS: Final = frozenset({"catalog"})
_NONE: Final = "there is no catalog yet; it is made as the first calls become known"
_UNREADABLE: Final = "the catalog cannot be read: see catalog"


def checks(world: World) -> Iterator[Check]:
    """Return the checks of the catalog."""
    make = partial(Check, group=Group.CATALOG, needs=_NEEDS)
    for name, look, fatal in (
        ("catalog", _catalog, True),
        ("place", _place, True),
        ("soundness", _soundness, True),
        ("lock", _lock, True),
        ("books", _books, False),
        ("pauses", _pauses, True),
        ("troubles", _troubles, False),
    ):
        yield make(name=name, look=partial(look, world), fatal=fatal)


def usable(world: World) -> str:
    """Return why the catalog cannot be read by queries of ours; nothing where it can. Blocks."""
    versions = _versions(world)
    if isinstance(versions, str):
        return versions
    found, ours = versions
    return "" if found == ours else f"the catalog is of version {found}, this program's is {ours}"


def readable(world: World) -> str:
    """Return why not even the catalog's version can be read; nothing where it can. Blocks."""
    versions = _versions(world)
    return versions if isinstance(versions, str) else ""


def _versions(world: World) -> tuple[int, int] | str:
    """What keeps this one look from being made is told by ``catalog``, which makes it as well."""
    where = world.settings.catalog.url
    try:
        if not examine.is_made(where):
            return _NONE
        with looking_at(where, within_s=READ_S) as tx:
            return examine.version(tx)
    except LongReadError:
        raise
    except (CallvaultError, OSError):
        return _UNREADABLE


class CatalogFacts(msgspec.Struct, frozen=True):
    """The catalog's version beside this program's, and the bytes of its files."""

    version: int
    ours: int
    bytes: int
    wal_bytes: int


async def _catalog(world: World) -> Found:
    where = world.settings.catalog.url

    root = world.settings.archive.root

    def look() -> CatalogFacts | LostCatalogError | None:
        if not examine.is_made(where):
            return lost_beside(root, where, made=False)
        with looking_at(where, within_s=READ_S) as tx:
            found, ours = examine.version(tx)
            is_empty = found == 0 or not balance.knows_calls(tx)
            facts = CatalogFacts(found, ours, *examine.bytes_of(where, tx))
        return (lost_beside(root, where, made=True) if is_empty else None) or facts

    facts = await aside(look)
    if isinstance(facts, LostCatalogError):
        return failed(facts.message, facts.hint)
    return skipped(_NONE) if facts is None else judge_catalog(facts)


def judge_catalog(facts: CatalogFacts) -> Found:
    """Tell whether this program and the catalog belong together, and whether its log is folded."""
    size = f"version {facts.version}, {facts.bytes / 1e6:,.1f} MB"
    if facts.version > facts.ours:
        return failed(
            f"the catalog is of version {facts.version}, newer than this program's {facts.ours}",
            "a newer callvault has used it: install that one again",
        )
    if facts.version < facts.ours:
        return warned(
            f"{size}; the next command brings it to version {facts.ours}, which older ones refuse",
            "keep a copy of it first, and end all other callvault processes",
        )
    if facts.wal_bytes > _WAL_LARGE:
        return warned(
            f"{size}; its log has grown to {facts.wal_bytes / 1e6:,.0f} MB",
            "somebody reads it without end: see who with fuser -v on the file, and end that",
        )
    return passed(f"{size}, log {facts.wal_bytes / 1e6:,.1f} MB")


async def _place(world: World) -> Found:
    where = world.settings.catalog.url
    if is_on_a_server(where):
        return skipped(f"it is on a server: {name_of(where)}")
    path = file_of(where)
    mountinfo = world.proc / "self" / "mountinfo"

    def look() -> Mount | None:
        try:
            return mount_of(path.resolve(), mountinfo.read_text(errors="replace"))
        except OSError:
            return None

    return judge_place(path, await aside(look))


def judge_place(path: Path, mount: Mount | None) -> Found:
    """Tell whether the catalog lies where SQLite's log can be shared between processes."""
    if mount is None:
        return skipped("this system does not tell what file system it lies on")
    if mount.kind in _NETWORK:
        return failed(
            f"{path} lies on a network file system ({mount.kind} at {mount.point}), where its "
            "locks and its shared memory do not hold",
            "move it to a local disk and set [catalog] url; recordings may stay where they are",
        )
    return passed(f"it lies on a local file system ({mount.kind})")


async def _soundness(world: World) -> Found:
    where = world.settings.catalog.url
    if is_on_a_server(where):
        return skipped("a server looks after its own files")

    def look() -> list[str] | str:
        if why := readable(world):
            return why
        with looking_at(where, within_s=READ_S) as tx:
            return examine.damage(tx)

    try:
        damage = await aside(look)
    except LongReadError as error:
        return skipped(f"{error.message}; callvault catalog check reads all of it")
    return skipped(damage) if isinstance(damage, str) else judge_damage(damage)


def judge_damage(damage: Sequence[str]) -> Found:
    """Tell whether SQLite finds the file sound."""
    if damage:
        return failed(
            f"SQLite finds it damaged: {'; '.join(damage)}",
            "stop all workers, keep the file, and restore a backup or run callvault rebuild: "
            "docs/how-to/restore.md",
        )
    return passed("SQLite finds it sound")


async def _lock(world: World) -> Found:
    where = world.settings.catalog.url

    def look() -> tuple[bool, str] | str:
        if why := readable(world):
            return why
        if examine.can_write(where, within_s=_LOCK_S):
            return True, ""
        if is_on_a_server(where):
            return False, "a server that only follows another one"
        return False, _holder(world.proc, _beside(file_of(where), "-shm"))

    seen = await aside(look)
    return skipped(seen) if isinstance(seen, str) else judge_lock(is_free=seen[0], holder=seen[1])


def judge_lock(*, is_free: bool, holder: str) -> Found:
    """Tell whether a write can begin: who holds the lock for seconds holds up all workers."""
    if is_free:
        return passed(f"a write can begin within {_LOCK_S:.0f} s")
    who = holder or "another program"
    return failed(
        f"no write could begin within {_LOCK_S:.0f} s: {who} holds its lock",
        "end what holds it" if holder else "see who holds it: fuser -v on the catalog's file",
    )


def _holder(proc: Path, shm: Path) -> str:
    """Return who holds the write lock, where this system tells; blocks."""
    try:
        pid = pid_of_lock((proc / "locks").read_text(), shm.stat().st_ino)
        name = (proc / str(pid) / "comm").read_text().strip() if pid else ""
    except OSError:
        return ""
    return f"{name} (pid {pid})" if pid else ""


def pid_of_lock(locks: str, inode: int) -> int:
    """Return who has locked the byte of a catalog's writers, by ``/proc/locks``; 0 if nobody."""
    for line in locks.splitlines():
        seen = _LOCK_LINE.match(line)
        if seen is None or int(seen[2]) != inode:
            continue
        last = int(seen[4]) if seen[4] != "EOF" else _WRITE_LOCK
        if int(seen[3]) <= _WRITE_LOCK <= last:
            return max(0, int(seen[1]))
    return 0


async def _books(world: World) -> Found:
    where = world.settings.catalog.url

    def look() -> list[str] | str:
        if why := usable(world):
            return why
        with looking_at(where, within_s=READ_S) as tx:
            return counts.quick_balance(tx).faults

    try:
        faults = await aside(look)
    except LongReadError as error:
        return skipped(f"{error.message}; callvault status counts them")
    return skipped(faults) if isinstance(faults, str) else judge_books(faults)


def judge_books(faults: Sequence[str]) -> Found:
    """Tell whether every known call is in exactly one state."""
    if faults:
        return failed("; ".join(faults), "keep the catalog as it is and report this")
    return passed("the books balance")


async def _pauses(world: World) -> Found:
    where = world.settings.catalog.url

    def look() -> list[Paused] | str:
        if why := usable(world):
            return why
        with looking_at(where, within_s=READ_S) as tx:
            return pauses.pauses(tx)

    held = await aside(look)
    return skipped(held) if isinstance(held, str) else judge_pauses(held)


def judge_pauses(held: Sequence[Paused]) -> Found:
    """Tell what holds work up, and what lifts it."""
    if not held:
        return passed("nothing is paused")
    said = "; ".join(f"{one.scope}: {one.reason} ({one.detail})" for one in held)
    by_a_person = all(one.reason == pauses.OPERATOR for one in held)
    does = dict.fromkeys(filter(None, (meaning_of(one.reason).remedy for one in held)))
    do = "; ".join(does) or "it is tried again by itself"
    if by_a_person or not any(one.fatal for one in held):
        return warned(f"paused: {said}", do)
    return failed(f"paused: {said}", do)


async def _troubles(world: World) -> Found:
    where = world.settings.catalog.url

    def look() -> tuple[list[Trouble], int] | str:
        if why := usable(world):
            return why
        now = world.effects.clock()
        with looking_at(where, within_s=READ_S) as tx:
            return troubles.troubles(tx, now), troubles.beating(tx, now)

    seen = await aside(look)
    return skipped(seen) if isinstance(seen, str) else judge_troubles(*seen)


def judge_troubles(met: Sequence[Trouble], beating: int) -> Found:
    """Tell what workers and poller meet just now."""
    if met:
        said = "; ".join(f"{one.what} on {one.host}: {one.detail}" for one in met)
        return failed(said, "see callvault status, and the log: journalctl -u 'callvault-*' -e")
    working = f"{beating} worker processes beat" if beating else "no worker runs just now"
    return passed(f"none is noted; {working}")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")
