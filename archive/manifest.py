"""One line of a day's ``manifest.jsonl``: all that a new catalog needs to know of a call.

The form is in ``docs/format.md``. It is read back by `archive.rebuild`, which trusts nothing of it:
decoding checks each field.
"""

from __future__ import annotations

import posixpath
import re
from datetime import datetime
from io import BufferedReader
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from archive.call import CallFacts, State, is_sid
from archive.layout import MANIFEST
from archive.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 1
"""Version of the line's form, in every line."""

Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]
_SHA256: Final = r"^[0-9a-f]{64}\Z"
_FOLDER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}(/\d{4}/\d{2}/\d{2})?", re.ASCII)


class Seen(msgspec.Struct, frozen=True):
    """A source that saw the call, and when it first did."""

    source: str
    at: Moment


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A recording as a manifest tells of it; ``file`` is its path from the manifest's folder."""

    object: str
    file: str
    sha256: Annotated[str, Meta(pattern=_SHA256)]
    bytes: Count
    format: str
    channels: Count
    sample_rate: Count
    seconds: float | None
    flag: str
    archived_at: Moment


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that a source told of; ``same_as`` is the object whose bytes it turned out to be.

    The URL has no query.
    """

    object: str
    url: str
    source: str
    at: Moment
    same_as: str = ""


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that was deleted from the archive: which it was, when it went and why."""

    object: str
    file: str
    sha256: Annotated[str, Meta(pattern=_SHA256)]
    bytes: Count
    at: Moment
    why: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A call. ``reason`` is empty where the state needs none; a leased call is ``expected``.

    ``wanted`` says that a person took it back from a rule that left it out.
    """

    callvault: int = FORMAT
    account: str
    sid: str
    state: State
    reason: str
    call: CallFacts
    sightings: list[Seen]
    delete_by: Moment
    settled_at: Moment | None
    recordings: list[Told]
    candidates: list[Hint] = []
    wanted: bool = False
    purged: list[Gone] = []


class BadLineError(ValueError):
    """A line of a manifest cannot be used; the message says why."""


_PURGED: Final = b'"state":"purged"'
"""In every line of a purged call, as `encode` writes it; a quote within a text is escaped."""
_decoder: Final = msgspec.json.Decoder(Line)


def encode(line: Line) -> bytes:
    """Return the line as it stands in the file, with its end."""
    return msgspec.json.encode(line) + b"\n"


def decode(text: bytes, folder: str) -> Line:
    """Read a line of the manifest in ``folder`` (below the root).

    Raises:
        BadLineError: it is no line of a manifest, or not of this folder's account, or it names a
            file outside of the account's folder.
    """
    try:
        line = _decoder.decode(text)
    except (msgspec.DecodeError, ValueError) as error:
        raise BadLineError(str(error)) from error
    account = folder.partition("/")[0]
    if line.account != account or not is_sid(line.sid) or line.call.sid != line.sid:
        raise BadLineError("it is not of a call of this account")
    files = [*(told.file for told in line.recordings), *(gone.file for gone in line.purged)]
    for file in files:
        if not path_of(folder, file).startswith(f"{account}/"):
            raise BadLineError(f"it names a file outside of the account's folder: {file!a}")
    return line


def folder_of(account: str, day: str) -> str:
    """Return where the manifest of a day (``YYYY-MM-DD``, empty: unknown) lies, below the root."""
    return f"{account}/{day.replace('-', '/')}" if day else account


def day_of_folder(folder: str) -> tuple[str, str] | None:
    """Return account and day of a folder that has a manifest; None if it is no such folder."""
    if not _FOLDER.fullmatch(folder):
        return None
    account, _, day = folder.partition("/")
    return account, day.replace("/", "-")


def file_of(folder: str, path: str) -> str:
    """Return a recording's path from a folder, both given below the root.

    A recording may lie in another folder than its call's day says: its path was fixed when it was
    archived, and what is known of the call may have changed since.
    """
    if path.startswith(f"{folder}/"):
        return path.removeprefix(f"{folder}/")
    return posixpath.relpath(path, folder)


def path_of(folder: str, file: str) -> str:
    """Return a recording's path below the root: the reverse of `file_of`."""
    return posixpath.normpath(posixpath.join(folder, file))


def manifests_in(folder: Path) -> list[Path]:
    """Return the manifest of a folder, if there is one, then those of former catalogs."""
    stem = MANIFEST.partition(".")[0]
    found = sorted(folder.glob(f"{stem}.*.jsonl"), reverse=True)
    current = folder / MANIFEST
    return [current, *found] if current.exists() else found


def tombstones_of(file: Path, folder: str) -> Iterator[Line | BadLineError]:
    """Yield what a manifest tells of purged calls; other lines are not even decoded.

    Raises:
        OSError: it cannot be read.
    """
    with BufferedReader(open_regular(file)) as opened:
        for text in opened:
            if _PURGED not in text:
                continue
            try:
                line = decode(text, folder)
            except BadLineError as error:
                yield error
            else:
                if line.state is State.PURGED:
                    yield line


def lines_of(file: Path, folder: str) -> Iterator[Line | BadLineError]:
    """Yield the lines of a manifest, and what is wrong with those that cannot be used.

    Raises:
        OSError: it cannot be read.
    """
    with BufferedReader(open_regular(file)) as opened:
        for text in opened:
            try:
                yield decode(text, folder)
            except BadLineError as error:
                yield error
