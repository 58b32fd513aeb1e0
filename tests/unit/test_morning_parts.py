"""What a report is put together from: effort, remedies, and the parts of several accounts."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from archive.accounts import Account
from archive.call import State
from archive.catalog.balance import Balance
from archive.catalog.tallies import HourCount
from archive.morning.compose import Now, compose, fewer_shares
from archive.morning.effort import work_of, written_by_day
from archive.morning.facts import Counts, Reason, Share
from archive.morning.remedies import MISSING, command_for, reasons_of
from archive.reasons import MEANINGS
from tests.unit.mornings import DAY, a_morning, a_part
from tests.unit.terminal import TWO_ACCOUNTS, Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.books import Books

BEGIN = datetime(2026, 2, 9, 18, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def count(hour: int, name: str, label: str, amount: int, account: str = "main") -> HourCount:
    """Return what was counted in an hour of the day."""
    return HourCount(BEGIN + hour * HOUR, account, name, label, amount)


def test_requests_are_counted_against_the_limit_of_the_busiest_account() -> None:
    """By outcome; of the accounts that are asked for and of the hours of the day alone."""
    work = work_of(
        [
            count(0, "requests", "answered", 500),
            count(0, "requests", "throttled", 2),
            count(1, "requests", "answered", 90, account="small"),
            count(1, "requests", "answered", 10_000, account="none of these"),
            count(30, "requests", "answered", 10_000),
            count(-1, "requests", "answered", 10_000),
            count(2, "download_failures", "fetch-gone", 3),
            count(3, "download_failures", "fetch-gone", 1),
            count(3, "limiter_wait_ms", "", 700),
        ],
        {"main": 200, "small": 10},
        BEGIN,
        BEGIN + 24 * HOUR,
    )
    assert work.requests == {"answered": 590, "throttled": 2}
    assert (work.busiest, work.limit) == (90, 600)
    assert work.troubles == {"fetch-gone": 4}
    assert work.waited_ms == 700
    nothing = work_of([], {"main": 200}, BEGIN, BEGIN + HOUR)
    assert (nothing.requests, nothing.busiest, nothing.limit) == ({}, 0, 12_000)


def test_bytes_are_those_of_the_zones_days() -> None:
    """18:00 UTC is 23:30 in Kolkata: the next hour is of the next day."""
    counted = [
        count(0, "recording_bytes", "", 5),
        count(1, "recording_bytes", "", 7),
        count(1, "recording_bytes", "", 7, account="other"),
        count(1, "recordings", "", 1),
    ]
    found = written_by_day(counted, ["main"], ZoneInfo("Asia/Kolkata"))
    assert found == {"2026-02-09": 5, "2026-02-10": 7}


def test_what_waits_is_helped_by_a_run() -> None:
    """Of all accounts at once, whatever it waits for."""
    told = command_for(State.EXPECTED, "not-ready", day=DAY, account="other")
    assert told == "callvault work --drain"


@pytest.mark.parametrize("state", [state for state in State if state is not State.EXPECTED])
def test_each_command_that_is_told_can_be_run(tmp_path: Path, books: Books, state: State) -> None:
    """Whatever the reason is called, and with the account where there are several."""
    assert books.balance().known == 0
    terminal = Terminal(tmp_path, TWO_ACCOUNTS)
    assert terminal.tells("status")["known"] == 0
    reason = "url-untrusted" if state is State.FAILED else "a rule's name; rm -rf"
    program, *words = shlex.split(command_for(state, reason, day=DAY, account="other"))
    assert program == "callvault"
    assert terminal.says(*words) in {"", "0 calls are to be looked at again\n"}


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("fetch-gone", f"callvault retry --lost --day {DAY} --reason fetch-gone"),
        ("call-out-of-history", f"callvault retry --lost --day {DAY} --reason call-out-of-history"),
        (
            "past-retention",
            f"callvault find --state lost --from {DAY} --to {DAY} --json --reason past-retention",
        ),
    ],
)
def test_what_is_lost_has_a_remedy_or_is_said_to_be_gone(reason: str, command: str) -> None:
    """Where the provider may yet have it, it is asked once more; else there is what to keep."""
    (told,) = reasons(State.LOST, reason)
    assert (told.command, "regulator" in told.remedy) == (command, True)
    assert ("nothing brings them back" in told.remedy) == (reason == "past-retention")


@pytest.mark.parametrize("state", MISSING)
@pytest.mark.parametrize("reason", ["", *MEANINGS, "of-a-newer-callvault"])
def test_all_that_is_missing_has_a_remedy_in_words(state: State, reason: str) -> None:
    """Whatever reason it has, or none."""
    (told,) = reasons(state, reason)
    assert told.remedy
    assert told.command


def reasons(state: State, reason: str) -> list[Reason]:
    """Return what is told of one call."""
    balance = Balance(
        known=1,
        states=dict.fromkeys(State, 0) | {state: 1},
        reasons={one: {} for one in State} | {state: {reason: 1} if reason else {}},
        proved=0,
        recordings=0,
        bytes=0,
        flagged={},
    )
    return list(reasons_of("main", balance, [state], day=DAY, named=False, first={}))


def test_a_day_on_which_clocks_are_changed_has_its_own_hours() -> None:
    """In Berlin the day lacks the hour from 2 to 3, and what came later is where it was."""
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 3, 29, tzinfo=zone)
    part = msgspec.structs.replace(
        a_part(),
        account=Account(name="main", sid="acme1", timezone="Europe/Berlin"),
        begin=begin,
        end=begin + timedelta(days=1),
        hours={2: Counts(calls=1, archived=1)},
    )
    now = Now(made_at=begin + timedelta(days=2), named=False, work=a_morning().work)
    hours = compose([part], "2026-03-29", now).hours
    assert len(hours) == 23
    assert [f"{hour.begin:%H:%M}" for hour in hours[:4]] == ["00:00", "01:00", "03:00", "04:00"]
    assert hours[2].counts.calls == 1


def test_accounts_are_added_up_and_told_apart() -> None:
    """The balance is of both, and each command names whose calls it is for."""
    other = msgspec.structs.replace(a_part(), account=Account(name="other", sid="acme2"))
    now = Now(made_at=BEGIN + 30 * HOUR, named=True, work=a_morning().work)
    morning = compose([a_part(), other], DAY, now)
    assert morning.counts.calls == 200
    assert [(share.name, share.counts.calls) for share in morning.accounts] == [
        ("main", 100),
        ("other", 100),
    ]
    commands = [one.command for one in morning.missing if one.state is not State.EXPECTED]
    assert commands
    assert all("--account main" in command or "--account other" in command for command in commands)
    assert sum(share.counts.calls for share in morning.exophones) == 200
    assert morning.before is not None
    assert morning.before.recordings == 2 * 78


def test_others_stand_for_all_that_are_not_named() -> None:
    """Unless they would stand for one alone, which is named instead."""
    shares = [
        Share(account="main", name=str(n), counts=Counts(calls=n, lost=n)) for n in (9, 5, 3, 1)
    ]
    assert fewer_shares(shares, 3) == tuple(shares)
    few = fewer_shares(shares, 2)
    assert [share.name for share in few] == ["9", "5", "others"]
    assert few[-1].counts == Counts(calls=4, lost=4)
