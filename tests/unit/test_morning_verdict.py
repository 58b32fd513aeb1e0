"""What is said of a day: complete, incomplete or an alarm, and what should be known besides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from archive.morning.facts import (
    Counts,
    Flagged,
    Level,
    Margins,
    Note,
    Ran,
    Room,
    Sources,
    Unread,
    Verdict,
)
from archive.morning.usual import Oddity, former_days, oddity, usual_calls, usual_shares
from archive.morning.verdict import Held, Seen, Usual, judge
from archive.sources import Brought, Silence
from tests.unit.books import NOW

DAY = "2026-11-23"
GOOD = Seen(
    day=DAY,
    over=True,
    counts=Counts(calls=12_345, archived=9_871, without=2_474),
    recordings=9_871,
    faults=(),
    usual=(Usual("main", Counts(calls=12_345), [12_000] * 4),),
    flagged=(),
    undated=0,
    sources=(),
    margins=Margins(hours=None, bars=(), due=(), past=0, at_risk=()),
    held=(),
    troubles=(),
    runs=(),
    room=Room(free=10**12, min_free=10**9, days_left=300.0),
)
NONE = Counts()


def told(**changed: Any) -> Verdict:  # noqa: ANN401 - fields of every type
    """Judge a good day with something changed."""
    return judge(msgspec.structs.replace(GOOD, **changed))


# --- What is usual --------------------------------------------------------------------------------


def test_a_day_is_compared_with_the_same_weekday() -> None:
    """Of the four weeks before, as far as calls were known then at all."""
    expected = ["2026-11-16", "2026-11-09", "2026-11-02", "2026-10-26"]
    assert expected == former_days(DAY)
    calls = {"2026-11-16": 7, "2026-11-09": 5, "2026-11-22": 99}
    assert usual_calls(DAY, calls, "2026-11-01") == [7, 5, 0]
    assert usual_calls(DAY, calls, "2026-11-10") == [7]
    assert usual_calls(DAY, calls, "") == []


@pytest.mark.parametrize(
    ("calls", "usual", "expected"),
    [
        (0, [3, 2, 4, 1], Oddity.NONE),
        (0, [500, 480, 0, 510], Oddity.NONE),  # a holiday among them hides nothing
        (0, [0, 3, 2, 4], None),  # there have been such days, and few calls on the others
        (0, [0, 0, 0, 0], None),
        (0, [500], None),  # one week tells nothing
        (0, [], None),
        (160, [500, 480, 490, 510], Oddity.FEW),
        (170, [500, 480, 490, 510], None),
        (1, [12, 14, 10, 15], None),  # chance alone may explain it
        (9_000, [500, 480, 490, 510], None),
    ],
)
def test_a_number_of_calls_is_odd(calls: int, usual: list[int], expected: Oddity | None) -> None:
    """None where there always are some, and few where there are many."""
    assert expected is oddity(calls, usual)


# --- The sentence ---------------------------------------------------------------------------------


def test_a_good_day_is_complete_in_one_sentence() -> None:
    """And nothing else is said."""
    expected = Verdict(
        level=Level.COMPLETE,
        sentence="Complete: 12,345 of 12,345 calls of 23 November settled; "
        "9,871 recordings, all proved",
        notes=(),
    )
    assert expected == told()
    assert told().is_clean


@pytest.mark.parametrize(
    ("counts", "ends"),
    [
        (
            Counts(calls=9, archived=2, without=1, waiting=3, lost=1, failed=2),
            "6 of 9 calls of 23 November settled; 1 lost, 2 failed, 3 still waiting",
        ),
        (Counts(calls=1, waiting=1), "0 of 1 call of 23 November settled; 1 still waiting"),
        (Counts(calls=2, archived=1, lost=1), "2 of 2 calls of 23 November settled; 1 lost"),
    ],
)
def test_what_is_missing_makes_a_day_incomplete(counts: Counts, ends: str) -> None:
    """Lost, failed and waiting calls, each with its number."""
    found = told(counts=counts)
    assert (found.level, f"INCOMPLETE: {ends}") == (Level.INCOMPLETE, found.sentence)


def test_a_day_without_calls_where_there_always_are_some_is_an_alarm() -> None:
    """Unless it was a holiday, which only a person knows; where none are usual all is well."""
    found = told(
        counts=NONE, recordings=0, usual=(Usual("main", Counts(calls=0), [80, 70, 90, 60]),)
    )
    assert found.level is Level.ALARM
    expected = (
        "ALARM: no calls of 23 November are known, where 75 are usual (unless it was a holiday)"
    )
    assert expected == found.sentence
    assert found.notes[0].command == "callvault reconcile --from 2026-11-23 --to 2026-11-23"
    quiet = told(counts=NONE, recordings=0, usual=(Usual("main", Counts(calls=0), [0, 0, 0, 0]),))
    assert quiet.sentence == "Complete: no calls of 23 November are known, and none are usual"


def test_an_account_without_calls_is_not_hidden_by_another() -> None:
    """Each is compared with its own past, and the command names it."""
    found = told(usual=(*GOOD.usual, Usual("other", Counts(calls=0), [30, 31, 30, 29])))
    assert found.level is Level.ALARM
    assert "no calls of other of 23 November" in found.sentence
    assert found.notes[0].command.endswith("--account other")


def test_a_day_that_is_not_over_is_not_compared() -> None:
    """Its calls are still to come, and the sentence says so."""
    found = told(over=False, usual=(Usual("main", Counts(calls=0), [80, 70, 90, 60]),))
    assert found.level is Level.COMPLETE
    assert "23 November so far" in found.sentence


# --- What should be known besides -----------------------------------------------------------------


DAMAGED = Flagged(flag="cut", recordings=2, meaning="its end is missing", command="x", damage=True)
SHORT = Flagged(flag="shorter-than-call", recordings=1, meaning="m", command="y", damage=False)
SILENT = Sources(
    account="main",
    begin=NOW,
    end=NOW,
    brought=(Brought("webhook", 9, 0, (Silence(NOW, NOW, 38),)), Brought("listing", 9, 0, ())),
)


def ran(command: str, code: int | None) -> Ran:
    """Return a run of a command."""
    note = "2 are missing" if code else ""
    return Ran(host="a", command=command, began=NOW, ended=NOW, code=code, note=note)


def test_a_command_that_was_run_again_and_ended_well_is_over() -> None:
    """Its last run counts; one that goes on or was interrupted by a person is none."""
    again = (ran("verify", 6), ran("verify", 0), ran("poll", None), ran("adopt", 130))
    assert told(runs=again).is_clean


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"usual": (Usual("main", Counts(calls=30), [100, 110, 90, 120]),)},
            "only 30 calls of 23 November",
        ),
        ({"flagged": (DAMAGED, SHORT)}, "2 recordings flagged cut: its end is missing"),
        ({"undated": 3}, "3 calls of unknown date still to be looked at"),
        ({"sources": (SILENT,)}, "webhook of main was silent while 38 calls ended"),
        ({"troubles": ("queue on a since b: it is away",)}, "it is away"),
        ({"held": (Held("all", "operator (x)", fatal=True, meant=True),)}, "work is paused: all"),
        ({"held": (Held("account:main", "api (x)", fatal=False, meant=False),)}, "work is paused"),
        ({"runs": (ran("adopt", 6), ran("report", 0))}, "adopt on a ended with 6: 2 are missing"),
        ({"room": Room(free=10**12, min_free=0, days_left=3.4)}, "full in 3 days"),
    ],
)
def test_what_should_be_known_is_no_alarm(changed: dict[str, Any], words: str) -> None:
    """The day is complete all the same, and one note tells; it is no clean day."""
    found = told(**changed)
    assert found.level is Level.COMPLETE
    assert not found.is_clean
    (note,) = found.notes
    assert words in note.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"faults": ("1 has no state",)}, "the books do not balance: 1 has no state"),
        ({"margins": msgspec.structs.replace(GOOD.margins, at_risk=("main: 9",))}, "main: 9"),
        ({"held": (Held("all", "disk-full (x)", fatal=True, meant=False),)}, "work is paused: all"),
        ({"room": Room(free=5, min_free=9, days_left=0.0)}, "less room than min_free"),
    ],
)
def test_what_cannot_wait_is_an_alarm(changed: dict[str, Any], words: str) -> None:
    """It is the sentence itself, before anything that is only missing."""
    found = told(counts=Counts(calls=2, archived=1, lost=1), undated=1, **changed)
    assert found.level is Level.ALARM
    assert found.sentence.startswith("ALARM: ")
    assert words in found.sentence
    assert [note.alarm for note in found.notes] == [True, False]
    assert isinstance(found.notes[1], Note)


def test_a_day_whose_listing_was_not_read_is_not_complete() -> None:
    """However well what is known of it stands: there may be calls that nobody has told of."""
    zone = ZoneInfo("Asia/Kolkata")
    night = datetime(2026, 11, 23, 3, 40, tzinfo=zone)
    end = datetime(2026, 11, 23, 23, 59, 59, tzinfo=zone)
    unread = msgspec.structs.replace(SILENT, brought=(), unread=(Unread(night, end),))
    verdict = told(sources=(unread,))
    assert verdict.level is Level.INCOMPLETE
    assert verdict.sentence.startswith(
        "INCOMPLETE: the provider's listing of 23 November was not read whole; 12,345 of "
    )
    (note,) = verdict.notes
    assert "was not read from 03:40 to 24:00" in note.text
    assert note.command == f"callvault enqueue range --from {DAY} --to {DAY}"
    nothing = told(sources=(unread,), counts=NONE, recordings=0, usual=())
    assert nothing.level is Level.INCOMPLETE
    assert "0 of 0 calls" in nothing.sentence


def test_of_many_times_that_were_not_read_a_few_are_named() -> None:
    """And how many more there are."""
    start = datetime(2026, 11, 23, tzinfo=UTC)
    hour = timedelta(hours=1)
    parts = tuple(Unread(start + n * hour, start + n * hour + hour / 2) for n in range(5))
    (note,) = told(sources=(msgspec.structs.replace(SILENT, brought=(), unread=parts),)).notes
    assert "00:00 to 00:30, 01:00 to 01:30, 02:00 to 02:30, 2 times more" in note.text


def test_files_that_verify_misses_are_an_alarm() -> None:
    """Whatever the catalog says: not everything is here, intact."""
    verdict = told(runs=(ran("verify", 6),))
    assert verdict.level is Level.ALARM
    (note,) = verdict.notes
    assert note.text == "files of the archive on a are missing or damaged: 2 are missing"
    assert note.command == "callvault verify --repair"
    assert told(runs=(ran("verify", 6), ran("verify", 0))).is_clean


def test_a_day_on_which_little_was_recorded_is_an_alarm() -> None:
    """Where it is switched off by mistake, each day of it is lost for ever."""
    usual = [0.75, 0.7, 0.8, 0.74, 0.76]
    bare = Usual("main", Counts(calls=200, archived=24, without=176), [200] * 4, usual)
    verdict = told(usual=(bare,))
    assert verdict.level is Level.ALARM
    assert "only 12% of the calls have a recording, where 75% are usual" in verdict.sentence
    assert verdict.notes[0].command.endswith("--state absent")
    waits = msgspec.structs.replace(bare, counts=Counts(calls=200, archived=24, waiting=120))
    fewer = msgspec.structs.replace(bare, counts=Counts(calls=200, archived=76, without=124))
    young = msgspec.structs.replace(bare, shares=usual[:4])
    for well in (waits, fewer, young):
        assert told(usual=(well,)).is_clean
    assert told(usual=(bare,), over=False).is_clean


def test_the_usual_share_is_that_of_a_fortnight() -> None:
    """Days of a few calls say nothing of it."""
    many, few = Counts(calls=40, archived=30, without=10), Counts(calls=3, without=3)
    days = {"2026-11-22": many, "2026-11-21": few, "2026-11-09": many, "2026-11-08": many}
    assert usual_shares(DAY, {**days, DAY: few}) == [0.75, 0.75]
