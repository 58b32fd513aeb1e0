"""How each alert comes about: a real catalog is brought into the state that it warns of.

The clock begins in 1970, where the one of ``promtool test rules`` does.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from archive.call import Source
from archive.catalog import pauses
from archive.clock import EPOCH
from archive.tallies import RECORDING_BYTES, SETTLED, Count
from tests.alerts.promql import Series
from tests.unit.books import SIDS, Books, called
from tests.unit.exposed import Exposed
from tests.unit.terminal import SETTINGS
from worker.metrics import SPOOL
from worker.timers import COMMANDS, Timed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.alerts.promql import Store

STEP: Final = 300
"""Seconds between two times at which metrics are asked for."""
AGAIN: Final = b"again"
"""Told instead of what is told now: what was told before."""
_START: Final = EPOCH
_DAY: Final = timedelta(days=1)


class Play(msgspec.Struct, frozen=True):
    """What happens at each step (its number is given), for so many of them.

    ``told`` may hold back what is told at a step: None is nothing at all.
    """

    act: Callable[[Exposed, int], None]
    steps: int
    told: Callable[[bytes | None, int], bytes | None] = lambda text, _: text


def perform(play: Play, folder: Path) -> Store:
    """Play it, and return what was told at each step."""
    books = Books(folder / "state" / "catalog.db")
    exposed = Exposed(folder, books, SETTINGS, _START)
    store: Store = {}
    last: bytes | None = None
    try:
        for step in range(play.steps):
            exposed.now = _START + timedelta(seconds=step * STEP)
            play.act(exposed, step)
            text = exposed.text()
            told = play.told(text, step)
            # What is told may be what was told before: a file that nobody writes anew.
            last = last if told == AGAIN else told
            for series, value in _samples(last or b""):
                store.setdefault(series, {})[step * STEP] = value
    finally:
        books.database.close()
    return store


def _samples(text: bytes) -> list[tuple[Series, float]]:
    return [
        (Series(sample.name, frozenset(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    ]


def of_installs(**told: Store) -> Store:
    """Return what a Prometheus has of several targets, each by its name."""
    return {
        Series(series.name, series.labels | {("instance", name)}): values
        for name, store in told.items()
        for series, values in store.items()
    }


def _at(first: int, act: Callable[[Exposed], object]) -> Callable[[Exposed, int], None]:
    """Do something once, at a step."""

    def once(exposed: Exposed, step: int) -> None:
        if step == first:
            act(exposed)

    return once


def _well(exposed: Exposed, step: int) -> None:
    """A worker beats, the sources are heard, calls come and are settled, and nights end well."""
    exposed.beat()
    exposed.hear(Source.LISTING)
    exposed.hear(Source.WEBHOOK)
    exposed.request("answered", 30)
    exposed.count(Count("main", SETTLED, "archived", 5))
    if step == 0:
        # Other timers have just been enabled; a run by hand went wrong some days ago.
        exposed.timers = tuple(_timed(part) for part in COMMANDS)
        exposed.run("run --from")
        exposed.run("work", 7, ago=timedelta(days=2))


def _timed(part: str, since: datetime = _START) -> Timed:
    return Timed(f"callvault-{part}.timer", COMMANDS[part][0], since)


def _enabled(exposed: Exposed) -> None:
    """Enable the nightly timer, a day ago."""
    exposed.timers = (_timed("nightly", _START - _DAY),)


def _one_night(exposed: Exposed) -> None:
    exposed.timers = (_timed("nightly", _START - 9 * _DAY),)
    exposed.run("run --from", ago=_DAY)


def _bad_nights(exposed: Exposed, step: int) -> None:
    if step == 0:
        _enabled(exposed)
        exposed.run("run --from", 7, ago=timedelta(hours=20))
    if step == 20:
        exposed.run("run --from", 7)


def _failing(command: str) -> Callable[[Exposed, int], None]:
    return _at(1, lambda exposed: exposed.run(command, 7))


def _failed_yesterday(exposed: Exposed) -> None:
    exposed.run("work", 7, ago=_DAY)


def _repeated(exposed: Exposed, step: int) -> None:
    if step in {1, 9}:
        exposed.run("verify", 7 if step == 1 else 0)


def _by_hand(exposed: Exposed) -> None:
    exposed.run("run --from", ago=_DAY)


def _call(exposed: Exposed, *, days_old: float = 0.01) -> None:
    """Make a call known that is due at once."""
    began = exposed.now - timedelta(days=days_old)
    facts = called(SIDS[0], started_at=began, ended_at=began)
    exposed.books.add(facts, now=exposed.now)


def _due(exposed: Exposed, step: int) -> None:
    """Make a call due that nobody looks at."""
    if step == 1:
        _call(exposed)


def _due_while_workers_beat(exposed: Exposed, step: int) -> None:
    exposed.beat()
    _due(exposed, step)


def _slowly(exposed: Exposed, step: int) -> None:
    """Make two calls due, of which one is settled again and again."""
    if step == 0:
        for sid in SIDS[:2]:
            exposed.books.add(called(sid, started_at=exposed.now), now=exposed.now)
    settled_ms = round(exposed.now.timestamp() * 1000)
    exposed.books.sql("UPDATE calls SET settled_ms = ? WHERE sid = ?", settled_ms, SIDS[1])


def _failed_long_ago(exposed: Exposed) -> None:
    exposed.run("work", 7, ago=2 * _DAY)


def _old_call(exposed: Exposed) -> None:
    """Make a call known whose recording is deleted within hours, where nobody works."""
    _call(exposed, days_old=29.5)


def _settled(state: str) -> Callable[[Exposed, int], None]:
    return _at(3, lambda exposed: exposed.count(Count("main", SETTLED, state, 1)))


def _by_person(exposed: Exposed) -> None:
    with exposed.books.database.write() as tx:
        pauses.pause_by_operator(tx, "all", why="moving disks", now=exposed.now)


def _disk(free: int) -> Callable[[Exposed, int], None]:
    def act(exposed: Exposed, step: int) -> None:
        exposed.free = free if step >= 1 else 10**13

    return act


def _fills_up(exposed: Exposed, step: int) -> None:
    exposed.free = 10**12
    if step == 1:
        # A first day alone tells no pace.
        exposed.count(Count("main", RECORDING_BYTES, "", 2 * 10**11), ago=timedelta(days=2))


def _spool(exposed: Exposed) -> None:
    folder = exposed.settings.queue.state / SPOOL
    folder.mkdir(parents=True)
    with (folder / f"{1:012}.jsonl").open("wb") as segment:
        segment.truncate(2 * 10**8)


def _break(exposed: Exposed) -> None:
    exposed.books.sql("ALTER TABLE calls RENAME TO elsewhere")


def _unbalance(exposed: Exposed) -> None:
    _call(exposed)
    exposed.books.sql("DELETE FROM sightings")


def _met(exposed: Exposed, step: int) -> None:
    if step >= 1:
        exposed.meet("queue")


def _quiet(_: Exposed, __: int) -> None:
    """Nothing happens."""


WELL: Final = Play(_well, 30)
PLAYS: Final = {
    "CallvaultNotArchiving": Play(_due_while_workers_beat, 12),
    "CallvaultNoWorkers": Play(_due, 10),
    "CallvaultAtRisk": Play(_at(1, _old_call), 6),
    "CallvaultDeletionNear": Play(_at(1, _old_call), 16),
    "CallvaultLost": Play(_settled("lost"), 6),
    "CallvaultFailed": Play(_settled("failed"), 6),
    "CallvaultPaused": Play(_at(1, lambda exposed: exposed.pause()), 6),
    "CallvaultPausedByPerson": Play(_at(1, _by_person), 76),
    "CallvaultTrouble": Play(_met, 6),
    "CallvaultBooksDoNotBalance": Play(_at(1, _unbalance), 4),
    "CallvaultDiskLow": Play(_disk(3 * 10**9), 6),
    "CallvaultStateDiskFull": Play(_disk(3 * 10**7), 6),
    "CallvaultDiskFillsUp": Play(_fills_up, 28),
    "CallvaultListingSilent": Play(_at(0, lambda exposed: exposed.hear(Source.LISTING)), 18),
    "CallvaultWebhookSilent": Play(_at(0, lambda exposed: exposed.hear(Source.WEBHOOK)), 150),
    "CallvaultThrottled": Play(lambda exposed, _: exposed.request("throttled", 9), 10),
    "CallvaultSpoolFilling": Play(_at(1, _spool), 6),
    "CallvaultCatalogUnreadable": Play(_at(1, _break), 5),
    "CallvaultMetricsOld": Play(_quiet, 12, lambda text, step: AGAIN if step > 1 else text),
    "CallvaultMetricsGone": Play(_quiet, 8, lambda text, step: None if step > 1 else text),
    "CallvaultTimerDidNotRun": Play(_at(0, _enabled), 30),
    "CallvaultRunFailed": Play(_at(1, lambda exposed: exposed.run("work", 6)), 10),
}
"""By the name of the alert that has to fire at the end, and not at the first step."""
MORE: Final = {
    "callbacks of which never one came": (
        "CallvaultWebhookSilent",
        Play(_at(0, lambda exposed: exposed.listen(Source.WEBHOOK)), 150),
    ),
    "a listing that was never read": (
        "CallvaultListingSilent",
        Play(_at(0, lambda exposed: exposed.listen(Source.LISTING)), 18),
    ),
    "a night that ran once and no more": ("CallvaultTimerDidNotRun", Play(_at(0, _one_night), 30)),
    "nights that all end badly": ("CallvaultTimerDidNotRun", Play(_bad_nights, 30)),
    "an import that failed": ("CallvaultRunFailed", Play(_failing("enqueue cdr"), 10)),
    "a report that was not sent": ("CallvaultRunFailed", Play(_failing("report"), 10)),
    "housekeeping that failed": ("CallvaultRunFailed", Play(_failing("catalog tidy"), 10)),
}
"""Further ways in which an alert fires."""
BESIDE: Final = "beside"
"""One install is ill, and one that is well stands beside it."""
APART: Final = "apart"
"""None of two installs is ill; what is read of both together would look so."""
_BOTH: Final = {
    "CallvaultNotArchiving": (Play(_slowly, 12), Play(_quiet, 12)),
    "CallvaultRunFailed": (
        Play(_at(0, _failed_long_ago), 12),
        Play(_at(0, lambda exposed: exposed.run("work")), 12),
    ),
}
INSTALLS: Final = (
    (BESIDE, "CallvaultNotArchiving"),
    (BESIDE, "CallvaultNoWorkers"),
    (BESIDE, "CallvaultMetricsGone"),
    (BESIDE, "CallvaultRunFailed"),
    *((APART, alert) for alert in _BOTH),
)
"""How two installs stand, and which alert that concerns."""
QUIET: Final = {
    "a drain by hand that is long over": Play(_at(0, _failed_yesterday), 30),
    "a run that was repeated and went well": Play(_repeated, 12),
    "a night by hand where no timer is": Play(_at(0, _by_hand), 30),
}
"""At the end of each, no alert about runs fires."""


def perform_two(kind: str, alert: str, folder: Path) -> tuple[Store, int]:
    """Let two installs play; return what is told of both, and at how many steps."""
    play = PLAYS[alert]
    one, other = (play, Play(_well, play.steps)) if kind == BESIDE else _BOTH[alert]
    told = {}
    for name, part in (("one", one), ("other", other)):
        (own := folder / name).mkdir()
        told[name] = perform(part, own)
    return of_installs(**told), one.steps
