"""What commands say of a catalog that is lost, unreadable or not there yet: never all is well."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from archive.clock import system_clock
from archive.errors import CatalogError, Exit, LostCatalogError, NoCatalogError
from archive.morning.facts import Level
from tests.unit.books import NOW, SIDS
from tests.unit.terminal import SETTINGS, Terminal
from tests.unit.vaulted import Vaulted, sound
from worker.morning.unreadable import unreadable
from worker.morning.writing import FORMS, parcel_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TODAY = f"{system_clock():%Y-%m-%d}"
LOOKING = [
    "status",
    "status --json",
    "status --watch --every 1s",
    "report",
    "report --day 2026-02-09 --check",
    "report --json --day unknown",
    "metrics",
    "find --state archived",
    f"explain {SIDS[0]}",
    "verify",
    "retry --failed",
    "resume",
    "purge --dry-run",
    "catalog check",
    "catalog backup",
    "catalog tidy",
]
WORKING = [
    "pause --why moving",
    f"enqueue sids {SIDS[0]}",
    f"enqueue range --from {TODAY} --to {TODAY}",
    "poll",
    f"reconcile --from {TODAY} --to {TODAY}",
    "work --drain",
    "web",
]
DAY = ("report", "--day", "2026-02-09")


@pytest.fixture
def lost(vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch) -> Vaulted:
    """An archive with a day of recordings, whose catalog is gone."""
    vaulted.archive(SIDS[0], sound(1))
    vaulted.write_days()
    vaulted.lose_catalog()
    vaulted.terminal = Terminal(vaulted.folder, f"{SETTINGS}[web]\nport = 0\n")
    for name in ("EXOTEL_API_KEY", "EXOTEL_API_TOKEN", "EXOTEL_WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "a-secret-that-protects-nothing")
    return vaulted


@pytest.mark.parametrize("words", [*LOOKING, *WORKING])
def test_no_command_is_content_with_a_lost_catalog(lost: Vaulted, words: str) -> None:
    """Each ends with 7 and says what to do, and none makes a new catalog."""
    error = lost.terminal.refuses(*words.split())
    assert isinstance(error, LostCatalogError)
    assert error.exit_code is Exit.FATAL
    assert "callvault rebuild" in error.hint
    assert not lost.catalog.exists()


@pytest.mark.parametrize("words", ["status", "report --day 2026-02-09 --check", "work --drain"])
def test_a_new_catalog_beside_the_archive_is_none(lost: Vaulted, words: str) -> None:
    """An older callvault began it; a rebuild takes its place, and all is well again."""
    lost.reopen()
    assert isinstance(lost.terminal.refuses(*words.split()), LostCatalogError)
    lost.terminal.says("rebuild")
    assert lost.terminal.tells("status")["archived"] == 1


@pytest.mark.parametrize("words", [words for words in LOOKING if "verify" not in words])
def test_who_looks_on_a_new_machine_is_told_what_comes_first(tmp_path: Path, words: str) -> None:
    """And leaves it as new as it was."""
    error = Terminal(tmp_path).refuses(*words.split())
    assert isinstance(error, NoCatalogError)
    assert "callvault enqueue" in error.hint
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_metrics_tell_of_a_lost_catalog(lost: Vaulted) -> None:
    """In the file that node_exporter reads, as of one that cannot be read."""
    file = lost.folder / "callvault.prom"
    lost.terminal.refuses("metrics", "--textfile", str(file))
    assert "\ncallvault_catalog_up 0.0\n" in file.read_text()


def test_doctor_tells_of_a_lost_catalog(lost: Vaulted) -> None:
    """As of a check that failed, by which nothing is archived."""
    result = lost.terminal.run("doctor", "--offline", "--json")
    (line,) = [one for one in json.loads(result.stdout) if one["check"] == "catalog"]
    assert (line["result"], line["fatal"]) == ("failed", True)
    assert "is lost" in line["said"]
    assert "callvault rebuild" in line["do"]
    assert result.return_value == Exit.FATAL


# --- The report -----------------------------------------------------------------------------------


def damaged(catalog: Path) -> str:
    """Put something else into its place; no other URL is needed."""
    catalog.write_bytes(b"no catalog at all" * 1_000)
    return ""


def newer(catalog: Path) -> str:
    """Have it made by a callvault that is to come."""
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("PRAGMA user_version = 999")
    return ""


def in_the_way(catalog: Path) -> str:
    """Put a folder into its place."""
    catalog.mkdir()
    return ""


def away(_: Path) -> str:
    """Have it on a server that is not there, and return its URL."""
    return "postgresql://127.0.0.1:1/callvault"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damaged, "not a database"),
        (newer, "newer than this program"),
        (in_the_way, "opening the catalog"),
        (away, "postgresql"),
    ],
)
def test_a_catalog_that_cannot_be_read_makes_a_report_as_well(
    tmp_path: Path, spoil: Callable[[Path], str], says: str
) -> None:
    """An alarm with the reason, in each form; the command still ends with 7."""
    (tmp_path / "state").mkdir()
    url = spoil(tmp_path / "state" / "catalog.db")
    terminal = Terminal(tmp_path, f'{SETTINGS}[catalog]\nurl = "{url}"\n' if url else SETTINGS)
    found: dict[str, Any] = {}
    for form in FORMS:
        result = terminal.run(*DAY, "--format", form)
        assert isinstance(result.exception, CatalogError)
        found[form] = result.stdout
    begins = "ALARM: nothing can be told of 9 February: "
    assert found["text"].startswith(begins)
    assert says in " ".join(found["text"].split())
    assert f"**{begins}" in found["markdown"]
    assert f'<p class="verdict alarm">{begins}' in found["html"]
    document = json.loads(found["json"])
    assert set(document) == {"day", "account", "morning", "sent"}
    verdict = document["morning"]["verdict"]
    assert (verdict["level"], verdict["notes"][0]["command"]) == ("alarm", "callvault doctor")
    assert says in verdict["sentence"]


def test_a_lost_catalog_takes_the_place_of_the_report(lost: Vaulted) -> None:
    """Nobody goes on to look at a page that was made while all was well."""
    page = lost.folder / "day.html"
    page.write_text("Complete")
    error = lost.terminal.refuses(*DAY, "--format", "html", "--output", str(page))
    assert isinstance(error, LostCatalogError)
    assert "the catalog is lost" in page.read_text()
    assert "Complete" not in page.read_text()


def test_what_is_sent_of_an_unreadable_catalog_is_a_failure() -> None:
    """For who is told of problems alone as well; it can be attached in each form."""
    error = CatalogError("reading the catalog <x>: it is\nbroken")
    told = unreadable(error, day="2026-02-09", made_at=NOW, timezone="Asia/Kolkata")
    parcel = parcel_of(told, FORMS[1:])
    assert told.verdict.level is Level.ALARM
    assert (parcel.is_problem, parcel.is_failure) == (True, True)
    assert parcel.headline.startswith("ALARM: ")
    assert parcel.headline.isprintable()
    assert len(parcel.attachments) == len(FORMS) - 1
    (page,) = [one.content for one in parcel.attachments if one.kind == "html"]
    assert "<x>" not in page


# --- A catalog that knows no call -----------------------------------------------------------------


def test_nothing_is_complete_before_a_call_is_known(vaulted: Vaulted) -> None:
    """It is said that none is known, to who checks the day as well; one call makes the difference.

    A call of another day does.
    """
    result = vaulted.terminal.run(*DAY, "--check")
    assert result.return_value == Exit.PERMANENT_LOSSES
    assert result.stdout.startswith("INCOMPLETE: no call of any day is known yet")
    assert "$ callvault poll" in result.stdout
    for words in ("status", "report"):
        assert "NO CALL IS KNOWN YET" in vaulted.terminal.says(words)
    vaulted.terminal.says("enqueue", "sids", SIDS[0])
    assert vaulted.terminal.says(*DAY, "--check").startswith("Complete: no calls of 9 February")
    for words in ("status", "report"):
        assert "NO CALL" not in vaulted.terminal.says(words)
