"""Holding the lists of a folder against the catalog: ``SHA256SUMS`` and ``manifest.jsonl``.

A list that is known to be behind is none of its business: the next run writes it anew. These
functions block.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from io import BufferedReader, TextIOWrapper
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from archive.catalog import dayfiles
from archive.catalog.verify import Finding
from archive.layout import CHECKSUMS, MANIFEST
from archive.manifest import BadLineError, day_of_folder, encode
from archive.regular import open_regular
from archive.tombstones import unknown_tombstones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from archive.catalog.database import Database, Tx
    from archive.manifest import Line

MANIFEST_DIFFERS: Final = "manifest-differs"
PURGED_ELSEWHERE: Final = "purged-elsewhere"
_PIECE: Final = 2**20
_SUM: Final = 2**256


def look_at_lists(database: Database, root: Path, account: str, folder: str) -> list[Finding]:
    """Return what is wrong with the lists of a folder below the root.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    if (root / folder / MANIFEST).is_file():
        manifest = _differing_manifest(database, root, folder)
    else:
        manifest = _missing_manifest(database, folder)
    with database.read() as tx:
        if dayfiles.changes_of(tx, folder).is_behind:
            return []
        checksums = "" if folder == account else _checksums_differ(tx, root, folder)
    kinds = {CHECKSUMS: checksums, MANIFEST: manifest}
    return [
        Finding(kind=kind, path=f"{folder}/{name}", account=account)
        for name, kind in kinds.items()
        if kind
    ]


def look_at_tombstones(database: Database, root: Path, folder: str) -> Iterator[Finding]:
    """Yield the calls that a folder's manifest tells to be purged and the catalog does not.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    # A manifest that cannot be read is told of by `look_at_lists`, and so are its bad lines.
    with suppress(OSError):
        for chunk in unknown_tombstones(database, root, folder):
            for line in chunk:
                if not isinstance(line, BadLineError):
                    yield _purged_elsewhere(line, folder)


def _purged_elsewhere(line: Line, folder: str) -> Finding:
    whys = "".join(f" on {gone.at:%Y-%m-%d}: {gone.why}" for gone in line.purged[:1])
    return Finding(
        kind=PURGED_ELSEWHERE,
        path=f"{folder}/{MANIFEST}",
        account=line.account,
        sid=line.sid,
        detail=f"{line.sid} was purged{whys}",
    )


def _missing_manifest(database: Database, folder: str) -> str:
    account, day = day_of_folder(folder) or ("", "")
    with database.read() as tx:
        calls = dayfiles.manifest_lines(tx, account, day)
        return "" if next(calls, None) is None else "manifest-missing"


def _differing_manifest(database: Database, root: Path, folder: str) -> str:
    """Say whether a manifest tells otherwise than the catalog.

    It is opened before the catalog's state is fixed: of a day that is not marked then, a whole
    manifest that is still in its place afterwards can only be of that state.
    """
    account, day = day_of_folder(folder) or ("", "")
    place = root / folder / MANIFEST
    try:
        with BufferedReader(open_regular(place)) as file:
            with database.read() as tx:
                if dayfiles.changes_of(tx, folder).is_behind:
                    return ""
                lines = dayfiles.manifest_lines(tx, account, day)
                expected = _sum_of(hashlib.sha256(encode(line)).digest() for line in lines)
            if expected == _sum_of(_digests(file)):
                return ""
            replaced = not os.path.samestat(os.fstat(file.fileno()), place.stat())
    except FileNotFoundError:
        return ""  # it was there a moment ago: the second look tells
    except OSError:
        return MANIFEST_DIFFERS
    return "" if replaced else MANIFEST_DIFFERS


def _sum_of(digests: Iterable[bytes]) -> tuple[int, int]:
    """Return how many lines there are, and one number for them in whatever order they stand.

    The order is that of an index with the state in it, in which a leased call moves without a mark.
    """
    count = total = 0
    for digest in digests:
        count += 1
        total = (total + int.from_bytes(digest)) % _SUM
    return count, total


def _digests(file: BinaryIO) -> Iterator[bytes]:
    """Yield the SHA-256 of each line of a file; a line may be longer than memory."""
    while piece := file.readline(_PIECE):
        digest = hashlib.sha256(piece)
        while not piece.endswith(b"\n") and (piece := file.readline(_PIECE)):
            digest.update(piece)
        yield digest.digest()


def _checksums_differ(tx: Tx, root: Path, folder: str) -> str:
    expected = (
        f"{sha256}  {path.removeprefix(folder + '/')}\n"
        for path, sha256 in dayfiles.recordings_below(tx, folder)
    )
    try:
        raw = BufferedReader(open_regular(root / folder / CHECKSUMS))
        with TextIOWrapper(raw, encoding="utf-8", errors="replace") as file:
            same = all(one == other for one, other in zip_longest(expected, file))
            return "" if same else "checksums-differ"
    except FileNotFoundError:
        return "" if next(expected, None) is None else "checksums-missing"
    except OSError:
        return "checksums-differ"
