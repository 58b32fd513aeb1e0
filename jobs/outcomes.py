"""What becomes of calls, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archive.call import State
from archive.catalog.work import Excluded
from archive.tallies import RETRIES, SETTLED
from archive.verdicts import Absent, Failed, Lost, Symptom

if TYPE_CHECKING:
    from archive.catalog.work import Outcome
    from archive.tallies import Tallies

_STATES: Final = {
    Absent: State.ABSENT,
    Lost: State.LOST,
    Failed: State.FAILED,
    Excluded: State.EXCLUDED,
    type(None): State.ARCHIVED,
}
_SYMPTOMS: Final = frozenset(symptom.value for symptom in Symptom)


def count_outcome(tallies: Tallies, account: str, outcome: Outcome | None) -> None:
    """Count what was settled, None being archived, or has to be tried again.

    A call that is looked at again because its recording is not ready yet met no trouble.
    """
    state = _STATES.get(type(outcome))
    if state is not None:
        tallies.count(SETTLED, account, label=state.value)
    elif outcome is not None and outcome.reason in _SYMPTOMS:
        tallies.count(RETRIES, account, label=outcome.reason)
