"""Pauses: what holds work up, how often it was met, and when it is probed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.catalog import pauses
from archive.catalog.pauses import Paused
from tests.unit.books import NOW

if TYPE_CHECKING:
    from datetime import datetime

    from tests.unit.books import Books

SCOPE = pauses.account_scope("main")
MINUTE = timedelta(minutes=1)


def pause(books: Books, now: datetime, *, reason: str = "api-timeout", fatal: bool = False) -> None:
    """Hold an account up for a minute."""
    with books.database.write() as tx:
        pauses.pause(tx, SCOPE, reason=reason, detail="d", fatal=fatal, after=MINUTE, now=now)


def held(books: Books) -> list[Paused]:
    """Return all pauses."""
    with books.database.read() as tx:
        return pauses.pauses(tx)


def test_a_pause_says_why_and_when_it_is_probed(books: Books) -> None:
    """The first time it is met is its first strike."""
    pause(books, NOW)
    expected = ("account:main", "api-timeout", "d", False, 1)
    assert [Paused(*expected, NOW, NOW + MINUTE)] == held(books)


def test_the_same_trouble_of_other_batches_is_no_new_strike(books: Books) -> None:
    """They were under way when it began; after the probe's time it is one."""
    pause(books, NOW)
    pause(books, NOW + MINUTE / 2)
    (paused,) = held(books)
    assert (paused.strikes, paused.probe_at) == (1, NOW + 1.5 * MINUTE)
    for strike in (2, 3):
        pause(books, paused.probe_at, reason="api-unauthorised", fatal=True)
        (paused,) = held(books)
        assert (strike, NOW) == (paused.strikes, paused.since)
    assert (paused.reason, paused.fatal) == ("api-unauthorised", True)


def test_a_new_run_probes_at_once(books: Books) -> None:
    """Also what a former run gave up as fatal, or after many probes: it counts its own."""
    pause(books, NOW - 9 * MINUTE, fatal=True)
    pause(books, NOW, fatal=True)
    assert held(books)[0].strikes == 2
    with books.database.write() as tx:
        pauses.probe_all(tx, NOW)
    (paused,) = held(books)
    assert (paused.probe_at, paused.fatal, paused.strikes) == (NOW, False, 1)


def test_lifting_ends_one_pause_and_says_whether_there_was_one(books: Books) -> None:
    """The host's stays when the account's goes; a trouble that comes again starts anew."""
    pause(books, NOW)
    pause(books, NOW + 2 * MINUTE)
    host = pauses.host_scope("here")
    with books.database.write() as tx:
        pauses.pause(tx, host, reason="disk-full", detail="", fatal=True, after=MINUTE, now=NOW)
        assert pauses.lift(tx, SCOPE)
        assert not pauses.lift(tx, SCOPE)
    assert [paused.scope for paused in held(books)] == ["host:here"]
    pause(books, NOW)
    assert held(books)[0].strikes == 1


def test_what_a_person_holds_up_is_probed_by_nobody(books: Books) -> None:
    """A new run probes what is automatic, and leaves an operator's pause as it is."""
    pause(books, NOW)
    with books.database.write() as tx:
        pauses.pause_by_operator(tx, pauses.ALL, why="moving the disks", now=NOW)
        pauses.probe_all(tx, NOW + MINUTE)
    automatic, operator = held(books)
    assert (automatic.scope, automatic.probe_at) == (SCOPE, NOW + MINUTE)
    assert (operator.scope, operator.reason, operator.detail, operator.fatal) == (
        "all",
        "operator",
        "moving the disks",
        True,
    )
    assert operator.probe_at > NOW + timedelta(days=365_000)


def test_a_trouble_never_takes_the_place_of_a_persons_pause(books: Books) -> None:
    """Nor its time: else a probe would lift what nobody allowed to go on."""
    with books.database.write() as tx:
        pauses.pause_by_operator(tx, SCOPE, why="moving the disks", now=NOW)
    before = held(books)
    for fatal in (False, True):
        pause(books, NOW + MINUTE, reason="api-unauthorised", fatal=fatal)
    assert before == held(books)


def test_a_person_may_hold_up_what_is_paused_and_say_why_anew(books: Books) -> None:
    """The automatic pause becomes the person's, and the newer words stand."""
    pause(books, NOW)
    for why in ("moving the disks", "still moving them"):
        with books.database.write() as tx:
            pauses.pause_by_operator(tx, SCOPE, why=why, now=NOW)
        (paused,) = held(books)
        assert (paused.reason, why, True) == ("operator", paused.detail, paused.fatal)
    with books.database.write() as tx:
        assert pauses.lift(tx, SCOPE)
    assert held(books) == []


def test_a_probe_lifts_what_it_probed_and_nothing_that_took_its_place(books: Books) -> None:
    """A person may have paused the same scope while the probe was on its way."""
    pause(books, NOW)
    (probed,) = held(books)
    with books.database.write() as tx:
        pauses.pause_by_operator(tx, SCOPE, why="moving the disks", now=NOW)
        assert not pauses.lift_probed(tx, probed)
    assert [paused.reason for paused in held(books)] == ["operator"]
    with books.database.write() as tx:
        pauses.lift(tx, SCOPE)
    pause(books, NOW)
    with books.database.write() as tx:
        assert pauses.lift_probed(tx, probed)
    assert held(books) == []
