"""How calls enter the catalog: each once, with every sighting, and nothing known forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from archive.call import CallFacts, Source
from archive.catalog.intake import Intake, count_calls
from archive.catalog.rows import facts_of
from archive.clock import to_ms
from archive.readiness import Readiness
from tests.unit.books import ACCOUNT, NOW, OTHER, SIDS, called

if TYPE_CHECKING:
    from tests.unit.books import Books

WHOLE = CallFacts(
    sid=SIDS[0],
    created_at=NOW - timedelta(days=1, seconds=2),
    started_at=NOW - timedelta(days=1),
    ended_at=NOW - timedelta(days=1) + timedelta(seconds=65),
    duration_s=65,
    talk_s=52,
    status="completed",
    leg2_status="completed",
    direction="inbound",
    from_number="+919812345678",
    to_number="0801",
    exophone="0804",
)
BLANK = CallFacts(sid=SIDS[0])
FIRST_LOOK = Readiness().first_look
FACTS = [name for name in CallFacts.__struct_fields__ if name != "sid"]


def test_a_call_is_new_once_and_known_from_then_on(books: Books) -> None:
    """Also where it comes twice in one file; another account's call of that Sid is another one."""
    assert Intake(new=2, known=1) == books.add(called(SIDS[0]), called(SIDS[1]), called(SIDS[0]))
    assert Intake(new=1, known=2) == books.add(*map(called, SIDS[:3]))
    assert Intake(new=1) == books.add(called(SIDS[0]), account=OTHER)
    assert books.balance().known == 4
    assert Intake() == books.add()


def test_a_date_that_lies_ahead_puts_a_call_behind_no_other(books: Books) -> None:
    """Whoever wrote it: when the recording is deleted is not known then."""
    ahead = NOW + timedelta(days=9_000)
    books.add(called(SIDS[0], started_at=ahead), called(SIDS[1], started_at=NOW))
    assert books.row(SIDS[0])["delete_by_ms"] == to_ms(NOW)
    assert books.row(SIDS[1])["delete_by_ms"] == to_ms(NOW + timedelta(days=30))


def test_counting_says_what_adding_would_do(books: Books) -> None:
    """And does nothing."""
    books.add(called(SIDS[0]))
    calls = [called(sid) for sid in (SIDS[0], SIDS[1], SIDS[1], SIDS[2])]
    with books.database.read() as tx:
        expected = count_calls(tx, [call.sid for call in calls], account=ACCOUNT)
    assert books.balance().known == 1
    assert expected == books.add(*calls)


def test_all_that_is_known_of_a_call_is_kept(books: Books) -> None:
    """Each fact comes back as it went in; unknown stays unknown."""
    books.add(WHOLE, CallFacts(sid=SIDS[1]))
    rows = books.sql("SELECT * FROM calls ORDER BY sid")
    assert [WHOLE, CallFacts(sid=SIDS[1])] == [facts_of(row) for row in rows]


def test_a_second_sighting_fills_all_blanks_of_a_bare_sid(books: Books) -> None:
    """Its day and the day of its deletion follow from the date that is known now."""
    books.add(BLANK)
    assert ("", to_ms(NOW)) == (books.row(SIDS[0])["day"], books.row(SIDS[0])["delete_by_ms"])
    books.add(WHOLE)
    row = books.row(SIDS[0])
    assert facts_of(row) == WHOLE  # type: ignore[arg-type]
    assert row["day"] == "2026-02-09"
    assert to_ms(NOW + timedelta(days=29)) == row["delete_by_ms"]


@pytest.mark.parametrize("field", FACTS)
def test_a_single_blank_is_filled_and_what_is_known_is_kept(books: Books, field: str) -> None:
    """The sighting that fills it contradicts all the rest, and changes nothing of that."""
    books.add(replace(WHOLE, **{field: getattr(BLANK, field)}))
    other: dict[str, Any] = {
        "created_at": NOW - timedelta(days=3),
        "started_at": NOW - timedelta(days=3),
        "ended_at": NOW - timedelta(days=3),
        "duration_s": 7,
        "talk_s": 7,
        "status": "busy",
        "leg2_status": "busy",
        "direction": "outbound-api",
        "from_number": "7",
        "to_number": "7",
        "exophone": "7",
    }
    before = books.row(SIDS[0])
    books.add(CallFacts(sid=SIDS[0], **{**other, field: getattr(WHOLE, field)}))
    after = books.row(SIDS[0])
    assert facts_of(after) == WHOLE  # type: ignore[arg-type]
    assert (before["day"], before["delete_by_ms"]) == (after["day"], after["delete_by_ms"])


def test_a_sighting_touches_no_state(books: Books) -> None:
    """A call in work stays in work and an archived one archived, whatever sees it again."""
    books.add(WHOLE, called(SIDS[1]))
    books.claim(SIDS[1])
    before = books.sql("SELECT state, lease, due_ms, tries FROM calls ORDER BY sid")
    books.add(BLANK, CallFacts(sid=SIDS[1]), source=Source.LISTING, now=NOW + timedelta(hours=1))
    assert before == books.sql("SELECT state, lease, due_ms, tries FROM calls ORDER BY sid")


def test_each_source_leaves_one_sighting(books: Books) -> None:
    """The first time it saw the call; seen by three it is still one call."""
    for hours, source in enumerate([Source.CDR, Source.CDR, Source.SIDS, Source.LISTING]):
        books.add(WHOLE, source=source, now=NOW + timedelta(hours=hours))
    seen = [tuple(row) for row in books.sql("SELECT source, seen_ms FROM sightings ORDER BY 2")]
    expected = [("cdr", 0), ("sids", 2), ("listing", 3)]
    assert [(name, to_ms(NOW + timedelta(hours=h))) for name, h in expected] == seen
    assert books.balance().known == 1


@pytest.mark.parametrize(
    ("facts", "due", "delete_by", "day"),
    [
        (BLANK, timedelta(0), timedelta(0), ""),
        (
            CallFacts(sid=SIDS[0], created_at=NOW),
            FIRST_LOOK,
            timedelta(days=30),
            "2026-02-10",
        ),
        (
            CallFacts(sid=SIDS[0], started_at=NOW, ended_at=NOW + timedelta(hours=7)),
            timedelta(hours=7) + FIRST_LOOK,
            timedelta(days=30),
            "2026-02-10",
        ),
    ],
)
def test_a_new_call_is_due_and_deleted_by_its_date(
    books: Books, facts: CallFacts, due: timedelta, delete_by: timedelta, day: str
) -> None:
    """One of unknown date may be the oldest of all: it is due at once, about to be deleted."""
    books.add(facts)
    row = books.row(SIDS[0])
    assert (to_ms(NOW + due), to_ms(NOW + delete_by), day) == (
        row["due_ms"],
        row["delete_by_ms"],
        row["day"],
    )


def test_of_a_call_that_is_told_twice_the_first_is_believed_and_the_second_fills_up(
    books: Books,
) -> None:
    """In one intake and in the next: whether it was new makes no difference."""
    for sid in (SIDS[0], SIDS[1]):
        facts = [
            called(sid, status="first", direction=""),
            called(sid, status="second", direction="inbound", from_number="1"),
            called(sid, status="third", direction="outbound", to_number="2"),
        ]
        if sid == SIDS[0]:
            taken = books.add(*facts)
            assert (taken.new, taken.known) == (1, 2)
        else:
            books.add(facts[0])
            assert books.add(*facts[1:]).known == 2
        row = books.row(sid)
        told = [row[name] for name in ("status", "direction", "from_number", "to_number")]
        assert told == ["first", "inbound", "1", "2"]
