"""Checks of the settings: the file itself, what is wrong in it, secrets, zones, folders."""

from __future__ import annotations

import os
import pwd
import stat
from functools import partial
from typing import TYPE_CHECKING, Final
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

import msgspec

from worker.doctor.check import Check, Found, Group, aside, failed, passed, skipped, warned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from archive.accounts import Account
    from worker.doctor.world import World

_LONGEST_PLAN_DAYS: Final = 366
"""The longest that a plan of the provider keeps recordings (Enterprise: up to a year)."""
_SHOWN: Final = 5


def checks(world: World) -> Iterator[Check]:
    """Return the checks of the settings."""
    make = partial(Check, group=Group.SETTINGS)

    async def settings() -> Found:
        return judge_settings(world)

    async def file() -> Found:
        if world.file is None:
            return skipped("there is no file")
        path = world.file
        return judge_file(path, await aside(lambda: look_at_file(path)), os.geteuid())

    async def zones() -> Found:
        return judge_zones(has_database=_has_zone(), own=_has_system_zones())

    async def folders() -> Found:
        places = {"[queue] state": world.settings.queue.state}
        if (file := world.settings.catalog_file) is not None:
            places["[catalog] url"] = file.parent
        return judge_folders(
            {name: await aside(partial(look_at_folder, path)) for name, path in places.items()}
        )

    yield make(name="settings", look=settings, fatal=True)
    yield make(name="file", look=file)
    yield make(name="user", look=partial(_user, world), needs=frozenset({"archive", "catalog"}))
    yield make(name="secrets", look=partial(_secrets, world))
    yield make(name="zones", look=zones, fatal=True)
    needs = frozenset({"queue", "catalog"})
    yield make(name="folders", look=folders, needs=needs, fatal=True)
    for account in world.accounts:
        yield make(name="retention", look=partial(_retention, account), account=account.name)


async def _secrets(world: World) -> Found:
    if world.file is None:
        return skipped("there is no file")
    if world.gathered is None and not world.leaks:
        return skipped("the file cannot be read: see settings")
    return judge_leaks(world.leaks)


async def _retention(account: Account) -> Found:
    return judge_retention(account.retention_days)


def judge_settings(world: World) -> Found:
    """Tell the mistakes in the settings: all of them are one line, with what is allowed."""
    if world.unreadable is not None:
        do = world.unreadable.hint or "mend the file where it says so"
        return failed(world.unreadable.message, do)
    assert world.gathered is not None
    mistakes = world.gathered.mistakes
    if mistakes:
        noun = "mistake" if len(mistakes) == 1 else "mistakes"
        return failed(
            f"{len(mistakes)} {noun} in {world.file}: {'; '.join(mistakes)}",
            "correct each; docs/settings.md has every key with what is allowed",
        )
    accounts = ", ".join(world.settings.accounts)
    return passed(f"{world.file} is in order; accounts: {accounts}")


async def _user(world: World) -> Found:
    file = world.settings.catalog_file
    places = [world.settings.archive.root, *([] if file is None else [file])]

    def owner() -> int | None:
        there = (place.stat().st_uid for place in places if place.exists())
        return next(there, None)

    uid = await aside(owner)
    return judge_user(os.geteuid(), uid, "" if uid is None else _name_of(uid))


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def judge_user(user: int, owner: int | None, name: str) -> Found:
    """Tell whether we are who works: what may be written to is found out by trying."""
    if owner is None:
        return skipped("neither archive nor catalog is there yet")
    if user != owner:
        return warned(
            f"archive and catalog belong to {name}, another user than this one",
            f"sudo -u {name} callvault doctor, with the same --config",
        )
    return passed(f"archive and catalog belong to this user, {name}")


class FileFacts(msgspec.Struct, frozen=True):
    """Who may write the settings: the owner, and the modes of the file and of its folder."""

    owner: int
    mode: int
    folder_mode: int


def look_at_file(path: Path) -> FileFacts:
    """Look at the settings file; blocks."""
    real = path.resolve()
    found = real.stat()
    return FileFacts(found.st_uid, found.st_mode, real.parent.stat().st_mode)


def judge_file(path: Path, facts: FileFacts, user: int) -> Found:
    """Tell whether only those may change the settings who may: they say where keys are sent."""
    if facts.owner not in {0, user}:
        return warned(
            f"{path} belongs to another user, who can change where recordings and keys go",
            f"chown root {path}",
        )
    if facts.mode & stat.S_IWOTH:
        return failed(f"everybody on this machine may change {path}", f"chmod o-w {path}")
    # In a folder with the sticky bit nobody replaces another's file.
    if facts.folder_mode & stat.S_IWOTH and not facts.folder_mode & stat.S_ISVTX:
        return failed(
            f"everybody on this machine may replace {path}", f"chmod o-w {path.resolve().parent}"
        )
    if facts.mode & stat.S_IWGRP:
        return warned(f"its whole group may change {path}", f"chmod g-w {path}")
    return passed(f"only its owner may change {path}")


def judge_leaks(leaks: Sequence[str]) -> Found:
    """Tell whether the file holds what looks like a key."""
    if not leaks:
        return passed("the file holds no key, token or password")
    shown = ", ".join(leaks[:_SHOWN])
    return failed(
        f"the file holds what looks like a secret, under {shown}",
        "take it out and give it by the environment or a systemd credential "
        "(docs/settings.md, Secrets); have the provider make a new one if others could read it",
    )


def judge_zones(*, has_database: bool, own: bool) -> Found:
    """Tell whether there is a database of time zones, without which no day can be told."""
    if not has_database:
        return failed(
            "there is no database of time zones",
            "install the system's package tzdata, or: pip install tzdata",
        )
    return passed(f"time zones are known, {'from the system' if own else 'from Python'}")


def judge_retention(days: int) -> Found:
    """Tell whether what is believed of the provider's deletions can be true."""
    if days > _LONGEST_PLAN_DAYS:
        return warned(
            f"retention_days is {days}, longer than any plan of the provider keeps recordings",
            "set it to what the plan says: 30, 90 or up to 365",
        )
    return passed(f"recordings are taken to be deleted after {days} days; the plan must say so")


class FolderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A folder, or the nearest one above it that is there, and whether we may write into it."""

    path: str
    is_there: bool
    nearest: str
    is_ours: bool


def look_at_folder(path: Path) -> FolderFacts:
    """Look at a folder; blocks."""
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    ours = nearest.is_dir() and os.access(nearest, os.R_OK | os.W_OK | os.X_OK)
    return FolderFacts(path=str(path), is_there=path.is_dir(), nearest=str(nearest), is_ours=ours)


def judge_folders(found: dict[str, FolderFacts]) -> Found:
    """Tell whether the folders are there, or can be made, and are ours to write to."""
    for name, facts in found.items():
        if not facts.is_ours:
            what = "cannot be written to" if facts.is_there else "is not there and cannot be made"
            return failed(
                f"the folder of {name}, {facts.path}, {what} by this user",
                f"make {facts.nearest} writable for it: sudo chown $(id -un) {facts.nearest}",
            )
    new = [facts.path for facts in found.values() if not facts.is_there]
    if new:
        return passed(f"{', '.join(dict.fromkeys(new))} will be made by the first command")
    return passed(f"{', '.join(dict.fromkeys(facts.path for facts in found.values()))} can be used")


def _has_zone() -> bool:
    try:
        ZoneInfo("Asia/Kolkata")
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return False
    return True


def _has_system_zones() -> bool:
    return any(os.path.isdir(folder) for folder in TZPATH)  # noqa: PTH112 - texts, and only looked at
