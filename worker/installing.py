"""Writes units into a folder and removes them again, and leaves alone what a person has changed."""

from __future__ import annotations

import difflib
import os
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from archive.errors import FatalError, InputError
from worker.units import is_ours, was_ours

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.resources.abc import Traversable

_MOST: Final = 2**20


class Change(msgspec.Struct, frozen=True):
    """A file that is to be written; ``before`` is what is there, None for nothing."""

    path: Path
    text: str
    before: str | None

    @property
    def is_needed(self) -> bool:
        """Whether it would change anything."""
        return self.text != self.before

    @property
    def is_a_persons(self) -> bool:
        """Whether what is there is not as we wrote it."""
        return self.before is not None and self.is_needed and not is_ours(self.before)

    def lines(self) -> Iterator[str]:
        """Yield the difference, as ``diff -u`` shows it."""
        old = "/dev/null" if self.before is None else str(self.path)
        yield from difflib.unified_diff(
            (self.before or "").splitlines(),
            self.text.splitlines(),
            old,
            str(self.path),
            lineterm="",
        )


def shipped() -> dict[str, str]:
    """Return the unit files that came with this callvault, by their names."""
    folder = _deploy() / "systemd"
    found = {file.name: file for file in folder.iterdir() if file.is_file()}
    for below in folder.iterdir():
        if below.is_dir():
            found |= {f"{below.name}/{file.name}": file for file in below.iterdir()}
    return {name: file.read_text(encoding="utf-8") for name, file in found.items()}


def sysusers() -> Traversable:
    """Return the file by which ``systemd-sysusers`` makes the user."""
    return _deploy() / "sysusers.d" / "callvault.conf"


def _deploy() -> Traversable:
    """Return the shipped files: they are in the wheel, and beside the packages in a checkout."""
    worker = resources.files("worker")
    packaged = worker / "deploy"
    return packaged if packaged.is_dir() else Path(str(worker)).parent / "deploy"


def plan(folder: Path, files: Mapping[str, str]) -> list[Change]:
    """Return what would be written.

    Raises:
        FatalError: what is there cannot be read.
    """
    return [Change(folder / name, text, _read(folder / name)) for name, text in files.items()]


def refuse_foreign(changes: Sequence[Change]) -> None:
    """Stop before anything is written over that a person has written or changed.

    Raises:
        InputError: there is such a file.
    """
    if foreign := [str(change.path) for change in changes if change.is_a_persons]:
        raise InputError(
            f"not written by this command, or changed since: {', '.join(foreign)}",
            hint="put changes into a drop-in (systemctl edit UNIT), which is left alone; --force "
            "writes over them, and --dry-run --force shows what that would change",
        )


def write(changes: Sequence[Change]) -> None:
    """Write the files, each as a whole or not at all.

    Raises:
        FatalError: the folder cannot be written to.
    """
    for change in changes:
        if not change.is_needed:
            continue
        new = change.path.with_name(f".{change.path.name}.new")
        try:
            _make(change.path.parent)
            new.write_text(change.text, encoding="utf-8")
            # systemd reads them as root, people as themselves.
            new.chmod(0o644)
            new.replace(change.path)
        except OSError as error:
            raise _refused(change.path, error) from error


def _make(folder: Path) -> None:
    """Make a folder that everybody may read, as those of systemd are."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)


def installed(folder: Path) -> list[Path]:
    """Return the files of the folder that we have written, be it that they were changed since."""
    found = [*folder.glob("callvault*"), *folder.glob("callvault-.service.d/*")]
    return sorted(file for file in found if file.is_file() and was_ours(_read(file) or ""))


def is_changed(file: Path) -> bool:
    """Tell whether somebody changed a file that we wrote."""
    return not is_ours(_read(file) or "")


def remove(files: Sequence[Path]) -> None:
    """Remove files, and their folder where that is a drop-in folder and empty by then.

    Raises:
        FatalError: one cannot be removed.
    """
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(file, error) from error
        if file.parent.name.endswith(".d"):
            with suppress(OSError):  # other drop-ins are in it
                file.parent.rmdir()


def _read(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            # What is longer, or no text, is none of ours.
            return opened.read(_MOST).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(file, error) from error


def _refused(path: Path, error: OSError) -> FatalError:
    hint = "run it as root, or name a folder of your own with --unit-dir"
    return FatalError(
        f"{path}: {os.strerror(error.errno or 0)}", hint=hint if error.errno in {1, 13} else ""
    )
