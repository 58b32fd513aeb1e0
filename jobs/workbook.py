"""Sheets of Excel workbooks (.xlsx) as CSV files, by the extra ``callvault[xlsx]``.

The reader loads a sheet as a whole: two cells in opposite corners are a table of 17 thousand
million, and a text that stands once may be in each cell. How much it will be cannot be told without
reading as it does, and out of memory it ends its process. So it gets one of its own, `jobs.sheets`,
with bounded memory, and without our environment: a workbook is nobody's to trust.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import zlib
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile

import msgspec

from archive.errors import InputError
from jobs.plain import BLOCK, Plain
from jobs.sheets import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile

    from jobs.packed import Part

_MOST_BYTES: Final = 512 * 2**20
MOST_MEMORY: Final = 2 * 2**30
"""What reading a sheet may take, in bytes."""
_MOST_NAMES: Final = 1 << 18
_MAX_ECHO: Final = 80
_PACKINGS: Final = (ZIP_STORED, ZIP_DEFLATED)
_AS_CSV: Final = "Save the sheet as CSV (UTF-8), which may be of any size."


def sheets_of(plain: Plain, archive: ZipFile, *, memory: int = MOST_MEMORY) -> list[Part]:
    """Return the sheets of a workbook that hold anything, each read within ``memory`` bytes.

    Raises:
        InputError: the extra is not installed, or the workbook is too large or cannot be read.
    """
    if importlib.util.find_spec("python_calamine") is None:
        raise InputError(
            f"{plain.name} is an Excel workbook; callvault reads it with an extra that is not "
            "installed.",
            hint="Install 'callvault[xlsx]', or save the sheet as CSV (UTF-8).",
        )
    _check_size(plain, archive)
    with tempfile.TemporaryFile(prefix="callvault-") as stream:
        _read(plain, [], stream, memory)
        try:
            found = msgspec.json.decode(stream.read(_MOST_NAMES), type=list[tuple[int, str]])
        except msgspec.DecodeError:
            raise _unreadable(plain.name, "its list of sheets is too long") from None
    told = len(found) > 1
    names = [(place, f"{plain.name}:{name[:_MAX_ECHO]!r}") for place, name in found]
    return [
        partial(_sheet, Plain(name if told else plain.name, plain.stream), place, memory)
        for place, name in names
    ]


def _unreadable(name: str, why: str) -> InputError:
    return InputError(
        f"{name} is an Excel workbook that cannot be read ({why[:_MAX_ECHO]!r}).",
        hint="Save it again, or save the sheet as CSV (UTF-8).",
    )


def _check_size(plain: Plain, archive: ZipFile) -> None:
    """Count what comes out of a workbook, block by block: memory is bounded, and time is not."""
    size = 0
    for info in archive.infolist():
        if info.compress_type not in _PACKINGS:
            raise _unreadable(plain.name, "it is not packed as workbooks are")
        try:
            with archive.open(info) as member:
                while block := member.read(BLOCK):
                    size += len(block)
                    if size > _MOST_BYTES:
                        raise InputError(
                            f"{plain.name} holds too much for a workbook: more than "
                            f"{_MOST_BYTES:,} bytes.",
                            hint=_AS_CSV,
                        )
        except (BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
            raise _unreadable(plain.name, str(error)) from None


@contextmanager
def _sheet(plain: Plain, place: int, memory: int) -> Iterator[Plain]:
    with tempfile.TemporaryFile(prefix="callvault-") as stream:
        _read(plain, [str(place)], stream, memory)
        yield Plain(plain.name, stream)


def _read(plain: Plain, places: list[str], target: IO[bytes], memory: int) -> None:
    """Let a workbook be read, and what is asked for written to ``target``, which is at its start.

    Raises:
        InputError: it cannot be read, or not within the memory there is for it.
    """
    done = subprocess.run(  # noqa: S603 - our own program, and numbers of ours
        [sys.executable, "-P", "-m", "jobs.sheets", str(memory), *places],
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=plain.stream,
        stdout=target,
        # What the reader says of its own end is of no use to anybody.
        stderr=subprocess.DEVNULL,
        check=False,
    )
    target.seek(0)
    if done.returncode == UNREADABLE:
        raise _unreadable(plain.name, target.read(_MAX_ECHO).decode(errors="replace"))
    if done.returncode:
        raise InputError(
            f"{plain.name} holds too much for a workbook, or is damaged: it cannot be read within "
            f"{memory // 2**20:,} MiB of memory.",
            hint=_AS_CSV,
        )
