"""How calls become known: bare Sids, the provider's listing, old calls, late and vanished ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

KEEPS_ALL = {"retention_days": 400}


def ago(days: int) -> str:
    """Write the time so many days ago as the provider's stand-in takes it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")


def old_calls(begin: Callable[..., Vault], *options: str) -> Vault:
    """Begin with calls that are spread over the last five months, all of them kept."""
    spread = ("--start", ago(150), "--span", "148d", "--retention-days", "400")
    vault = begin(*spread, "--mix", "clean", "--bytes", "4000", *options)
    vault.configure(account=KEEPS_ALL)
    return vault


def test_bare_sids_of_unknown_date_are_found_month_by_month(begin: Callable[..., Vault]) -> None:
    """Sids alone, given as arguments and on standard input, are found through five months.

    A hundred share a request for each month of the provider's history and for the last 31 days.
    """
    vault = old_calls(begin, "--calls", "90")
    assert vault.provider is not None
    sids = [call["sid"] for call in vault.provider.truth()]

    named = vault.good("enqueue", "sids", *sids[:40])
    piped = vault.good("enqueue", "sids", "-", stdin="\n".join(sids[30:]) + "\n")
    vault.good("work", "--drain")

    assert named.out == "40 Sids: 40 calls new, 0 already known, 0 rows rejected\n"
    assert piped.out == "60 Sids: 50 calls new, 10 already known, 0 rows rejected\n"
    assert_archive_is_true(vault)
    assert vault.provider.stats()["api_requests"] <= 8


def test_old_calls_of_an_export_are_archived(begin: Callable[..., Vault]) -> None:
    """Calls months back, which the listing shows only for a range of dates, are archived.

    Their months are resolved one by one: two requests each at most.
    """
    vault = old_calls(begin, "--calls", "120")
    assert vault.provider is not None

    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain")

    assert_archive_is_true(vault)
    assert vault.provider.stats()["api_requests"] <= 12


def test_a_range_of_months_is_listed_and_archived(begin: Callable[..., Vault]) -> None:
    """The listing is walked over months in windows that the provider allows; all is archived.

    A dry run before it counts the same and changes nothing; the range again adds nothing.
    """
    vault = old_calls(begin, "--calls", "250")
    assert vault.provider is not None
    ask = ("enqueue", "range", "--from", ago(160)[:10], "--to", "today")

    counted = vault.good(*ask, "--dry-run")
    left = (vault.folder / "state").exists()
    taken = vault.good(*ask)
    again = vault.good(*ask)
    vault.good("work", "--drain")

    expected = "250 calls listed: 250 calls new, 0 already known, 0 rows rejected"
    assert not left
    assert f"{expected} (dry run: nothing was changed)\n" == counted.out
    assert f"{expected}\n" == taken.out
    assert again.out == "250 calls listed: 0 calls new, 250 already known, 0 rows rejected\n"
    assert set(vault.provider.stats()["listing"]) == {"200"}
    assert_archive_is_true(vault)


def test_a_range_takes_only_what_lies_in_it(begin: Callable[..., Vault]) -> None:
    """Both ends are moments of the account's zone; calls before and after are not taken."""
    vault = old_calls(begin, "--calls", "60")
    assert vault.provider is not None
    starts = [call["started_at"][:19].replace("T", " ") for call in vault.provider.truth()]

    vault.good("enqueue", "range", "--from", starts[20], "--to", starts[39], "--json")

    sids = [call["sid"] for call in vault.provider.truth()]
    known = {sid for (sid,) in vault.rows("SELECT sid FROM calls")}
    assert set(sids[20:40]) == known


def test_a_dry_run_changes_nothing(begin: Callable[..., Vault]) -> None:
    """A dry run of an export and of Sids counts what would be new, and leaves no catalog behind."""
    vault = begin("--calls", "30")
    csv = (vault.folder / "calls.csv").read_text()
    (vault.folder / "twice.csv").write_text(csv + csv)

    read = vault.good("enqueue", "cdr", "--dry-run", "twice.csv")
    named = vault.good("enqueue", "sids", "-n", "abcdef1", "abcdef2", "--json")

    expected = "60 rows read: 30 calls new, 30 already known, 0 rows rejected"
    first, _, preflight = read.out.partition("\n")
    assert f"{expected} (dry run: nothing was changed)" == first
    assert "30  calls would be new" in preflight
    assert named.json == {"rows": 2, "new": 2, "known": 0, "rejected": 0}
    assert not (vault.folder / "state").exists()


def test_recordings_still_being_processed_are_looked_at_again(begin: Callable[..., Vault]) -> None:
    """Calls that ended a moment ago have no recording yet; a later look finds and archives it."""
    late = ("--late", "6", "--minute", "1.8", "--start", ago(1), "--span", "2h", "--seed", "late")
    vault = begin("--calls", "10", "--mix", "clean", "--ready", "realistic", *late)
    vault.configure(
        readiness={"first_look": "200ms", "window": "27s", "recheck": "1s", "give_up_after": "60s"}
    )
    assert vault.provider is not None

    vault.good("enqueue", "cdr", "calls.csv")
    begun = datetime.now(UTC)
    vault.good("work", "--drain")

    truth = assert_archive_is_true(vault)
    not_yet = [c["sid"] for c in truth if datetime.fromisoformat(c["ready_at"]) > begun]
    looks = dict(vault.rows("SELECT sid, looks FROM calls"))
    assert len(not_yet) >= 2
    assert max(looks[sid] for sid in not_yet) >= 1


def test_sids_that_nobody_knows_end_as_failed(begin: Callable[..., Vault]) -> None:
    """A Sid unknown to the provider is asked for again, then failed with a reason: exit 6.

    The minutes between the looks are let pass by the test, in the catalog.
    """
    vault = begin("--calls", "1", "--mix", "clean", "--bytes", "4000")
    unknown = [f"{n}" * 32 for n in range(3)]
    vault.good("enqueue", "sids", *unknown)

    def hurried() -> bool:
        if vault.states() != {"failed": 3}:
            vault.change("UPDATE calls SET due_ms = 1 WHERE state = 'expected' AND due_ms > 1")
        return vault.states() == {"failed": 3}

    with vault.started("work", "--drain") as work:
        until(hurried, while_running=work)
        done = work.wait()

    assert done.code == 6
    expected = {(sid, "call-unknown") for sid in unknown}
    assert expected == set(vault.rows("SELECT sid, reason FROM calls"))
    assert vault.provider is not None
    assert vault.provider.stats()["call"]["404"] >= 2 * len(unknown)
    report = vault.good("report", "--json").json
    assert report["failed"] == {"total": 3, "reasons": {"call-unknown": 3}}
    assert vault.good("work", "--drain").code == 0


def test_recordings_that_are_deleted_already_end_as_lost(begin: Callable[..., Vault]) -> None:
    """What retention has deleted is lost, with its reason and exit 6; what is left is archived."""
    spread = ("--start", ago(10), "--span", "8d", "--retention-days", "6")
    vault = begin("--calls", "40", "--mix", "clean", "--bytes", "4000", *spread)
    assert vault.provider is not None
    truth = vault.provider.truth()

    done = vault.run("run", "calls.csv", "--drain")

    now = datetime.now(UTC)
    gone = {c["sid"] for c in truth if datetime.fromisoformat(c["deleted_at"]) <= now}
    assert 0 < len(gone) < 40
    assert done.code == 6
    lost = dict(vault.rows("SELECT sid, reason FROM calls WHERE state = 'lost'"))
    assert dict.fromkeys(gone, "fetch-gone") == lost
    kept = {call["sha256"] for call in truth if call["sid"] not in gone}
    assert kept == set(vault.recordings().values())
    assert vault.parts() == []
