"""What a machine lacks before its services can start, and the commands that make it.

Services run as a user of their own. What he can do is told from owners, groups and modes alone, so
that it can be told by anybody, and before that user is made.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from typing import TYPE_CHECKING, Final

import msgspec

from archive.errors import InputError
from worker import units
from worker.installing import sysusers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeAlias

_READ: Final = 0o4
_ENTER: Final = 0o1
_ALL: Final = 0o7
_LETTERS: Final = {_READ: "r", _ENTER: "x", _ALL: "rwx"}
_ACCESS_LIST: Final = "system.posix_acl_access"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom services run as. Without a number he is yet to be made."""

    name: str
    group: str
    uid: int | None = None
    groups: frozenset[int] = frozenset()


class Seen(msgspec.Struct, frozen=True):
    """Whose a file or folder is, and what is allowed to whom."""

    uid: int
    gid: int
    mode: int


class Step(msgspec.Struct, frozen=True):
    """A command to be run as root, and what it is for."""

    command: str
    why: str


class Lacking(msgspec.Struct, frozen=True):
    """What commands can make, and what has to be elsewhere."""

    steps: tuple[Step, ...]
    misplaced: tuple[str, ...]


Look: TypeAlias = "Callable[[Path], Seen | None]"
"""Looks at a file or folder; None for nothing there."""
_UNKNOWN: Final = Seen(0, 0, 0o777)
"""For what we may not look at, or cannot judge: nothing is held against it."""


def person(name: str) -> Person:
    """Look up a user of this machine."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return Person(name=name, group=name)
    groups = frozenset(os.getgrouplist(name, found.pw_gid))
    try:
        group = grp.getgrgid(found.pw_gid).gr_name
    except KeyError:
        group = str(found.pw_gid)
    return Person(name=name, group=group, uid=found.pw_uid, groups=groups)


def look(path: Path) -> Seen | None:
    """Look at a file or folder of this machine."""
    try:
        found = path.stat()
        listed = _ACCESS_LIST in os.listxattr(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return _UNKNOWN
    # A list says more than the mode does, and whoever wrote one had a reason.
    return _UNKNOWN if listed else Seen(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def may(who: Person, seen: Seen, bits: int) -> bool:
    """Tell whether a user is allowed all of ``bits``, of 4 to read, 2 to write, 1 to enter.

    One without a number has what everybody has. The services of root have no privilege either:
    their capabilities are taken away.
    """
    if who.uid == seen.uid:
        held = seen.mode >> 6
    elif seen.gid in who.groups:
        held = seen.mode >> 3
    else:
        held = seen.mode
    return held & bits == bits


def lacking(
    place: units.Place, files: Mapping[str, str], who: Person, look: Look = look
) -> Lacking:
    """Return what keeps the units in ``files`` from starting, in the order of mending."""
    steps = [
        *_user(who),
        *_settings(place, who, look),
        *_folders(place, who, look),
        *_keys(place, files, look),
    ]
    return Lacking(tuple(steps), tuple(_misplaced(place, who, look)))


def refuse_unprepared(place: units.Place, found: Lacking) -> None:
    """Start nothing whose user, settings, folders or keys are not there.

    Raises:
        InputError: with the commands that make them.
    """
    if found.misplaced:
        raise InputError(
            f"the services could not start: {'; '.join(found.misplaced)}",
            hint="put it where every user may enter, such as /opt, /etc and /srv; a Python is "
            "chosen with make install PYTHON=/usr/bin/python3",
        )
    if found.steps:
        raise InputError(
            f"the services could not start yet, as {place.user}, with recordings in {place.root}",
            hint=f"run first, as root: {'; '.join(step.command for step in found.steps)}",
        )


def _user(who: Person) -> Iterator[Step]:
    if who.uid is None:
        yield Step(
            f"systemd-sysusers {shlex.quote(str(sysusers()))}"
            if who.name == "callvault"
            else f"useradd --system --no-create-home --shell /usr/sbin/nologin {who.name}",
            "makes the user",
        )


def _settings(place: units.Place, who: Person, look: Look) -> Iterator[Step]:
    """Let the user read the settings, and come to them in their own folder."""
    for path, bits in ((place.config.parent, _ENTER), (place.config, _READ)):
        seen = look(path)
        if seen is None or (bits == _ENTER and units.is_in_a_home(path)):
            continue
        if not may(who, seen, bits):
            yield from _granted(path, seen, who, bits)


def _granted(path: Path, seen: Seen, who: Person, bits: int) -> Iterator[Step]:
    name = shlex.quote(str(path))
    why = "services read the settings"
    if seen.uid == who.uid:
        yield Step(f"chmod u+{_LETTERS[bits]} {name}", why)
        return
    if seen.gid not in who.groups:
        yield Step(f"chgrp {who.group} {name}", why)
    if (seen.mode >> 3) & bits != bits:
        yield Step(f"chmod g+{_LETTERS[bits]} {name}", why)


def _folders(place: units.Place, who: Person, look: Look) -> Iterator[Step]:
    """Let the user write where systemd does not see to that itself."""
    owned = {place.root: "recordings"}
    if not units.is_kept_by_systemd(place.state):
        owned[place.state] = "state"
    if not place.catalog.is_relative_to(place.state):
        owned.setdefault(place.catalog, "catalog")
    for path, what in owned.items():
        name, why = shlex.quote(str(path)), f"the folder of the {what}"
        seen = look(path)
        if seen is None:
            command = f"install -d -o {who.name} -g {who.group} -m 0750 {name}"
            yield Step(command, why)
        elif seen is _UNKNOWN or (who.uid is not None and may(who, seen, _ALL)):
            continue
        else:
            if seen.uid != who.uid:
                yield Step(f"chown -R {who.name}:{who.group} {name}", f"{why} is somebody else's")
            if (seen.mode >> 6) & _ALL != _ALL:
                yield Step(f"chmod u+{_LETTERS[_ALL]} {name}", why)


def _keys(place: units.Place, files: Mapping[str, str], look: Look) -> Iterator[Step]:
    for credential, path in units.keys_of(files.values()).items():
        if look(path) is None:
            name = shlex.quote(str(path))
            command = (
                f"systemd-creds encrypt --name={credential} - {name}"
                if place.encrypted
                else f"install -D -m 0600 /dev/stdin {name}"
            )
            yield Step(command, "paste it, Enter, Ctrl-D")


def _misplaced(place: units.Place, who: Person, look: Look) -> Iterator[str]:
    """Yield what lies below a folder that the user cannot enter; a folder of root's, for instance.

    No command is told for these: whoever closed the folder had a reason.
    """
    mended = {place.root, place.state, place.catalog}
    if not units.is_in_a_home(place.config):
        mended.add(place.config.parent)
    for what, path in {**place.paths, "its Python": place.python}.items():
        if what == units.CREDENTIALS:
            continue  # systemd reads them, as root
        for folder in reversed(path.parents):
            seen = None if folder in mended else look(folder)
            if seen is not None and not may(who, seen, _ENTER):
                yield f"{what} ({path}) lies in {folder}, which {who.name} may not enter"
                break
