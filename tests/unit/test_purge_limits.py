"""What is not deleted by itself, and what is said of what cannot be deleted."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.accounts import Account
from archive.clock import system_clock, to_ms
from archive.errors import Exit
from archive.layout import MANIFEST, stem_of
from archive.purging import MARGIN, Horizon, doubt_of_clock, narrowed, too_many
from archive.retention import Kept
from tests.unit.aged import KEEPING, files, kept_files, names_in, purge, states, verify_finds
from tests.unit.books import NOW, SIDS
from tests.unit.terminal import SETTINGS, Terminal
from tests.unit.vaulted import DAY, sound

if TYPE_CHECKING:
    from tests.unit.vaulted import Vaulted

# --- Clocks and caps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "believed"),
    [
        (timedelta(0), True),
        (-timedelta(days=300), True),
        (timedelta(days=7), True),
        (timedelta(days=7, seconds=1), False),
        (timedelta(days=2200), False),
        (None, True),
    ],
)
def test_a_clock_is_believed_that_is_near_what_is_known(
    ahead: timedelta | None,
    believed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """One that is behind lets nothing go that was to stay; where nothing is known, nothing is."""
    doubt = doubt_of_clock(NOW + (ahead or timedelta(0)), None if ahead is None else NOW)
    assert believed == (doubt == "")
    assert believed or "2026-02-10 12:00 UTC" in doubt


@pytest.mark.parametrize(
    ("due", "recordings", "many"),
    [(100, 100, False), (101, 101, True), (200, 1000, False), (201, 1000, True), (0, 0, False)],
)
def test_a_night_purges_a_fifth_at_most(
    due: int,
    recordings: int,
    many: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Or a hundred: an archive of a few calls comes to an end as well."""
    assert many == bool(too_many(due, recordings))


def test_by_a_clock_that_is_not_believed_nothing_goes_by_itself(aged: Vaulted) -> None:
    """Both times and the way out are told, and the code is that of what a person has to mend."""
    aged.terminal = Terminal(aged.folder, f'{KEEPING}purge = "automatic"\n')
    aged.books.sql("UPDATE tallies SET hour_ms = ?", to_ms(NOW))
    for words in (("--dry-run",), ()):
        result = aged.terminal.run("catalog", "tidy", *words)
        assert result.return_value == Exit.FATAL
        assert "the newest that the catalog knows is of 2026-02-10 12:00 UTC" in result.stderr
        assert "callvault purge --dry-run" in result.stderr
        assert kept_files(*SIDS[:3]) == files(aged)
    told = json.loads(aged.terminal.run("catalog", "tidy", "--json").stdout)
    assert "the clock says" in told["why_not_purged"]


def test_by_hand_a_clock_that_is_not_believed_needs_a_word(aged: Vaulted) -> None:
    """A purge that was made by it does not vouch for it afterwards."""
    aged.books.sql("DELETE FROM tallies")
    assert "the clock says" in aged.terminal.run("purge", "--dry-run").stderr
    error = aged.terminal.refuses("purge", "--yes")
    assert "the clock says" in error.message
    assert "--clock-is-right" in error.hint
    aged.terminal.says("purge", "--yes", "--sid", SIDS[0], "--reason", "so")
    aged.terminal.refuses("purge", "--yes")
    assert states(aged) == ["purged", "archived", "archived"]
    assert purge(aged, "--yes", "--clock-is-right")["recordings"] == 1


def test_more_than_a_night_has_to_do_does_not_go_by_itself(aged: Vaulted) -> None:
    """What is too much is told; by hand it goes."""
    aged.terminal = Terminal(aged.folder, f'{KEEPING}purge = "automatic"\n')
    for number in range(101):
        aged.books.sql(
            "INSERT INTO recordings SELECT account, sid, ?, ?, sha256, bytes, format, channels, "
            "sample_rate, seconds, archived_ms, flag, root FROM recordings WHERE sid = ? LIMIT 1",
            f"x{number}",
            f"{DAY}/17/{stem_of(SIDS[0], number + 2)}.mp3",
            SIDS[0],
        )
    result = aged.terminal.run("catalog", "tidy")
    assert result.return_value == Exit.FATAL
    assert "103 of 104 recordings would go at once" in result.stderr
    assert states(aged) == ["archived"] * 3
    assert purge(aged, "--yes")["recordings"] == 103


# --- Deletion days --------------------------------------------------------------------------------


def test_the_later_deletion_day_counts(aged: Vaulted) -> None:
    """One that the settings tell now, or the one that was noted when the call became known."""
    kept = "retention_days = 36500\n"
    aged.terminal = Terminal(aged.folder, SETTINGS + kept + "[archive]\nkeep_days = 30\n")
    assert purge(aged, "--yes")["calls"] == 0
    aged.terminal = Terminal(
        aged.folder, SETTINGS + "retention_days = 2\n" + KEEPING[len(SETTINGS) :]
    )
    future = to_ms(system_clock() + timedelta(days=1))
    aged.books.sql("UPDATE calls SET delete_by_ms = ? WHERE sid = ?", future, SIDS[0])
    assert purge(aged, "--yes")["calls"] == 1
    assert states(aged) == ["archived", "purged", "archived"]


def test_what_is_kept_for_how_long_depends_on_day_and_exophone() -> None:
    """Where an ExoPhone is not known, the longest time that may hold counts."""
    limit = Horizon(NOW - timedelta(days=30), NOW - MARGIN)
    account = Account(
        name="main", sid="acme1", retention_days=10, retention=(Kept(days=90, exophone=("080*",)),)
    )

    def began_before(exophone: str) -> timedelta:
        return NOW - narrowed(limit, account, day="2025-10-01", exophone=exophone).began_before

    assert began_before("02240000000") == timedelta(days=30)
    assert began_before("08040000000") == timedelta(days=90) + MARGIN
    assert began_before("") == timedelta(days=90) + MARGIN


# --- What is left ---------------------------------------------------------------------------------


def test_a_file_that_came_back_goes_without_keep_days(aged: Vaulted) -> None:
    """`verify` knows it, --repair lets it go, and purge does what is left, and says so."""
    purge(aged, "--yes")
    aged.terminal = Terminal(aged.folder, SETTINGS)
    assert "keep_days is not set" in aged.terminal.refuses("purge").message
    path = aged.file(f"{DAY}/17/{SIDS[0]}.mp3")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(sound(0))
    result = aged.terminal.run("verify")
    assert "its recording was purged, and the file came back" in result.stdout
    result = aged.terminal.run("verify", "--repair")
    assert result.return_value == Exit.WORK_REMAINS
    assert "removed by: callvault purge" in result.stdout
    assert "files of 1 recording of former purges" in aged.terminal.says("purge", "--dry-run")
    assert path.exists()
    result = aged.terminal.run("purge")
    assert result.return_value == 0
    assert "nothing goes by its age" in result.stderr
    assert result.stdout == "1 file of calls that were purged before, removed\n"
    assert not path.exists()
    assert verify_finds(aged) == []


@pytest.mark.parametrize("words", [("purge", "--yes"), ("catalog", "tidy")])
def test_what_cannot_be_removed_is_named_with_its_cause(
    aged: Vaulted, words: tuple[str, ...]
) -> None:
    """In text and in JSON; and all the same that recording's other files go."""
    stuck = aged.file(f"{DAY}/17/{SIDS[0]}.mp3")
    stuck.unlink()
    stuck.mkdir()
    purge(aged, "--yes", "--sid", SIDS[1], "--reason", "so")
    result = aged.terminal.run("purge", "--yes")
    assert result.return_value == Exit.WORK_REMAINS
    result = aged.terminal.run(*words)
    assert result.return_value == Exit.WORK_REMAINS
    assert f"  {DAY}/17/{SIDS[0]}.mp3: Is a directory" in result.stderr
    told = json.loads(aged.terminal.run(*words, "--json").stdout)
    assert told.get("purged", told)["stuck"] == [
        {"path": f"{DAY}/17/{SIDS[0]}.mp3", "cause": "Is a directory"}
    ]
    assert kept_files(SIDS[2]) == files(aged) - {stuck.name}


def test_an_empty_hour_goes_and_no_other_folder(aged: Vaulted) -> None:
    """The day keeps its lists."""
    purge(aged, "--yes", "--sid", SIDS[0], "--reason", "so")
    assert aged.file(f"{DAY}/17").is_dir()
    purge(aged, "--yes")
    assert names_in(aged, DAY) == [MANIFEST]


def test_one_is_told_as_one(aged: Vaulted) -> None:
    """Of recordings and calls."""
    said = aged.terminal.says("purge", "--yes", "--sid", SIDS[0], "--reason", "so")
    assert said.startswith("1 recording of 1 call, ")


def test_a_tidy_with_nothing_to_do_says_so(aged: Vaulted) -> None:
    """In a dry run."""
    aged.books.sql("DELETE FROM looks")
    said = aged.terminal.says("catalog", "tidy", "--dry-run")
    assert said == "nothing would go (dry run: nothing was changed)\n"
