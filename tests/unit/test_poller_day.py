"""A day of polling in pressed time: calls of up to four hours, a night without polls, a storm."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

import pytest

from archive.api import ApiTroubleError
from archive.call import CallFacts, Source
from archive.catalog import intake
from archive.catalog.hearings import hear
from archive.catalog.sources import sources_of
from archive.catalog.writer import Catalog
from archive.polling import Poll
from archive.readiness import Readiness
from archive.verdicts import Symptom
from archive.wire import CallAnswer, Page
from jobs.poller import Poller
from tests.unit.books import ACCOUNT, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from archive.api import Api
    from archive.catalog.database import Tx
    from archive.windows import Window

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
BEGIN: Final = NOW
STOPPED: Final = (NOW + 6 * HOUR, NOW + 12 * HOUR)
STORM: Final = (NOW + 14 * HOUR, NOW + 15 * HOUR)
END: Final = NOW + 24 * HOUR


def made_up(dice: random.Random) -> list[CallFacts]:
    """Return calls of all lengths that begin through the day, the later ones within it."""
    calls = []
    for index in range(300):
        created = BEGIN + dice.random() * 19 * HOUR
        seconds = dice.choice((30, 300, 1000, 1300, 4000, dice.randrange(14_400)))
        calls.append(
            CallFacts(
                sid=f"{index:032}",
                created_at=created,
                started_at=created,
                ended_at=created + timedelta(seconds=seconds),
                duration_s=seconds,
                status="completed",
            )
        )
    return sorted(calls, key=lambda call: str(call.created_at))


class Provider:
    """Lists what has ended by now, as the provider does; in the storm it has no answer."""

    account = ACCOUNT

    def __init__(self, calls: list[CallFacts]) -> None:
        self.calls = calls
        self.now = BEGIN

    async def listing(
        self, window: Window, *, longer_than: timedelta | None = None
    ) -> AsyncIterator[Page]:
        """Yield pages of ten."""
        if STORM[0] <= self.now < STORM[1]:
            raise ApiTroubleError(Symptom.API_TOO_MANY, "HTTP 429")
        least = (longer_than or timedelta(0)).total_seconds()
        found = [
            CallAnswer(call)
            for call in self.calls
            if call.created_at
            and call.ended_at
            and window.start <= call.created_at <= window.end
            and call.ended_at + 2 * MINUTE <= self.now
            and (call.duration_s or 0) >= least
        ]
        for begin in range(0, len(found) or 1, 10):
            yield Page(found[begin : begin + 10])


def told_by_webhook(tx: Tx, calls: list[CallFacts], now: datetime) -> None:
    """Take in what callbacks told."""
    readiness = Readiness()
    webhook = Source.WEBHOOK
    intake.add_calls(tx, calls, account=ACCOUNT, source=webhook, readiness=readiness, now=now)
    hear(tx, "main", webhook, now, now)


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_call_is_known_in_the_end_and_the_gaps_are_told(
    tmp_path: Path, seed: int
) -> None:
    """Polled every ten minutes but for six hours and a storm; callbacks tell of one call in two.

    Nothing is left for reconciliation, and the listing's silences are the two that there were.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up calls
    provider = Provider(made_up(dice))
    catalog = await Catalog.open(tmp_path / "catalog.db")
    poller = Poller(
        api=cast("Api", provider),
        catalog=catalog,
        poll=Poll(first=HOUR),
        readiness=Readiness(),
        clock=lambda: provider.now,
        dice=dice.random,
        host="here",
    )
    poller.rest_for(10 * MINUTE)
    silent = provider.calls[::2]
    while provider.now < END:
        before, provider.now = provider.now, provider.now + 10 * MINUTE
        ended = [
            call for call in silent if call.ended_at and before < call.ended_at <= provider.now
        ]
        await catalog.write(told_by_webhook, ended, provider.now)
        if not STOPPED[0] <= provider.now < STOPPED[1]:
            try:
                await poller.round()
            except ApiTroubleError:
                assert STORM[0] <= provider.now < STORM[1]
    known = await catalog.read(
        lambda tx: tx.connection.execute(
            "SELECT COUNT(*) FROM sightings WHERE source = 'listing'"
        ).fetchone()[0]
    )
    told = {one.source: one for one in await catalog.read(sources_of, ACCOUNT, BEGIN, END)}
    await catalog.close()

    assert known == len(provider.calls)
    assert told["listing"].alone == len(provider.calls) - told["webhook"].calls
    gaps = [(gap.since, gap.until) for gap in told["listing"].silences]
    assert gaps == [
        (STOPPED[0] - 10 * MINUTE, STOPPED[1]),
        (STORM[0] - 10 * MINUTE, STORM[1]),
    ]
    assert told["webhook"].silences == ()
