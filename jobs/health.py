"""What keeps all recordings from us, told apart from what keeps one; and which pause that is.

One recording that a host refuses is that call's own trouble. Where one after the other is refused,
and none comes in between, it is the host's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archive.catalog import pauses, work
from archive.verdicts import Pause, Symptom, judge

if TYPE_CHECKING:
    from datetime import datetime

    from archive.catalog.database import Tx

IN_A_ROW: Final = 8
"""After so many troubled recordings, and none that came, no more are asked for."""
PROBED: Final = 3
"""A probe that finds so many troubled has found that it is as before.

More than one, since the one that is tried may have a trouble of its own.
"""
_OWN: Final = 2
_REMEMBERED: Final = 10_000

OF_ALL: Final[dict[str, Symptom]] = {
    **dict.fromkeys(
        (
            Symptom.FETCH_UNREACHABLE,
            Symptom.FETCH_DNS,
            Symptom.FETCH_TIMEOUT,
            Symptom.FETCH_SERVER_ERROR,
            Symptom.FETCH_TOO_MANY,
        ),
        Symptom.FETCH_HOST_DOWN,
    ),
    **dict.fromkeys((Symptom.FETCH_REFUSED, Symptom.FETCH_EXPIRED), Symptom.FETCH_REFUSES_ALL),
}
"""What a trouble of a recording is called where one recording after the other has it."""

OF_HOSTS: Final = frozenset(OF_ALL.values())
"""Reasons of pauses that only a recording that came can find gone."""
OF_DOWNLOADS: Final = frozenset({Symptom.FETCH_TLS, Symptom.FETCH_BAD_ADDRESS})
"""Reasons of pauses that only a download can find gone: that the API answers says nothing."""
OF_WRITES: Final = frozenset({Symptom.DISK_FULL, Symptom.DISK_REFUSES})
"""Reasons that only a recording on disk can find gone: room alone is not enough."""


class Health:
    """What came of an account's recordings of late, as this process saw it.

    A recording that is troubled again and again while others come has a trouble of its own, and
    says nothing of the host: a few of these, left over at the end, must not pause the account.
    """

    def __init__(self) -> None:
        self._row: set[str] = set()
        self._own: dict[str, int] = {}

    @property
    def is_bad(self) -> bool:
        """Whether so many calls in a row were troubled that it cannot be the calls."""
        return len(self._row) >= IN_A_ROW

    def troubled(self, sid: str) -> None:
        """Note that a call's recording did not come, for a trouble that all may have."""
        if self._own.get(sid, 0) < _OWN:
            self._row.add(sid)

    def came(self, sid: str) -> None:
        """Note that a recording came: those troubled just before were so by themselves."""
        self._own.pop(sid, None)
        for other in self._row - {sid}:
            self._own[other] = self._own.pop(other, 0) + 1
        while len(self._own) > _REMEMBERED:
            del self._own[next(iter(self._own))]
        self._row.clear()

    def begin(self) -> None:
        """Count anew after a pause that is over."""
        if self.is_bad:
            self._row.clear()


def pause_for(symptom: Symptom) -> Pause:
    """Return the pause that a symptom of the disk leads to."""
    verdict = judge(symptom, strikes=0, jitter=0.0)
    assert isinstance(verdict, Pause)
    return verdict


def pause_if_held(
    tx: Tx, lease: str, scope: str, verdict: Pause, detail: str, now: datetime
) -> bool:
    """Pause, unless the batch was given to others; return whether it was its own.

    What a late one meets says nothing of the disk: its part files were swept.
    """
    if not work.is_in_work(tx, lease):
        return False
    pauses.pause(
        tx,
        scope,
        reason=verdict.reason,
        detail=detail,
        fatal=verdict.fatal,
        after=verdict.after,
        now=now,
    )
    return True
