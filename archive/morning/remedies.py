"""Why calls have no recording here, what that means, and the command that helps: pure functions."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from archive.call import State
from archive.flags import DAMAGES, flag_meaning
from archive.morning.facts import Flagged, Reason
from archive.reasons import Meaning, meaning_of
from archive.verdicts import Symptom

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
_IN_WORK: Final = "a worker holds them; one that died loses them to another within minutes"
_FOR_THE_REGULATOR: Final = (
    "nothing brings them back; keep this list, and what callvault explain SID tells of each, "
    "for the regulator"
)
_LOST: Final = {
    Symptom.FETCH_GONE.value: (
        "ask the provider once more, and its support where that is in vain; what stays lost is "
        "gone: keep what callvault explain SID tells of each for the regulator"
    ),
    Symptom.CALL_OUT_OF_HISTORY.value: (
        "take in an export of that time that has the recordings' URLs (callvault enqueue cdr FILE),"
        " then look once more; without one they are gone: keep what callvault explain SID tells of "
        "each for the regulator"
    ),
}
"""What is lost and may yet be found, and what to do for that; nothing helps with all else."""
_ONCE_MORE: Final = (
    "such troubles pass: have them tried once more; if that fails as well, callvault explain SID "
    "tells of each try, for the provider's support"
)


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
    meaning = meaning_of(reason) if reason else Meaning(_NOTHING_YET.get(state, ""))
    return meaning.words, _remedy(state, reason, meaning.remedy)


def _remedy(state: State, reason: str, known: str) -> str:
    match state:
        case State.LOST:
            return _LOST.get(reason, f"{known}; {_FOR_THE_REGULATOR}".removeprefix("; "))
        case State.FAILED:
            return f"{known}; then have them tried once more" if known else _ONCE_MORE
        case State.EXPECTED:
            return known or _NEXT_RUN
        case State.LEASED:
            return _IN_WORK
    return known


def command_for(state: State, reason: str, *, day: str, account: str) -> str:
    """Return the command that helps: a run, a new try where one may help, else a list of the calls.

    That of what is lost for good has all that is known of each call.
    """
    if state is State.EXPECTED:
        return "callvault work --drain"
    words = ["callvault"]
    if state is State.FAILED or (state is State.LOST and reason in _LOST):
        words += ["retry", f"--{state.value}", "--day", day]
    else:
        words += ["find", "--state", state.value, "--from", day, "--to", day]
        words += ["--json"] if state is State.LOST else []
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
