"""How long a recording is kept by rules, and what a changed setting corrects."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from archive.call import CallFacts
from archive.catalog import work
from archive.catalog.forecast import correct, corrections
from archive.clock import from_ms
from archive.retention import Kept, kept_for
from tests.unit.books import ACCOUNT, NOW, SIDS, called

if TYPE_CHECKING:
    from tests.unit.books import Books

CHANGED = (
    Kept(days=365, exophone=("08047*",)),
    Kept(days=30, until=date(2026, 2, 9)),
    Kept(days=60, since=date(2026, 2, 10), until=date(2026, 2, 20)),
)
VARIED = msgspec.structs.replace(ACCOUNT, retention_days=90, retention=CHANGED)


@pytest.mark.parametrize(
    ("exophone", "began", "days"),
    [
        ("08047112233", datetime(2026, 1, 1, tzinfo=UTC), 365),
        ("0801", datetime(2026, 1, 1, tzinfo=UTC), 30),
        ("0801", datetime(2026, 2, 9, 18, 29, tzinfo=UTC), 30),
        ("0801", datetime(2026, 2, 9, 18, 31, tzinfo=UTC), 60),
        ("0801", datetime(2026, 2, 20, 18, 29, tzinfo=UTC), 60),
        ("0801", datetime(2026, 2, 20, 18, 31, tzinfo=UTC), 90),
        ("", datetime(2026, 2, 21, tzinfo=UTC), 90),
        ("", datetime(2026, 1, 1, tzinfo=UTC), 30),
        ("0801", None, 30),
    ],
)
def test_the_first_rule_that_matches_says_for_how_long(
    exophone: str, began: datetime | None, days: int
) -> None:
    """Dates are the account's own, both included; of what nobody knows, the shortest counts."""
    facts = CallFacts(sid="abcdef", started_at=began, exophone=exophone)
    assert kept_for(facts, VARIED) == timedelta(days=days)
    assert kept_for(facts, ACCOUNT) == timedelta(days=30)


def test_a_corrected_setting_counts_for_calls_that_wait(books: Books) -> None:
    """Only those that it puts on another day are changed, and settled ones stay as they are."""
    began = NOW - timedelta(days=2)
    books.add(
        called(SIDS[0], started_at=began, exophone="08047112233"),
        called(SIDS[1], started_at=began, exophone="0801"),
        called(SIDS[2], started_at=began, exophone="08047112233"),
        CallFacts(sid=SIDS[3]),
    )
    unknown = books.row(SIDS[3])["delete_by_ms"]
    books.sql("UPDATE calls SET state = 'lost' WHERE sid = ?", SIDS[2])

    def settle(account: object = VARIED) -> int:
        assert account in {VARIED, ACCOUNT}
        chosen = VARIED if account is VARIED else ACCOUNT
        with books.database.write() as tx:
            return sum(correct(tx, one) for one in corrections(tx, chosen))

    assert settle(ACCOUNT) == 0
    assert settle() == 1
    assert settle() == 0
    kept = [from_ms(books.row(sid)["delete_by_ms"]) - began for sid in SIDS[:3]]
    assert kept == [timedelta(days=days) for days in (365, 30, 30)]
    assert unknown == books.row(SIDS[3])["delete_by_ms"]
    assert settle(ACCOUNT) == 1


def test_the_newest_calls_are_found_whatever_their_retention(books: Books) -> None:
    """Of each retention what began within the last day; an old one that is kept long is not new."""
    ages = {SIDS[0]: ("08047112233", 0.5), SIDS[1]: ("0801", 0.5), SIDS[2]: ("08047112233", 300.0)}
    for sid, (exophone, age) in ages.items():
        began = NOW - timedelta(days=age)
        call = called(sid, started_at=began, ended_at=began, exophone=exophone)
        books.add(call, account=VARIED)
    with books.database.read() as tx:
        found = work.due_lately(tx, VARIED, NOW, NOW - timedelta(days=1), 9)
    assert {SIDS[0], SIDS[1]} == {call.sid for call in found}
