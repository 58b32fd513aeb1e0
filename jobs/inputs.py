"""Which exports the words on a command line mean: files, folders of them, and patterns."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Final

import msgspec

from archive.errors import InputError
from jobs.plain import STDIN

EXPORTS: Final = (".csv", ".tsv", ".txt", ".xlsx", ".gz", ".zip")
"""How the names of exports end, where callvault chooses: in folders and archives."""
_PATTERN: Final = frozenset("*?[")


class Inputs(msgspec.Struct):
    """The exports that are meant, what there is to say of it, and words that mean none."""

    files: list[str] = []
    notes: list[str] = []
    refused: list[InputError] = []


def inputs_of(words: tuple[str, ...]) -> Inputs:
    """Find the exports that words mean: files, folders, and patterns that no shell replaced.

    A folder means the exports directly in it. A word that is a file is that file, also with ``*``
    in its name; one that is nothing of it is kept, for reading it to say so.
    """
    found = Inputs()
    for word in words:
        if word == STDIN or "\0" in word or _exists(Path(word)) or not _PATTERN.intersection(word):
            _add(found, word)
            continue
        matches = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - the pattern may be absolute
        for match in matches:
            _add(found, match)
        if not matches:
            found.refused.append(
                InputError(
                    f"{word}: no file is called so.", hint="Check the pattern and the folder."
                )
            )
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False  # reading it says what is wrong with it


def _add(found: Inputs, word: str) -> None:
    path = Path(word)
    if word == STDIN or "\0" in word or not _exists(path) or not path.is_dir():
        found.files.append(word)
        return
    try:
        inside = sorted(one for one in path.iterdir() if one.is_file())
    except OSError as error:
        found.refused.append(
            InputError(
                f"{word} cannot be read: {error.strerror or error}.",
                hint="Make it readable for the user that runs callvault.",
            )
        )
        return
    chosen = [one for one in inside if _is_export(one)]
    if not chosen:
        found.refused.append(
            InputError(
                f"{word} is a directory with no CDR export in it.",
                hint=f"Name the files; in a directory, those are read that end in {_ENDINGS}.",
            )
        )
    left = [one.name for one in inside if not _is_export(one)]
    if left and chosen:
        found.notes.append(
            f"{word}: {len(left):,} files are left out, the first is {left[0]!r}; read are those "
            f"that end in {_ENDINGS}"
        )
    found.files.extend(map(str, chosen))


def _is_export(path: Path) -> bool:
    return path.suffix.lower() in EXPORTS and not path.name.startswith(".")


_ENDINGS: Final = ", ".join(EXPORTS)
