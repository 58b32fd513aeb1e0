"""Why calls have no recording here, what that means, and the command that helps: pure functions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from archive.call import State
from archive.flags import DAMAGES, flag_meaning
from archive.morning.facts import Flagged, Reason
from archive.reasons import meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archive.catalog.balance import Balance

MISSING: Final = (State.LOST, State.FAILED, State.EXPECTED, State.LEASED)
"""The states of calls whose recording should be here, the worst first."""
WITHOUT: Final = (State.ABSENT, State.EXCLUDED, State.PURGED)
"""The states of calls that have no recording that is wanted."""

_NOTHING_YET: Final = {
    State.EXPECTED: "not looked at yet",
    State.LEASED: "being worked on",
    State.PURGED: "deleted on request",
}
_NEXT_RUN: Final = "the workers look at them; if none run, start them"


def reasons_of(
    account: str,
    balance: Balance,
    states: Iterable[State],
    *,
    day: str,
    named: bool,
    first: Mapping[tuple[State, str], tuple[str, ...]],
) -> Iterator[Reason]:
    """Yield why calls of these states stand there, the most frequent first within each state.

    ``named``: commands have to name the account. ``first`` are Sids, as far as they were asked for.
    """
    for state in states:
        given = balance.reasons[state]
        unnamed = balance.states[state] - sum(given.values())
        for reason, calls in {**given, "": unnamed}.items():
            if not calls:
                continue
            meaning = _meaning(state, reason)
            yield Reason(
                account=account,
                state=state,
                reason=reason,
                calls=calls,
                meaning=meaning[0],
                remedy=meaning[1],
                command=command_for(state, reason, day=day, account=account if named else ""),
                first=first.get((state, reason), ()),
            )


def _meaning(state: State, reason: str) -> tuple[str, str]:
    if state is State.EXCLUDED:
        return "a rule of the settings leaves them out", ""
    if state is State.EXPECTED and not reason:
        return _NOTHING_YET[state], _NEXT_RUN
    if not reason:
        return _NOTHING_YET.get(state, ""), ""
    return meaning_of(reason)


def command_for(state: State, reason: str, *, day: str, account: str) -> str:
    """Return the command that helps: a run, a retry of what failed, else a list of the calls."""
    if state is State.EXPECTED:
        return "callvault work --drain"
    words = ["callvault"]
    if state is State.FAILED:
        words += ["retry", "--failed", "--day", day]
    else:
        words += ["find", "--state", state.value, "--from", day, "--to", day]
    if reason:
        words += ["--reason", reason]
    if account:
        words += ["--account", account]
    return shlex.join(words)


def flagged_of(flagged: Mapping[str, int], *, day: str, account: str) -> Iterator[Flagged]:
    """Yield the flags of a day's recordings; ``account`` is empty where none has to be named."""
    for flag, recordings in flagged.items():
        words = ["callvault", "find", "--flag", flag, "--from", day, "--to", day]
        words += ["--account", account] if account else []
        yield Flagged(
            flag=flag,
            recordings=recordings,
            meaning=flag_meaning(flag),
            command=shlex.join(words),
            damage=flag in DAMAGES,
        )
