"""The one line that a settled call has in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from archive.call import State
from archive.catalog.work import Excluded
from archive.verdicts import Absent, Failed, Lost

if TYPE_CHECKING:
    from archive.catalog.work import Outcome

_STATES = {
    Absent: State.ABSENT,
    Lost: State.LOST,
    Failed: State.FAILED,
    Excluded: State.EXCLUDED,
}
_TROUBLES = frozenset({State.LOST, State.FAILED})
_log = structlog.get_logger()


def tell_settled(
    account: str,
    sid: str,
    outcome: Outcome | None,
    *,
    size: int = 0,
    detail: str = "",
    seconds: float | None = None,
) -> None:
    """Write a settled call's line: a warning where its recording was not had, else a detail.

    One that is to be looked at again is not settled, and has none. ``outcome`` None: archived.
    ``size`` is how many bytes were archived, ``seconds`` how long that took.
    """
    state = State.ARCHIVED if outcome is None else _STATES.get(type(outcome))
    if state is None:
        return
    tell = _log.warning if state in _TROUBLES else _log.debug
    fields: dict[str, object] = {"account": account, "call_sid": sid}
    fields |= {"reason": outcome.reason} if outcome else {"bytes": size}
    fields |= {"detail": detail} if detail else {}
    fields |= {} if seconds is None else {"seconds": round(seconds, 3)}
    tell(f"call {state.value}", **fields)
