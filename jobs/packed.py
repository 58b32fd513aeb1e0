"""Exports in zip archives and workbooks: each a plain file of its own, one after the other.

A workbook is a zip archive, too; told by its members, not by its name. What an archive says of its
members is not believed: bytes are counted as they come out. An archive within an archive is
refused, a workbook within one is read.
"""

from __future__ import annotations

import tempfile
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, TypeAlias
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from archive.errors import InputError
from jobs.inputs import EXPORTS
from jobs.plain import Copy, Plain, most_of, whole_or_some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

Part: TypeAlias = "Callable[[], AbstractContextManager[Plain]]"

_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_END: Final = b"PK\x05\x06"
_LONGEST_END: Final = 22 + 0xFFFF
_MOST_OF_LIST: Final = 8 * 2**20
_WORKBOOK: Final = "xl/workbook.xml"
_OTHER_BOOKS: Final = ("xl/workbook.bin", "content.xml", "word/document.xml")
_ENCRYPTED: Final = 0x1
# The others unpack a few bytes into as much as they like, in memory and in one step.
_PACKINGS: Final = (ZIP_STORED, ZIP_DEFLATED)
_BLOCK: Final = 1 << 16  # the last one is lost where the checksum is wrong
_MAX_ECHO: Final = 60


def parts_of(plain: Plain, note: Callable[[str], None], *, inside: bool) -> list[Part] | None:
    """Return the exports in an archive or a workbook; None where the file is neither.

    ``inside`` says that the file came out of an archive. ``note`` is told what is left out.

    Raises:
        InputError: it cannot be read, holds nothing that looks like an export, or is an archive
            within an archive.
    """
    plain.stream.seek(0)
    if plain.stream.read(len(_ZIP)) not in (_ZIP, _EMPTY_ZIP):
        return None
    archive = _opened(plain)
    names = set(archive.namelist())
    if _WORKBOOK in names:
        # Loaded only where needed: it is an extra.
        from jobs.workbook import sheets_of  # noqa: PLC0415

        return sheets_of(plain, archive)
    if names.intersection(_OTHER_BOOKS):
        raise InputError(
            f"{plain.name} is a document of another kind than .xlsx.",
            hint="Save it as .xlsx, or as CSV (UTF-8) with its header row.",
        )
    if inside:
        raise InputError(
            f"{plain.name} is an archive within an archive.", hint="Unpack the outer one first."
        )
    return _members(plain, archive, note)


def _opened(plain: Plain) -> ZipFile:
    """Open an archive, whose list of members is bounded: it is held in memory."""
    size = plain.stream.seek(0, 2)
    plain.stream.seek(max(0, size - _LONGEST_END))
    tail = plain.stream.read(_LONGEST_END)
    end = tail[tail.rfind(_END) :]
    if end.startswith(_END) and int.from_bytes(end[12:16], "little") > _MOST_OF_LIST:
        raise InputError(
            f"{plain.name} lists too many files.", hint="Unpack it, and name the exports in it."
        )
    try:
        return ZipFile(plain.stream)
    except (BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError(
            f"{plain.name} is no CSV file: it looks like a zip archive or an Excel workbook "
            f"(.xlsx), and cannot be read as one ({error}).",
            hint="Pack or save it again, or save it as CSV (UTF-8) with its header row.",
        ) from None


def _members(plain: Plain, archive: ZipFile, note: Callable[[str], None]) -> list[Part]:
    files = [one for one in archive.infolist() if not one.is_dir()]
    chosen = [one for one in files if _is_export(one.filename)]
    # A single file is meant, whatever it is called.
    chosen = chosen or (files if len(files) == 1 else [])
    if not chosen:
        raise InputError(
            f"{plain.name} holds no CDR export.", hint=f"Exports are named {', '.join(EXPORTS)}."
        )
    names = {one.filename for one in chosen}
    others = [one.filename for one in files if one.filename not in names]
    if others:
        note(f"{plain.name}: left out: {_shown(others[0])} and {len(others) - 1:,} more files")
    size = plain.stream.seek(0, 2)
    left = _Left(size, most_of(size))
    return [partial(_member, plain.name, archive, one, left) for one in chosen]


def _is_export(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in EXPORTS and not hidden


class _Left:
    """How many bytes may yet come out of an archive, and how many it has itself."""

    def __init__(self, size: int, most: int) -> None:
        self.size = size
        self.most = most


@contextmanager
def _member(outer: str, archive: ZipFile, info: ZipInfo, left: _Left) -> Iterator[Plain]:
    name = f"{outer}:{_shown(info.filename)}"
    if info.flag_bits & _ENCRYPTED:
        raise InputError(
            f"{name} is encrypted.", hint="Unpack it with its password, and name what comes out."
        )
    if info.compress_type not in _PACKINGS:
        raise InputError(
            f"{name} is packed in a way that is not read here.",
            hint="Pack it as usual (deflate), or unpack it.",
        )
    with tempfile.TemporaryFile(prefix="callvault-") as stream:
        try:
            damage = _unpack(archive, info, Copy(stream, name, left.most), left.size)
        finally:
            left.most -= stream.tell()
        yield whole_or_some(name, stream, damage)


def _unpack(archive: ZipFile, info: ZipInfo, copy: Copy, size: int) -> str:
    """Unpack what can be had; return what is wrong with the rest.

    No member takes more of the archive than its ``size``, whatever is said of it.
    """
    taken = min(info.compress_size, size)
    try:
        with archive.open(info) as member:
            while block := member.read(_BLOCK):
                copy.write(block, taken)
    except NotImplementedError:
        return "it is packed in a way that is not known here; pack it as usual (deflate)"
    except (BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        return f"the zip archive is damaged ({_shown(str(error))})"
    return ""


def _shown(text: str) -> str:
    """Return a name out of an archive as it can be printed."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_MAX_ECHO])
    return shown + ("…" if len(text) > _MAX_ECHO else "")
