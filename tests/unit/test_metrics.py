"""Metrics against their reference, docs/metrics.md, and against the catalog they are read from."""

from __future__ import annotations

import re
import stat
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from archive.call import Source
from archive.catalog.intake import Intake
from archive.catalog.writer import Catalog
from archive.errors import CatalogError, InputError
from archive.tallies import (
    CALLBACKS_TAKEN,
    DOWNLOAD_FAILURES,
    LIMITER_WAIT_MS,
    READINESS_S,
    READINESS_TOTAL_S,
    RECORDINGS,
    RETRIES,
    TALLIES,
    Count,
    Tallies,
)
from tests.unit.books import NOW, SIDS, called, proved
from tests.unit.exposed import Exposed
from tests.unit.terminal import SETTINGS, Terminal
from worker.commands.metrics import write_textfile
from worker.exposition import COUNTERS, GAUGES, READINESS, Disks, exposition
from worker.metrics import Metrics, read_once
from worker.timers import Timed

if TYPE_CHECKING:
    from tests.unit.books import Books

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
HOUR = timedelta(hours=1)


@pytest.fixture
def exposed(tmp_path: Path, books: Books) -> Exposed:
    """The metrics of a catalog."""
    return Exposed(tmp_path, books, SETTINGS)


def values(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return the samples: values by name and labels' values, in the order of their names."""
    return {
        (sample.name, tuple(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def told(exposed: Exposed) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return what is told of a catalog now."""
    return values(exposed.text())


def fill(exposed: Exposed) -> None:
    """Do something of each kind."""
    books = exposed.books
    books.add(*map(called, SIDS[:3]))
    books.claim(*SIDS[:1])
    books.archive(proved(SIDS[0]))
    exposed.beat()
    exposed.pause()
    exposed.meet("queue")
    exposed.hear(Source.WEBHOOK)
    exposed.now -= 24 * HOUR
    exposed.download(1000)
    exposed.now += 24 * HOUR
    exposed.run("work", 0)
    exposed.run("work", 6)
    exposed.count(
        Count("main", RETRIES, "fetch-timeout", 1),
        Count("main", DOWNLOAD_FAILURES, "fetch-timeout", 1),
        Count("main", READINESS_S, "90", 2),
        Count("main", READINESS_S, "+Inf", 1),
        Count("main", READINESS_TOTAL_S, "", 100_000),
        Count("", CALLBACKS_TAKEN, "new", 2),
        Count("main", LIMITER_WAIT_MS, "", 1_500),
    )
    exposed.now += HOUR


def test_each_metric_stands_in_the_reference_with_its_type_and_labels(exposed: Exposed) -> None:
    """And the reference names no other; each shows up where it has something to say."""
    fill(exposed)
    timer = Timed("callvault-verify.timer", "verify", NOW)
    text, _ = read_once(exposed.settings, exposed.clock, timers=lambda: (timer,))
    rows = re.findall(
        r"^\| `(callvault_\w+)` \| (\w+) \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE
    )
    expected = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        assert family.samples, family.name
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, {label for s in family.samples for label in s.labels} - {"le"})
    assert expected == found
    named = {*GAUGES, READINESS, *(f"{name}_total" for name in COUNTERS)}
    assert named == set(found)


def test_each_tally_is_a_metric() -> None:
    """None is counted in vain."""
    counted = {one.tally for one in COUNTERS.values()}
    assert set(TALLIES) == counted | {READINESS_S, READINESS_TOTAL_S}


def test_what_is_told_is_what_the_catalog_knows(exposed: Exposed) -> None:
    """Calls, what waits, who works, what holds up, and what was counted."""
    fill(exposed)
    found = told(exposed)
    expected = {
        ("callvault_calls", ("main", "archived")): 1,
        ("callvault_calls", ("main", "expected")): 2,
        ("callvault_due_calls", ("main",)): 2,
        ("callvault_last_settled_timestamp_seconds", ("main",)): NOW.timestamp(),
        ("callvault_paused", ("api-timeout", "account:main")): 1,
        ("callvault_workers", ("here",)): 0,
        ("callvault_worker_last_beat_timestamp_seconds", ("here",)): NOW.timestamp(),
        ("callvault_source_last_heard_timestamp_seconds", ("main", "webhook")): NOW.timestamp(),
        ("callvault_limiter_wait_seconds_total", ("main",)): 1.5,
        ("callvault_callbacks_taken_total", ("new",)): 2,
        ("callvault_requests_total", ("main", "throttled")): 0,
        ("callvault_settled_total", ("main", "lost")): 0,
        ("callvault_last_good_run_timestamp_seconds", ("work",)): NOW.timestamp(),
        ("callvault_books_balanced", ()): 1,
        ("callvault_catalog_up", ()): 1,
        ("callvault_readiness_seconds_bucket", ("main", "60")): 0,
        ("callvault_readiness_seconds_bucket", ("main", "90")): 2,
        ("callvault_readiness_seconds_bucket", ("main", "86400")): 2,
        ("callvault_readiness_seconds_bucket", ("main", "+Inf")): 3,
        ("callvault_readiness_seconds_count", ("main",)): 3,
        ("callvault_readiness_seconds_sum", ("main",)): 100_000,
    }
    assert expected == {key: found.get(key) for key in expected}
    assert ("callvault_trouble", ("here", "queue")) not in found
    exposed.beat()
    exposed.meet("queue")
    found = told(exposed)
    assert found["callvault_workers", ("here",)] == 1
    assert found["callvault_trouble", ("here", "queue")] == 1


def test_counters_outlive_processes_and_hours(exposed: Exposed) -> None:
    """A new reader, hours later, begins where the last one ended."""
    for total in (3, 6):
        exposed.count(Count("main", RECORDINGS, "", 3))
        exposed.now += 30 * HOUR
        assert told(exposed)["callvault_recordings_total", ("main",)] == total


def test_of_each_command_the_run_that_ended_last_is_told(exposed: Exposed) -> None:
    """With its exit code, and when one last went well; one that never did has no time."""
    for command, code in (("work", 0), ("work", 6), ("verify", 7)):
        exposed.run(command, code)
        exposed.now += HOUR
    found = told(exposed)
    stamp = "callvault_last_run_timestamp_seconds"
    good = "callvault_last_good_run_timestamp_seconds"
    assert found[stamp, ("work",)] == (NOW + HOUR).timestamp()
    assert found["callvault_last_run_exit_code", ("work",)] == 6
    assert found["callvault_last_run_exit_code", ("verify",)] == 7
    assert found[good, ("work",)] == NOW.timestamp()
    assert (good, ("verify",)) not in found


def test_a_timers_command_is_told_of_before_it_ever_ended_well(exposed: Exposed) -> None:
    """By when the timer was enabled; then by its good runs, and by none from before the timer."""
    name, night = "callvault_timer_last_good_timestamp_seconds", "callvault-nightly.timer"
    exposed.run("run --from", 0)
    exposed.timers = (Timed(night, "run --from", NOW + HOUR),)
    exposed.now += 2 * HOUR
    exposed.run("run --from", 7)
    exposed.run("verify", 0)
    found = {key: value for key, value in told(exposed).items() if key[0] == name}
    assert {(name, ("run --from", night)): (NOW + HOUR).timestamp()} == found
    exposed.run("run --from", 0)
    assert told(exposed)[name, ("run --from", night)] == (NOW + 2 * HOUR).timestamp()


def test_the_days_that_the_disk_lasts_follow_from_the_last_week() -> None:
    """Above what is to be left free; nothing is said where nothing came."""
    disks = Disks(free={"/a": 1_500}, root="/a", min_free=500, catalog=1, spool=0)
    found = values(exposition(None, disks, up=False, version="1"))
    assert found["callvault_disk_spare_bytes", ()] == 1_000
    assert not [key for key in found if key[0] == "callvault_disk_days_left"]


def test_an_archive_of_hours_has_no_pace_yet(exposed: Exposed) -> None:
    """What came within minutes is not what comes all day long."""
    exposed.download(10**10)
    exposed.now += 23 * HOUR
    assert ("callvault_disk_days_left", ()) not in told(exposed)


def test_a_young_archive_is_measured_by_the_days_that_it_has(exposed: Exposed) -> None:
    """Three days of 10 GB are 10 GB a day, and not a seventh of 30."""
    for _ in range(3):
        exposed.download(10**10)
        exposed.now += 24 * HOUR
    found = told(exposed)
    spare = found["callvault_disk_spare_bytes", ()]
    left = found["callvault_disk_days_left", ()]
    assert left == pytest.approx(spare / 10**10, rel=0.01)


async def test_a_catalog_that_cannot_be_read_is_told(exposed: Exposed) -> None:
    """What was read before stays; and what needs no catalog is there in any case."""
    catalog = await Catalog.open(exposed.settings.catalog.url)
    try:
        metrics = Metrics(exposed.reader(), catalog, exposed.clock, Tallies())
        metrics.count("main", "kept")
        metrics.taken(Intake(new=2, known=1))
        body, kind = await metrics.exposition()
        assert kind.startswith("text/plain")
        exposed.books.sql("ALTER TABLE calls RENAME TO x")
        metrics._next_s = 0
        again, _ = await metrics.exposition()
        await metrics.close()
    finally:
        await catalog.close()
    before, after = values(body), values(again)
    assert before["callvault_callbacks_total", ("main", "kept")] == 1
    assert before["callvault_callbacks_taken_total", ("new",)] == 2
    assert (before["callvault_catalog_up", ()], after["callvault_catalog_up", ()]) == (1, 0)
    assert after["callvault_callbacks_total", ("main", "kept")] == 1
    text, trouble = read_once(exposed.settings, exposed.clock)
    assert isinstance(trouble, CatalogError)
    assert values(text)["callvault_catalog_up", ()] == 0
    assert ("callvault_spool_bytes", ()) in values(text)


async def test_a_reading_is_used_again_for_a_while(exposed: Exposed) -> None:
    """Whoever asks how often."""
    catalog = await Catalog.open(exposed.settings.catalog.url)
    try:
        metrics = Metrics(exposed.reader(), catalog, exposed.clock, Tallies())
        await metrics.exposition()
        exposed.books.add(called(SIDS[0]))
        body, _ = await metrics.exposition()
        assert values(body)["callvault_calls", ("main", "expected")] == 0
        metrics._next_s = 0
        body, _ = await metrics.exposition()
        assert values(body)["callvault_calls", ("main", "expected")] == 1
        await metrics.close()
    finally:
        await catalog.close()


def test_the_command_prints_or_writes_a_file_for_all_to_read(
    tmp_path: Path, books: Books, terminal: Terminal
) -> None:
    """Whole, in the place of the last one, and nothing else is left there."""
    books.add(called(SIDS[0]))
    folder = tmp_path / "textfiles"
    folder.mkdir()
    file = folder / "callvault.prom"
    file.write_text("old")
    assert terminal.says("metrics", "--textfile", str(file)) == ""
    assert list(folder.iterdir()) == [file]
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    key = "callvault_calls", ("main", "expected")
    assert values(file.read_bytes())[key] == 1
    assert values(terminal.says("metrics").encode())[key] == 1


def test_a_catalog_that_cannot_be_read_is_written_down_too(
    tmp_path: Path, books: Books, terminal: Terminal
) -> None:
    """The file says so, and the command fails."""
    books.sql("ALTER TABLE calls RENAME TO x")
    file = tmp_path / "callvault.prom"
    assert isinstance(terminal.refuses("metrics", "--textfile", str(file)), CatalogError)
    assert values(file.read_bytes())["callvault_catalog_up", ()] == 0


@pytest.mark.parametrize(
    ("name", "words"), [("callvault.txt", "textfile collector"), ("no/callvault.prom", "writing")]
)
def test_a_file_that_would_not_be_collected_is_refused(
    tmp_path: Path, name: str, words: str
) -> None:
    """By its name, or since its folder is not there."""
    with pytest.raises(InputError, match=words):
        write_textfile(tmp_path / name, b"x")
    assert list(tmp_path.iterdir()) == []


def test_each_outcome_stands_in_the_reference() -> None:
    """Those that the web server counts."""
    code = (ROOT / "web" / "app.py").read_text()
    counted = re.findall(r'(?:HTTPStatus\.\w+, |count\(account, )"([a-z-]+)"\)', code)
    page = PAGE.read_text().partition("| outcome of a callback |")[2]
    assert set(counted) == set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
