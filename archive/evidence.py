"""What there is to know of one recording on disk: its bytes, and what tells of them.

Four things may tell of it: a manifest, its sidecar, its day's SHA256SUMS, and its own beginning.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from io import BufferedReader, TextIOWrapper
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from archive.audio import NotAudioError, look_at_head
from archive.call import is_sid
from archive.catalog.rebuild import Recorded
from archive.durations import flag_of
from archive.layout import CHECKSUMS
from archive.regular import open_regular
from archive.sidecar import BadSidecarError, Sidecar, read_sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HEAD: Final = 65_536
"""How much of a recording shows what it is."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A recording on disk with all that tells of it.

    ``told`` is what a manifest says, ``listed`` the hash in SHA256SUMS. ``sha256`` is that of its
    bytes, empty where they cannot be read; ``trouble`` then says why.
    """

    path: str
    size: int
    told: Recorded | None
    sidecar: Sidecar | None
    listed: str | None
    sha256: str
    trouble: str


def look_at(
    root: Path,
    hour: str,
    told: Mapping[str, Recorded],
    listed: Mapping[str, str],
    trusts_sidecars: bool,  # noqa: FBT001 - bound by name once, and mapped over files
    entry: tuple[str, int],
) -> File:
    """Look at a file of an hour's folder: its name and length are ``entry``. Blocks.

    With ``trusts_sidecars`` one that is as long as its sidecar or manifest says is not read.
    """
    name, size = entry
    path = f"{hour}/{name}"
    mine = told.get(path)
    sidecar, trouble = sidecar_beside(root, path)
    sha256 = ""
    if trusts_sidecars and sidecar is not None and sidecar.bytes == size:
        sha256 = sidecar.sha256
    elif trusts_sidecars and mine is not None and mine.bytes == size:
        sha256 = mine.sha256
    else:
        try:
            with open_regular(root / path) as opened:
                sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            trouble = f"cannot be read: {error.strerror}"
    return File(
        path=path,
        size=size,
        told=mine,
        sidecar=sidecar,
        listed=listed.get(path),
        sha256=sha256,
        trouble=trouble,
    )


def sidecar_beside(root: Path, path: str) -> tuple[Sidecar | None, str]:
    """Return a recording's sidecar, or None and what is wrong (nothing, where there is none)."""
    recording = PurePosixPath(path)
    try:
        sidecar = read_sidecar((root / path).with_suffix(".json"))
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, f"its sidecar cannot be read: {error.strerror}"
    except BadSidecarError as error:
        return None, f"its sidecar is none: {error}"
    if (sidecar.account, sidecar.file) != (recording.parts[0], recording.name):
        return None, "its sidecar is of another recording"
    return sidecar, ""


def recorded_by_sidecar(root: Path, file: File, sidecar: Sidecar) -> Recorded:
    """Return a recording as its sidecar tells of it."""
    audio = sidecar.audio
    return Recorded(
        account=sidecar.account,
        sid=sidecar.sid,
        object_name=sidecar.object,
        path=file.path,
        sha256=file.sha256,
        bytes=file.size,
        format=audio.kind.value,
        channels=audio.channels,
        sample_rate=audio.sample_rate,
        seconds=audio.header_seconds,
        flag=audio.damage or flag_of(audio.header_seconds, sidecar.call),
        archived_at=sidecar.archived_at or _written(root, file.path),
    )


def recorded_by_head(root: Path, file: File, sid: str) -> Recorded | None:
    """Return a recording as its own beginning shows it; None if it is no audio."""
    path = PurePosixPath(file.path)
    try:
        with open_regular(root / path) as opened:
            audio = look_at_head(opened.read(HEAD), file.size)
    except (OSError, NotAudioError):
        return None
    return Recorded(
        account=path.parts[0],
        sid=sid,
        object_name=path.name,
        path=file.path,
        sha256=file.sha256,
        bytes=file.size,
        format=audio.kind.value,
        channels=audio.channels,
        sample_rate=audio.sample_rate,
        seconds=audio.header_seconds,
        flag="",
        archived_at=_written(root, file.path),
    )


def sid_of(stem: str, is_known: Callable[[str], bool]) -> str | None:
    """Return the Sid in a recording's name: ``{sid}``, or ``{sid}_2`` for a second recording.

    One that is known goes before one that could be. A Sid that ends in that way itself has a number
    always (`archive.layout.stem_of`), so else the number is cut off.
    """
    base, _, number = stem.rpartition("_")
    shorter = base if number.isdigit() else ""
    for sid in (stem, shorter):
        if is_sid(sid) and is_known(sid):
            return sid
    return next((sid for sid in (shorter, stem) if is_sid(sid)), None)


def listed_in(root: Path, hour: str) -> dict[str, str]:
    """Return what a day's SHA256SUMS says of the files of an hour, by path below the root.

    Nothing where there is none, or it cannot be read.
    """
    day, _, folder = hour.rpartition("/")
    found: dict[str, str] = {}
    try:
        raw = BufferedReader(open_regular(root / day / CHECKSUMS))
        with TextIOWrapper(raw, encoding="utf-8", errors="replace") as opened:
            for line in opened:
                sha256, _, name = line.rstrip("\n").partition("  ")
                if name.startswith(f"{folder}/"):
                    found[f"{day}/{name}"] = sha256
    except OSError:
        return {}
    return found


def _written(root: Path, path: str) -> datetime:
    return datetime.fromtimestamp((root / path).stat().st_mtime, UTC)
