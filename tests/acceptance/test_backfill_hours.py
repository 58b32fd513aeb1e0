"""A backfill by the real command: outside of its hours only what cannot wait is fetched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

ZONE: Final = ZoneInfo("Asia/Kolkata")
DAY: Final = timedelta(days=1)
CALLS: Final = 80


def window(begins: timedelta, ends: timedelta) -> str:
    """Return hours by the account's clock, from now on reckoned."""
    now = datetime.now(ZONE)
    return f"{now + begins:%H:%M}-{now + ends:%H:%M}"


def test_outside_of_the_hours_only_what_cannot_wait_is_fetched(
    begin: Callable[..., Vault],
) -> None:
    """New calls and those near their deletion; a drain then ends with 5 and says when it goes on.

    In the hours it fetches the rest.
    """
    began = datetime.now(UTC) - 29 * DAY
    spread = ("--start", f"{began.astimezone(ZONE):%Y-%m-%dT%H:%M:%S}", "--span", "28d")
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "2000", *spread)
    vault.good("enqueue", "cdr", "calls.csv")
    one = {"processes": 1, "limit_rate": "10MiB"}
    hour = timedelta(hours=1)
    vault.configure(backfill={"hours": [window(3 * hour, 5 * hour)]}, worker=one)

    closed = vault.run("work", "--drain")

    opens = f"{datetime.now(ZONE) + 3 * hour:%Y-%m-%d}"
    closed.says(5, "calls wait for the backfill hours, from", opens)
    now_ms = datetime.now(UTC).timestamp() * 1000
    day_ms = DAY.total_seconds() * 1000
    waiting = vault.rows("SELECT sid, began_ms, delete_by_ms FROM calls WHERE state = 'expected'")
    assert 0 < len(waiting) < CALLS
    assert all(began_ms < now_ms - 2 * day_ms for _, began_ms, _ in waiting)
    assert all(delete_by_ms > now_ms + 2.9 * day_ms for *_, delete_by_ms in waiting)
    done = vault.rows("SELECT began_ms, delete_by_ms FROM calls WHERE state = 'archived'")
    assert any(delete_by_ms < now_ms + 3 * day_ms for _, delete_by_ms in done)
    assert any(began_ms > now_ms - 2 * day_ms for began_ms, _ in done)
    told = vault.status()["waiting_for_hours"]
    assert [(one["account"], one["calls"]) for one in told] == [("main", len(waiting))]
    assert "HOURS: " in vault.good("status").out
    assert "waits for the backfill hours" in vault.good("explain", waiting[0][0]).out

    vault.configure(backfill={"hours": [window(-hour, 3 * hour)]}, worker=one)
    opened = vault.run("work", "--drain")

    assert opened.code == 0
    assert vault.states().keys() <= {"archived", "absent"}
