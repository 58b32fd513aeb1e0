"""Mending what verify found: right bytes go back to their place, wrong ones are set aside.

Nothing is deleted and nothing overwritten. A recording that is gone or wrong is put back in line
while the provider has it. These functions block.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from archive.audio import NotAudioError, look_at_head
from archive.catalog import dayfiles as day_rows
from archive.catalog import verify as rows
from archive.catalog.purge import remove_again
from archive.dayfiles import write_whole
from archive.evidence import HEAD
from archive.flags import DAMAGES
from archive.layout import QUARANTINE
from archive.lists import PURGED_ELSEWHERE
from archive.placing import flush_folder, place
from archive.reading import Pace, hash_file
from archive.regular import IrregularError, open_regular
from archive.sidecar import describe
from archive.tombstones import is_purged, take_over

if TYPE_CHECKING:
    from pathlib import Path

    from archive.catalog.database import Database
    from archive.catalog.verify import Finding, Kept
    from archive.clock import Clock

MOVED: Final = "moved back"
REQUEUED: Final = "to be fetched again"
REWRITTEN: Final = "written anew"
FLAGGED: Final = "flagged"
MARKED: Final = "to be written anew"
GOES: Final = "goes with the next purge"
TAKEN: Final = "taken over as purged"
BEYOND: Final = "beyond repair"
NOT_DONE: Final = "could not be repaired"

_LISTS: Final = frozenset(
    {"checksums-missing", "checksums-differ", "manifest-missing", "manifest-differs"}
)
_REASONS: Final = {
    "missing": "file-missing",
    "changed": "file-changed",
    "truncated": "file-truncated",
    "longer": "file-longer",
    "damaged": "file-damaged",
}


class Repairer:
    """Repairs the findings of a verify that used the same connection."""

    def __init__(self, *, database: Database, root: Path, clock: Clock) -> None:
        self._database = database
        self._root = root
        self._clock = clock

    def run(self) -> None:
        """Repair what can be; each finding's outcome says what came of it.

        Raises:
            CatalogError: the catalog cannot be written.
        """
        last = 0
        while page := self._page(last):
            for finding in page:
                self._repair(finding)
            last = page[-1].id

    def _page(self, last: int) -> list[Finding]:
        with self._database.scratch() as tx:
            return rows.page_after(tx, last)

    def _repair(self, finding: Finding) -> None:
        if not finding.fault:
            return
        try:
            outcome = self._outcome(finding)
        except OSError as error:
            outcome = f"{NOT_DONE}: {error.strerror}"
        if outcome:
            with self._database.scratch() as tx:
                rows.conclude(tx, finding, outcome)

    def _outcome(self, finding: Finding) -> str:
        if finding.kind == "damaged" and finding.detail in DAMAGES:
            # These are the bytes that came: to fetch them again would bring them again.
            with self._database.write() as tx:
                return FLAGGED if rows.flag(tx, finding) else NOT_DONE
        if finding.kind in _REASONS:
            return self._mend(finding)
        mend = {
            **dict.fromkeys(_LISTS, self._mark),
            "sidecar-missing": self._describe,
            "sidecar-differs": self._describe,
            "extra": self._let_go,
            PURGED_ELSEWHERE: self._take_over,
        }.get(finding.kind)
        return mend(finding) if mend else ""

    def _mark(self, finding: Finding) -> str:
        """Let a list be written anew."""
        with self._database.write() as tx:
            day_rows.mark_again(tx, finding.path.rpartition("/")[0])
        return MARKED

    def _let_go(self, finding: Finding) -> str:
        """Let a file that came back of a purged call go again; what else is too many stays."""
        with self._database.write() as tx:
            again = remove_again(tx, finding.account, finding.sid, finding.path)
        return GOES if again else ""

    def _take_over(self, finding: Finding) -> str:
        """Take over all that the manifest tells of purged calls, at the first of them."""
        if not is_purged(self._database, finding.account, finding.sid):
            folder = finding.path.rpartition("/")[0]
            take_over(self._database, self._root, folder, self._clock)
        return TAKEN if is_purged(self._database, finding.account, finding.sid) else NOT_DONE

    def _mend(self, finding: Finding) -> str:
        """Move the right bytes back where they are, or have them fetched while they can be."""
        with self._database.scratch() as tx:
            elsewhere = rows.misplaced(tx, finding.sha256)
        if elsewhere is not None and self._is_still(elsewhere):
            self._set_aside(finding)
            self._move(elsewhere.path, finding.path)
            with self._database.scratch() as tx:
                rows.conclude(tx, elsewhere, MOVED)
            return MOVED
        with self._database.read() as tx:
            may = rows.may_be_fetched(tx, finding.account, finding.sid, self._clock())
        if not may:
            return BEYOND
        # Set aside first: a file that is put there meanwhile must not be taken for the wrong one.
        self._set_aside(finding)
        with self._database.write() as tx:
            reason = _REASONS[finding.kind]
            done = rows.put_in_line(tx, finding, reason=reason, now=self._clock())
        return REQUEUED if done else NOT_DONE

    def _is_still(self, misnamed: Finding) -> bool:
        with suppress(OSError):
            sha256, _ = hash_file(self._root / misnamed.path, Pace(None))
            return sha256 == misnamed.sha256
        return False

    def _set_aside(self, finding: Finding) -> None:
        """Move a wrong file to the quarantine; one that is right by now stays."""
        file = self._root / finding.path
        try:
            sha256, _ = hash_file(file, Pace(None))
        except FileNotFoundError:
            return
        except IrregularError:
            sha256 = ""
        if sha256 == finding.sha256 and finding.kind != "damaged":
            return
        set_aside(self._root, file, account=finding.account, sid=finding.sid, why=finding.kind)

    def _move(self, source: str, target: str) -> None:
        """Give a file its right name by a link, which never overwrites; then the wrong one goes."""
        wrong, right = self._root / source, self._root / target
        made = [folder for folder in right.parents if not folder.exists()]
        right.parent.mkdir(parents=True, exist_ok=True)
        if place(wrong, right):  # else it is right by now: the other is a copy, and is kept
            for folder in (right.parent, *(folder.parent for folder in made)):
                flush_folder(folder)
            wrong.unlink(missing_ok=True)
            flush_folder(wrong.parent)

    def _describe(self, finding: Finding) -> str:
        """Write a sidecar anew from the catalog; one that differs is set aside."""
        with self._database.read() as tx:
            path = rows.twin(tx, finding.account, finding.sid, finding.sha256)
            kept = rows.kept_at(tx, path or "")
            facts = rows.facts(tx, finding.account, finding.sid)
        if kept is None or facts is None:
            return NOT_DONE
        with open_regular(self._root / kept.path) as file:
            head = file.read(HEAD)
        try:
            audio = look_at_head(head, kept.bytes)
        except NotAudioError:
            return NOT_DONE
        beside = (self._root / kept.path).with_suffix(".json")
        if beside.exists():
            set_aside(self._root, beside, account=kept.account, sid=kept.sid, why="sidecar-differs")
        write_whole(beside, [describe(_about(kept), audio, facts, kept.archived_at)])
        return REWRITTEN


def set_aside(root: Path, file: Path, *, account: str, sid: str, why: str) -> None:
    """Move a wrong file to the quarantine; its name tells the Sid, the bytes and why.

    Raises:
        OSError: it cannot be moved.
    """
    try:
        digits = hash_file(file, Pace(None))[0][:12]
    except IrregularError:
        digits = "no-file"
    folder = root / QUARANTINE / account
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{sid}.{digits}.{why}"
    number = 1
    while os.path.lexists(kept):
        number += 1
        kept = folder / f"{sid}.{digits}.{why}.{number}"
    file.rename(kept)
    for changed in (folder, folder.parent, root, file.parent):
        flush_folder(changed)


def _about(kept: Kept) -> dict[str, object]:
    return {
        "account": kept.account,
        "sid": kept.sid,
        "file": PurePosixPath(kept.path).name,
        "object": kept.object_name,
        "sha256": kept.sha256,
        "bytes": kept.bytes,
    }
