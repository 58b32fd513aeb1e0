"""Asking the provider about the calls of a batch: by the hundred, and singly only what is left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from archive.api import ApiTroubleError
from archive.history import HISTORY, LOOKBACK
from archive.verdicts import Symptom
from archive.windows import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from archive.api import Api
    from archive.call import CallFacts
    from archive.wire import CallAnswer

_MARGIN: Final = timedelta(hours=1)
"""Added around known dates: an export's start is not the provider's DateCreated to the second."""
_RECENT: Final = LOOKBACK - timedelta(days=1)
_ENOUGH_REFUSED: Final = 5
_OF_ONE_CALL: Final = frozenset({Symptom.CALL_UNKNOWN, Symptom.API_REFUSED})


async def resolve(
    api: Api, calls: Sequence[CallFacts], now: datetime
) -> dict[str, CallAnswer | Symptom]:
    """Return for each Sid what the provider says of it, or why it says nothing.

    Raises:
        ApiTroubleError: the API gave no usable answer; nothing is concluded for any call.
    """
    answers: dict[str, CallAnswer | Symptom] = {}
    listing = _Listing(api)
    left = [facts.sid for facts in calls]
    for window in windows_for(calls, now):
        wanted = [sid for sid in left if sid not in listing.refused]
        if not wanted:
            break
        answers.update(await listing.ask(wanted, window))
        left = [sid for sid in left if sid not in answers]
    old = {facts.sid for facts in calls if _is_out_of_history(facts, now)}
    for sid in left:
        answers[sid] = Symptom.CALL_OUT_OF_HISTORY if sid in old else await _ask_singly(api, sid)
    if len(calls) > 1 and all(answer is Symptom.API_REFUSED for answer in answers.values()):
        # Not one of many is accepted: the fault is not with the calls.
        raise ApiTroubleError(Symptom.API_REFUSES_ALL, "each call of a batch was refused")
    return answers


def windows_for(calls: Sequence[CallFacts], now: datetime) -> list[Window | None]:
    """Return the ranges of DateCreated in which to ask for these calls, one request each.

    None stands for no range: the provider then looks back 31 days. Calls of unknown date are looked
    for month by month through the provider's history, the latest first.
    """
    moments = [facts.created_at or facts.started_at for facts in calls]
    # An export may say anything: what lies outside the provider's history is asked for at its edge.
    dated = [min(max(moment, now - HISTORY), now) for moment in moments if moment is not None]
    if len(dated) < len(moments):
        return [None, *_months_back(now)]
    earliest, latest = min(dated) - _MARGIN, max(dated) + _MARGIN
    if now - earliest < _RECENT:
        return [None]
    cut: list[Window | None] = []
    while earliest < latest:
        stop = min(latest, earliest + _RECENT)
        cut.append(Window(earliest, stop))
        earliest = stop
    return cut


def _months_back(now: datetime) -> list[Window | None]:
    windows: list[Window | None] = []
    end = now - _RECENT
    while end > now - HISTORY:
        windows.append(Window(end - _RECENT, end))
        end -= _RECENT
    return windows


def _is_out_of_history(facts: CallFacts, now: datetime) -> bool:
    return facts.began_at is not None and now - facts.began_at > HISTORY


class _Listing:
    """Asks the listing for many calls in one request; a refused request is halved until it is not.

    One Sid that the provider takes for malformed must not keep ninety-nine others from it. One that
    is refused alone is left to be asked for singly, and not asked for in another month.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._accepted = False
        self.refused: set[str] = set()

    async def ask(self, sids: list[str], window: Window | None) -> dict[str, CallAnswer]:
        """Return the calls that the listing has.

        Raises:
            ApiTroubleError: there is no usable answer; API_REFUSES_ALL if the first few Sids are
                each refused and nothing was accepted: then the fault is not with the calls.
        """
        try:
            found = await self._api.by_sids(sids, window)
        except ApiTroubleError as trouble:
            if trouble.symptom is not Symptom.API_REFUSED:
                raise
        else:
            self._accepted = True
            return {answer.facts.sid: answer for answer in found}
        if len(sids) == 1:
            self.refused.update(sids)
            if not self._accepted and len(self.refused) >= _ENOUGH_REFUSED:
                raise ApiTroubleError(Symptom.API_REFUSES_ALL, "call after call was refused")
            return {}
        middle = len(sids) // 2
        first = await self.ask(sids[:middle], window)
        return first | await self.ask(sids[middle:], window)


async def _ask_singly(api: Api, sid: str) -> CallAnswer | Symptom:
    """Ask for one call that the listing does not have: it may still be going on."""
    try:
        return await api.call(sid)
    except ApiTroubleError as trouble:
        if trouble.symptom in _OF_ONE_CALL:
            return trouble.symptom
        raise
