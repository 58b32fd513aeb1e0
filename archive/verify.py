"""Holding the files of the archive against the catalog and the format.

Folder by folder: what lies there, what the catalog has there, then the bytes. What seems wrong is
looked at once more at the end, since workers may be archiving meanwhile. Nothing is changed here;
`archive.repair` does that. These functions block.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from archive.catalog import verify as rows
from archive.catalog.verify import Finding, Kept
from archive.evidence import sid_of, sidecar_beside
from archive.flags import DAMAGES
from archive.frames import walk
from archive.layout import SUFFIXES
from archive.lists import (
    MANIFEST_DIFFERS,
    PURGED_ELSEWHERE,
    look_at_lists,
    look_at_tombstones,
)
from archive.manifest import folder_of
from archive.reading import Pace, hash_file, side_by_side
from archive.tombstones import is_purged
from archive.tree import check_root, days_on_disk, files_of, hours_on_disk, strays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archive.catalog.database import Database

_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in SUFFIXES)
_HOURS: Final = frozenset(f"{hour:02}" for hour in range(24))


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at: accounts, one day (``YYYY-MM-DD``) or all, and how many files are read.

    That files are there, and as long as they should be, is looked at for all; ``sample`` is the
    share (0 to 1) of those that are read.
    """

    accounts: tuple[str, ...]
    day: str | None = None
    sample: float = 1.0
    sidecars: bool = True


class Seen(msgspec.Struct, kw_only=True):
    """What was seen: recordings of the catalog, those of them on disk, and what was read.

    ``elsewhere`` lie in the roots of other hosts, and only these can look at them.
    """

    recordings: int = 0
    elsewhere: int = 0
    on_disk: int = 0
    read: int = 0
    bytes_read: int = 0


class Verifier:
    """Looks at an archive; findings are noted in a table of the catalog's connection.

    ``dice`` gives a number in 0..1 and chooses the sample; ``progress`` is called with each file
    that was read, or passed over, and the bytes read of it.
    """

    def __init__(
        self,
        *,
        database: Database,
        root: Path,
        scope: Scope,
        pace: Pace,
        dice: Callable[[], float],
        progress: Callable[[int], None],
    ) -> None:
        self._database = database
        self._root = root
        self._scope = scope
        self._pace = pace
        self._dice = dice
        self._progress = progress
        self._seen = Seen()

    def run(self) -> Seen:
        """Look at everything in scope, then again at what seems wrong.

        Raises:
            StoreError: there is no archive in the root.
            CatalogError: the catalog cannot be read.
            OSError: a folder cannot be read.
        """
        check_root(self._root)
        with self._database.scratch() as tx:
            rows.begin(tx)
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="verify") as pool:
            for account in self._scope.accounts:
                self._look_at_account(account, pool)
                with self._database.read() as tx:
                    folder = folder_of(account, self._scope.day or "")
                    self._seen.elsewhere += rows.elsewhere(tx, folder)[0]
        self._look_again()
        return self._seen

    def _look_at_account(self, account: str, pool: ThreadPoolExecutor) -> None:
        if self._scope.day is None:
            days = self._days_of(account)
            self._note(_stray(account, path) for path in strays(self._root, account))
        else:
            days = [folder_of(account, self._scope.day)]
            self._note(_stray(account, path) for path in strays(self._root, account, days[0]))
        for day in days:
            if day != account:
                for hour in sorted(_HOURS.union(p[-2:] for p in hours_on_disk(self._root, day))):
                    self._look_at_hour(f"{day}/{hour}", pool)
            self._note(look_at_lists(self._database, self._root, account, day))
            self._note(look_at_tombstones(self._database, self._root, day))

    def _days_of(self, account: str) -> list[str]:
        """Return all folders that have lists: of days on disk, of recordings and of calls."""
        with self._database.read() as tx:
            days = set(rows.days_of_recordings(tx, account))
            days.update(folder_of(account, day) for day in rows.days_of_calls(tx, account))
        return sorted(days.union(days_on_disk(self._root, account)))

    def _look_at_hour(self, hour: str, pool: ThreadPoolExecutor) -> None:
        # The disk first: what is archived after this look is in the catalog, and not missed here.
        files = files_of(self._root, hour)
        with self._database.read() as tx:
            kept = rows.kept_in(tx, hour)
        self._seen.recordings += len(kept)
        chosen: list[Kept] = []
        for recording in kept:
            size = files.get(PurePosixPath(recording.path).name)
            if size == recording.bytes and self._dice() < self._scope.sample:
                chosen.append(recording)
                continue
            self._progress(0)
            self._seen.on_disk += size is not None
            self._note(_by_length(recording, size))
        look = partial(examine, self._root, self._pace)
        for recording, findings in side_by_side(pool, look, chosen):
            self._seen.on_disk += 1
            self._seen.read += 1
            self._seen.bytes_read += recording.bytes
            self._progress(recording.bytes)
            self._note(findings)
        if self._scope.sidecars:
            read = {recording.path for recording in chosen}
            self._note(self._look_at_sidecars(kept, files, read))
        names = {PurePosixPath(recording.path).name for recording in kept}
        beside = {str(PurePosixPath(name).with_suffix(".json")) for name in names}
        self._note(_too_many(hour, files, known=names | beside))

    def _look_at_sidecars(
        self, kept: list[Kept], files: dict[str, int], read: set[str]
    ) -> Iterator[Finding]:
        """Each recording has one; those of the recordings that were read are read as well."""
        for recording in kept:
            path = PurePosixPath(recording.path)
            beside = path.with_suffix(".json")
            if path.name not in files:
                continue
            if beside.name not in files:
                yield _of(recording, "sidecar-missing", path=str(beside))
            elif recording.path in read and (why := self._sidecar_differs(recording)):
                yield _of(recording, "sidecar-differs", why, path=str(beside))

    def _sidecar_differs(self, recording: Kept) -> str:
        sidecar, trouble = sidecar_beside(self._root, recording.path)
        if sidecar is None:
            return trouble or "it is no longer there"
        told = (sidecar.sid, sidecar.object, sidecar.sha256, sidecar.bytes)
        real = (recording.sid, recording.object_name, recording.sha256, recording.bytes)
        names = ("sid", "object", "sha256", "bytes")
        wrong = [n for n, one, other in zip(names, told, real, strict=True) if one != other]
        return f"the catalog has another {' and '.join(wrong)}" if wrong else ""

    def _note(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            with self._database.scratch() as tx:
                rows.add(tx, finding)

    def _look_again(self) -> None:
        """Drop what was none, and say of files too many what they are."""
        again = {
            "missing": self._missing_again,
            "truncated": self._missing_again,
            "longer": self._missing_again,
            "changed": self._changed_again,
            "sidecar-missing": self._sidecar_again,
            "sidecar-differs": self._sidecar_again,
            "sidecar-alone": self._alone_again,
            "extra": self._extra_again,
            "checksums-missing": self._list_again,
            "checksums-differ": self._list_again,
            "manifest-missing": self._list_again,
            MANIFEST_DIFFERS: self._list_again,
            PURGED_ELSEWHERE: self._purged_again,
        }
        # Files too many last: by then it is certain which ones are missing.
        for kinds in (again.keys() - {"extra"}, {"extra"}):
            last = 0
            while page := self._page(last):
                for finding in page:
                    if finding.kind != PURGED_ELSEWHERE and self._was_purged(finding):
                        self._drop(finding)
                    elif finding.kind in kinds:
                        again[finding.kind](finding)
                last = page[-1].id

    def _page(self, last: int) -> list[Finding]:
        with self._database.scratch() as tx:
            return rows.page_after(tx, last)

    def _drop(self, finding: Finding) -> None:
        with self._database.scratch() as tx:
            rows.drop(tx, finding)

    def _missing_again(self, finding: Finding) -> None:
        kept = self._kept_at(finding.path)
        if kept is None or kept.sha256 != finding.sha256:
            self._drop(finding)
            return
        with suppress(OSError):
            if (self._root / finding.path).stat().st_size == kept.bytes:
                self._drop(finding)
                self._seen.on_disk += finding.kind == "missing"

    def _changed_again(self, finding: Finding) -> None:
        kept = self._kept_at(finding.path)
        if kept is None or kept.sha256 != finding.sha256:
            self._drop(finding)

    def _sidecar_again(self, finding: Finding) -> None:
        with self._database.read() as tx:
            path = rows.twin(tx, finding.account, finding.sid, finding.sha256)
        kept = self._kept_at(path or "")
        if kept is None or not self._sidecar_differs(kept):
            self._drop(finding)

    def _alone_again(self, finding: Finding) -> None:
        sidecar = self._root / finding.path
        if any(sidecar.with_suffix(suffix).exists() for suffix in _SUFFIXES):
            self._drop(finding)

    def _was_purged(self, finding: Finding) -> bool:
        """Tell whether its call was purged elsewhere: then its files need not be there."""
        with self._database.scratch() as tx:
            return bool(finding.sid) and rows.is_found(
                tx, PURGED_ELSEWHERE, finding.account, finding.sid
            )

    def _purged_again(self, finding: Finding) -> None:
        """One that the workers took over meanwhile is none."""
        if is_purged(self._database, finding.account, finding.sid):
            self._drop(finding)

    def _list_again(self, finding: Finding) -> None:
        """One that is being written meanwhile is no finding."""
        day = finding.path.rpartition("/")[0]
        again = look_at_lists(self._database, self._root, finding.account, day)
        if not any(found.path == finding.path for found in again):
            self._drop(finding)

    def _extra_again(self, finding: Finding) -> None:
        """Say what a file too many is: archived meanwhile, misnamed, a copy, or simply extra."""
        file = self._root / finding.path
        if self._kept_at(finding.path) is not None or not file.is_file():
            self._drop(finding)
            return
        with self._database.read() as tx:
            goes = rows.is_to_be_removed(tx, finding.path)
        if goes:
            detail = "its recording was purged; it goes with the next: callvault purge"
            with self._database.scratch() as tx:
                rows.change(tx, msgspec.structs.replace(finding, detail=detail, fault=False))
            return
        name = PurePosixPath(finding.path)
        if name.suffix not in _SUFFIXES:
            return
        account = finding.account
        try:
            sha256, _ = hash_file(file, self._pace)
        except OSError:
            return
        with self._database.read() as tx:
            wanted = rows.wanted(tx, sha256)
            sid = sid_of(name.stem, lambda sid: rows.is_known(tx, account, sid)) or ""
            twin = rows.twin(tx, account, sid, sha256)
            elsewhere = rows.lies_elsewhere(tx, account, sid, sha256)
            waits = rows.is_unsettled(tx, account, sid)
            returned = rows.was_removed(tx, account, sid, finding.path)
        replace = msgspec.structs.replace
        found = replace(finding, sid=sid, sha256=sha256)
        if wanted is not None:
            found = replace(found, kind="misnamed", sid=wanted.sid, detail=f"is {wanted.path}")
        elif twin is not None:
            found = replace(found, detail=f"is a copy of {twin}")
        elif elsewhere:
            found = replace(found, detail="the catalog has it in another root", fault=False)
        elif returned:
            found = replace(found, detail="its recording was purged, and the file came back")
        elif waits:
            found = replace(found, detail="its call is still to be looked at", fault=False)
        with self._database.scratch() as tx:
            rows.change(tx, found)

    def _kept_at(self, path: str) -> Kept | None:
        with self._database.read() as tx:
            return rows.kept_at(tx, path)


def examine(root: Path, pace: Pace, recording: Kept) -> tuple[Kept, list[Finding]]:
    """Read a recording and say what is wrong with it; runs in a thread."""
    file = root / recording.path
    try:
        sha256, size = hash_file(file, pace)
        if size != recording.bytes:
            return recording, _by_length(recording, size)
        if sha256 != recording.sha256:
            return recording, [_of(recording, "changed")]
        damage = walk(file).damage
    except FileNotFoundError:
        return recording, _by_length(recording, None)
    except OSError as error:
        return recording, [_of(recording, "unreadable", error.strerror or "")]
    if not damage:
        return recording, []
    # It is what the provider gave, and the flag says so since it came.
    known = recording.flag in DAMAGES
    return recording, [_of(recording, "damaged", damage, fault=not known)]


def _by_length(recording: Kept, size: int | None) -> list[Finding]:
    if size is None:
        return [_of(recording, "missing")]
    if size == recording.bytes:
        return []
    kind = "truncated" if size < recording.bytes else "longer"
    return [_of(recording, kind, f"{size:,} of {recording.bytes:,} bytes")]


def _of(
    recording: Kept, kind: str, detail: str = "", *, path: str = "", fault: bool = True
) -> Finding:
    return Finding(
        kind=kind,
        path=path or recording.path,
        account=recording.account,
        sid=recording.sid,
        sha256=recording.sha256,
        detail=detail,
        fault=fault,
    )


def _stray(account: str, path: str) -> Finding:
    return Finding(kind="extra", path=path, account=account)


def _too_many(hour: str, files: Iterable[str], known: set[str]) -> Iterator[Finding]:
    """Say which files of an hour are of no known recording; a sidecar goes with its own."""
    account = hour.partition("/")[0]
    audio = {PurePosixPath(n).stem for n in files if PurePosixPath(n).suffix in _SUFFIXES}
    for name in files:
        path = PurePosixPath(name)
        if name in known or (path.suffix == ".json" and path.stem in audio):
            continue
        if path.suffix == ".json":
            # What a crash between the two leaves; it means nothing.
            yield Finding(kind="sidecar-alone", path=f"{hour}/{name}", account=account, fault=False)
        else:
            yield _stray(account, f"{hour}/{name}")
