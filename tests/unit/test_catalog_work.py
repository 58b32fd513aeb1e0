"""Claiming and settling: each call is one batch's, and a late finisher changes nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts, State
from archive.catalog import work
from archive.catalog.database import open_database
from archive.catalog.story import put_back
from archive.clock import to_ms
from archive.verdicts import Absent, Again, Failed, Lost, Refresh
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, called, proved

if TYPE_CHECKING:
    from archive.catalog.work import Outcome
    from tests.unit.books import Books

HOUR = timedelta(hours=1)


def test_due_calls_come_in_the_order_of_their_deletion(books: Books) -> None:
    """Of one account, as many as asked for, without those that are not due or not expected."""
    ages = [3, 1, 5, 2, 4]
    for sid, age in zip(SIDS, ages, strict=False):
        began = NOW - timedelta(days=age)
        books.add(called(sid, started_at=began, ended_at=began))
    books.add(called(SIDS[5], started_at=NOW, ended_at=NOW + HOUR))
    books.add(called(SIDS[6]), account=OTHER)
    books.claim(SIDS[4])
    with books.database.read() as tx:
        first = work.due_by_deletion(tx, "main", NOW, 3)
        lately = work.due_lately(tx, ACCOUNT, NOW, NOW - timedelta(days=2, hours=12), 9)
    assert [SIDS[2], SIDS[0], SIDS[3]] == [call.sid for call in first]
    assert [SIDS[1], SIDS[3]] == [call.sid for call in lately]
    assert [call.month for call in first] == ["2026-02"] * 3


def test_a_claimed_call_comes_with_what_is_known_of_it(books: Books) -> None:
    """Its facts, its day of deletion and what it went through before."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.settle(SIDS[0], Again("t", after=HOUR, costs_try=True))
    books.claim(SIDS[0], lease="second")
    books.settle(SIDS[0], Refresh("r", after=HOUR), lease="second")
    (claimed,) = books.claim(SIDS[0], lease="third")
    expected = work.ClaimedCall(
        called(SIDS[0]), NOW + timedelta(days=29), 1, 1, 0, found=("t", "r")
    )
    assert expected == claimed


def test_a_claimed_call_tells_what_its_counted_looks_found(books: Books) -> None:
    """In order, from the first on; one that was given back has them still, one retried has none."""
    books.add(called(SIDS[0]))
    for turn, reason in enumerate(["r", "t", "r"]):
        books.claim(SIDS[0], lease=f"{turn}")
        books.settle(SIDS[0], Refresh(reason, after=HOUR), lease=f"{turn}")
    books.claim(SIDS[0], lease="given back")
    books.end("given back")
    (claimed,) = books.claim(SIDS[0], lease="failed")
    assert claimed.found == ("r", "t", "r")
    books.settle(SIDS[0], Failed("r"), lease="failed")
    with books.database.write() as tx:
        put_back(
            tx, accounts=["main"], states=[State.FAILED], reason=None, day=None, sids=None, now=NOW
        )
    (claimed,) = books.claim(SIDS[0], lease="retried")
    assert claimed.found == ()
    books.settle(SIDS[0], Again("late", after=HOUR, costs_try=True), lease="retried")
    (claimed,) = books.claim(SIDS[0], lease="last")
    assert claimed.found == ("late",)


def test_a_doubled_batch_takes_nothing(books: Books) -> None:
    """Nor does one for calls that are settled, unknown, or another account's."""
    books.add(called(SIDS[0]), called(SIDS[1]))
    books.add(called(SIDS[2]), account=OTHER)
    assert [SIDS[0]] == [call.facts.sid for call in books.claim(SIDS[0], SIDS[0])]
    books.claim(SIDS[1], lease="other")
    books.settle(SIDS[1], Absent("no-answer"), lease="other")
    assert books.claim(*SIDS, lease="doubled") == []
    with books.database.read() as tx:
        assert frozenset({"lease", "other", "doubled"}) == work.live_leases(tx)


def test_a_batch_is_in_work_before_it_claims(books: Books) -> None:
    """Its message is known as soon as it has begun, and told apart from those that claimed."""
    books.add(called(SIDS[0]))
    with books.database.write() as tx:
        work.begin_batch(tx, lease="begun", process="p", job_id="waiting", now=NOW)
    books.claim(SIDS[0], lease="claimed")
    with books.database.read() as tx:
        assert work.jobs_in_work(tx, claimed_only=False) == {"waiting", "job of claimed"}
        assert work.jobs_in_work(tx, claimed_only=True) == {"job of claimed"}
    books.end("claimed")
    with books.database.read() as tx:
        assert work.jobs_in_work(tx, claimed_only=False) == {"waiting"}


def test_of_many_that_claim_at_once_each_call_has_one(books: Books) -> None:
    """From several connections in several threads, none twice and none left."""
    many = [f"{index:032}" for index in range(40)]
    books.add(*map(called, many))
    together = threading.Barrier(4)

    def claimer(number: int) -> list[str]:
        database = open_database(books.where)
        taken = []
        together.wait(30)
        for start in range(0, 40, 5):
            with database.write() as tx:
                sids, lease = many[start : start + 7], f"{number}-{start}"
                work.begin_batch(tx, lease=lease, process="p", job_id="j", now=NOW)
                claimed = work.claim(tx, account="main", sids=sids, lease=lease)
            taken += [call.facts.sid for call in claimed]
        database.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [sid for sids in pool.map(claimer, range(4)) for sid in sids]
    assert many == sorted(taken)


@pytest.mark.parametrize(
    ("outcome", "state", "due", "counted"),
    [
        (Again("t", after=HOUR, costs_try=True), "expected", HOUR, "tries"),
        (Again("n", after=HOUR), "expected", HOUR, "looks"),
        (Again("l", after=HOUR, late_look=True), "expected", HOUR, "looks late_looks"),
        (Refresh("r", after=HOUR), "expected", HOUR, "refreshes"),
        (Absent("no-answer"), "absent", None, "looks"),
        (Lost("past-retention"), "lost", None, ""),
        (Failed("url-untrusted"), "failed", None, ""),
    ],
)
def test_each_outcome_is_written_with_its_reason_and_its_count(
    books: Books, outcome: Outcome, state: str, due: timedelta | None, counted: str
) -> None:
    """What is tried again is due later; what is settled has the time at which it was."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    assert books.settle(SIDS[0], outcome) == 1
    row = books.row(SIDS[0])
    assert (state, outcome.reason, None) == (row["state"], row["reason"], row["lease"])
    assert to_ms(NOW + (due or timedelta(0))) == row["due_ms"]
    assert (None if due else to_ms(NOW)) == row["settled_ms"]
    counts = {name: row[name] for name in ("tries", "refreshes", "looks", "late_looks")}
    assert {name: int(name in counted.split()) for name in counts} == counts


def test_a_late_finisher_settles_nothing(books: Books) -> None:
    """Its lease lapsed; neither the one who has the call now nor its outcome is disturbed."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    books.end()
    books.claim(SIDS[0], lease="next")
    assert books.settle(SIDS[0], Failed("late")) == 0
    assert (books.row(SIDS[0])["state"], books.row(SIDS[0])["lease"]) == ("leased", "next")
    books.settle(SIDS[0], Absent("no-answer"), lease="next")
    assert books.settle(SIDS[0], Failed("late"), lease="next") == 0
    assert books.row(SIDS[0])["state"] == "absent"


def test_a_late_finisher_leaves_no_recording(books: Books) -> None:
    """Of two proofs the one whose lease holds is kept, with its day; the other is as never made."""
    books.add(called(SIDS[0]), called(SIDS[1]))
    books.claim(SIDS[0])
    books.end()
    books.claim(SIDS[1], lease="next")
    late = proved(SIDS[0], folder="main/2026/02/08")
    assert books.archive(late) == []
    assert [SIDS[1]] == books.archive(late, proved(SIDS[1]), lease="next")
    assert [SIDS[1]] == [row["sid"] for row in books.sql("SELECT sid FROM recordings")]
    assert [row[0] for row in books.sql("SELECT folder FROM changed_days")] == ["main/2026/02/09"]
    states = [(books.row(sid)["state"], books.row(sid)["lease"]) for sid in SIDS[:2]]
    assert states == [("expected", None), ("archived", None)]


def test_a_batch_that_ends_gives_back_what_it_did_not_settle(books: Books) -> None:
    """As it was before: due at once, and no call has paid for it."""
    books.add(*map(called, SIDS[:3]))
    before = books.row(SIDS[1])
    books.claim(*SIDS[:3])
    books.settle(SIDS[0], Absent("no-answer"))
    assert books.end() == 2
    assert before == books.row(SIDS[1])
    assert books.sql("SELECT * FROM batches") == []
    assert books.end() == 0


def test_a_batch_that_is_put_off_comes_back_later(books: Books) -> None:
    """All that it held is due then, and no call has paid for it."""
    books.add(*map(called, SIDS[:2]))
    before = books.row(SIDS[0])
    books.claim(*SIDS[:2])
    with books.database.write() as tx:
        assert work.put_off(tx, lease="lease", until=NOW + HOUR) == 2
    assert {**before, "due_ms": to_ms(NOW + HOUR)} == books.row(SIDS[0])
    with books.database.read() as tx:
        assert work.due_by_deletion(tx, "main", NOW, 9) == []
        assert len(work.due_by_deletion(tx, "main", NOW + HOUR, 9)) == 2


def test_what_the_provider_says_replaces_what_an_export_said(books: Books) -> None:
    """But what it leaves blank is kept, and a lease that lapsed changes nothing."""
    books.add(called(SIDS[0], status="busy", exophone="0804"))
    (before,) = books.claim(SIDS[0])
    began = NOW - timedelta(days=3)
    said = CallFacts(sid=SIDS[0], started_at=began, status="completed", duration_s=9)
    for lease in ("lapsed", "lease"):
        with books.database.write() as tx:
            work.learn(tx, [said], lease=lease, account=ACCOUNT, now=NOW)
        if lease == "lapsed":
            assert books.row(SIDS[0])["status"] == "busy"
    books.end()
    (after,) = books.claim(SIDS[0], lease="next")
    expected = called(
        SIDS[0], started_at=began, status="completed", duration_s=9, exophone="0804",
        ended_at=before.facts.ended_at,
    )  # fmt: skip
    assert expected == after.facts
    assert NOW + timedelta(days=27) == after.delete_by
    assert books.row(SIDS[0])["day"] == "2026-02-07"


def test_an_answer_without_a_date_leaves_the_day_of_deletion(books: Books) -> None:
    """What an export said of it still holds: the call is not suddenly the oldest of all."""
    books.add(called(SIDS[0]))
    before = books.row(SIDS[0])
    books.claim(SIDS[0])
    said = CallFacts(sid=SIDS[0], ended_at=NOW, talk_s=7)
    with books.database.write() as tx:
        work.learn(tx, [said], lease="lease", account=ACCOUNT, now=NOW)
    after = books.row(SIDS[0])
    assert (before["delete_by_ms"], before["day"], before["began_ms"], 7) == (
        after["delete_by_ms"],
        after["day"],
        after["began_ms"],
        after["talk_s"],
    )


def test_a_recording_found_again_is_the_same_one(books: Books) -> None:
    """Its path is fixed once; the call is archived all the same."""
    books.add(called(SIDS[0]))
    for lease in ("lease", "next"):
        books.claim(SIDS[0], lease=lease)
        assert [SIDS[0]] == books.archive(proved(SIDS[0]), lease=lease)
        books.sql("UPDATE calls SET state = 'expected'")
    assert len(books.sql("SELECT * FROM recordings")) == 1


def test_what_is_of_the_archive_is_wanted(books: Books) -> None:
    """A call whose file is wrong is fetched again, though a rule would leave it out by now."""
    books.add(called(SIDS[0]))
    books.claim(SIDS[0])
    proof = proved(SIDS[0])
    books.archive(proof)
    with books.database.write() as tx:
        found = {"path": proof.path, "sha256": proof.sha256, "reason": "file-changed"}
        assert tx.run("put_in_line", account="main", sid=SIDS[0], now_ms=to_ms(NOW), **found) == 1
    books.claim(SIDS[0], lease="again")
    assert books.row(SIDS[0])["wanted"] == 1
