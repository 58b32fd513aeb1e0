"""The main job: from a CDR export to proved files, whatever the export and the URLs are like."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.proof import assert_archive_is_true

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.vault import Vault


def kinds(truth: list[dict[str, Any]]) -> Counter[str]:
    """Count the kinds of calls that have a recording."""
    return Counter(call["kind"] for call in truth if call["recorded"])


def test_an_export_of_all_kinds_becomes_proved_files(begin: Callable[..., Vault]) -> None:
    """Every recording is a file with the right hash, every other call is absent, the books balance.

    Among them are dual-channel WAVs, and recordings whose object has another name than the Sid.
    """
    vault = begin("--calls", "200")

    taken = vault.good("enqueue", "cdr", "calls.csv")
    done = vault.run("work", "--drain")

    assert taken.out == "200 rows read: 200 calls new, 0 already known, 0 rows rejected\n"
    assert done.code == 0
    truth = assert_archive_is_true(vault)
    assert set(kinds(truth)) == {"mp3", "mp3-foreign-name", "wav-dual", "mp3-long"}
    assert "         200  known\n" in done.out
    assert f"{sum(kinds(truth).values()):>12,}  archived" in done.out
    assert "the books balance" in done.out
    assert str(vault.root) in done.out


@pytest.mark.parametrize(
    ("family", "urls"), [("cdr", "presigned"), ("dashboard", "private"), ("dashboard", "both")]
)
def test_both_exports_and_all_urls_lead_to_the_same_files(
    begin: Callable[..., Vault], family: str, urls: str
) -> None:
    """Either family of exports will do, and private and presigned URLs alike; no key is misplaced.

    One command does it all. A presigned URL is used wherever there is one.
    """
    options = ("--calls", "60", "--bytes", "6000", "--family", family, "--urls", urls)
    vault = begin(*options, "--seed", f"{family} {urls}")

    done = vault.run("run", "calls.csv", "--drain")

    assert done.code == 0
    truth = assert_archive_is_true(vault)
    assert vault.provider is not None
    counts = vault.provider.stats()
    recorded = [call["index"] for call in truth if call["recorded"]]
    presigned = [n for n in recorded if urls == "presigned" or (urls == "both" and not n % 2)]
    expected = {"recording": len(recorded) - len(presigned), "storage": len(presigned)}
    assert expected == {name: counts[name].get("200", 0) for name in expected}
    assert {"total": len(recorded), "distinct": len(recorded)} == counts["downloads"]


def test_a_drain_of_nothing_says_that_no_call_is_known(begin: Callable[..., Vault]) -> None:
    """Else balanced books of no call would look like a night that went well."""
    vault = begin("--calls", "1", "--mix", "clean")

    empty = vault.good("work", "--drain")
    vault.good("enqueue", "cdr", "calls.csv")
    full = vault.good("work", "--drain")

    assert "NO CALL IS KNOWN YET: make some known by callvault enqueue" in empty.out
    assert "NO CALL" not in full.out


def test_reasons_tell_why_a_call_has_no_recording(begin: Callable[..., Vault]) -> None:
    """Unanswered, too short and not recorded: each call's reason is that of its kind."""
    vault = begin("--calls", "100", "--bytes", "4000")

    vault.good("run", "calls.csv", "--drain")

    assert vault.provider is not None
    unanswered = dict.fromkeys(
        ("no-answer", "busy", "failed", "canceled", "inbound-unanswered"), "no-answer"
    )
    reasons = {**unanswered, "too-short": "too-short", "not-recorded": "not-recorded"}
    truth = vault.provider.truth()
    expected = {call["sid"]: reasons[call["kind"]] for call in truth if not call["recorded"]}
    absent = "SELECT sid, reason FROM calls WHERE state = 'absent'"
    assert expected == dict(vault.rows(absent))


def test_two_thousand_recordings_cost_few_requests_and_nothing_again(
    begin: Callable[..., Vault],
) -> None:
    """2,000 clean recordings take 25 API requests at most; the same export again takes none.

    The second time nothing is downloaded either, and it costs less than two seconds of processor.
    """
    vault = begin("--calls", "2000", "--mix", "clean", "--bytes", "4000", "--rate-limit", "200")
    assert vault.provider is not None

    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain")

    assert_archive_is_true(vault)
    counts = vault.provider.stats()
    assert counts["api_requests"] <= 25
    assert counts["downloads"] == {"total": 2000, "distinct": 2000}
    tallied = dict(vault.rows("SELECT name, SUM(amount) FROM tallies GROUP BY name"))
    assert tallied["requests"] == counts["api_requests"]
    assert tallied["recordings"] == tallied["readiness_s"] == 2000
    assert tallied["recording_bytes"] == vault.status()["bytes"]
    assert tallied["download_ms"] > 0
    assert "download_failures" not in tallied
    assert tallied["settled"] == 2000
    told = vault.good("metrics").out.splitlines()
    assert 'callvault_settled_total{account="main",state="archived"} 2000.0' in told
    assert 'callvault_calls{account="main",state="archived"} 2000.0' in told

    vault.provider.reset()
    again = vault.good("enqueue", "cdr", "calls.csv")
    drained = vault.good("work", "--drain")

    assert again.out == "2,000 rows read: 0 calls new, 2,000 already known, 0 rows rejected\n"
    counts = vault.provider.stats()
    assert (counts["api_requests"], counts["downloads"]["total"]) == (0, 0)
    assert again.cpu_s + drained.cpu_s < 2


def test_all_recordings_of_a_call_are_archived(begin: Callable[..., Vault]) -> None:
    """The API tells of the first, the dashboard's export of all: each is a file of its own.

    An export that is read again, and one whose calls were archived by bare Sids before, change
    nothing that is done: what was missing is fetched, and nothing twice.
    """
    vault = begin("--calls", "60", "--several", "0.5", "--family", "dashboard", "--bytes", "5KB")
    assert vault.provider is not None
    truth = vault.provider.truth()
    first = "\n".join(call["sid"] for call in truth[:30])
    several = sum(len(call["recordings"]) > 1 for call in truth)
    total = sum(len(call["recordings"]) for call in truth)
    assert several > 10

    vault.good("enqueue", "sids", "-", stdin=first)
    vault.good("work", "--drain")
    for _ in range(2):
        vault.good("run", "calls.csv", "--drain")

    assert_archive_is_true(vault)
    assert vault.provider.stats()["downloads"] == {"total": total, "distinct": total}
    counted = vault.status()
    assert (total, True) == (counted["recordings"], counted["balanced"])
    two = next(call for call in truth if len(call["recordings"]) > 1)
    story = vault.good("explain", two["sid"]).out
    assert f"{two['sid']}_2." in story
    assert "told of by" not in story


def test_what_the_api_hides_is_fetched_where_the_export_says(
    begin: Callable[..., Vault], tmp_path: Path
) -> None:
    """Before a call is called absent, the URL in its export is tried: only what has none is."""
    rules = [{"kind": "null-url", "where": "api", "parameters": {"rows": 1}}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    options = ("--calls", "40", "--bytes", "5KB", "--family", "dashboard", "--urls", "private")
    vault = begin(*options, "--faults-file", str(tmp_path / "rules.json"))

    vault.good("run", "calls.csv", "--drain")

    assert_archive_is_true(vault)


def test_modules_in_the_working_folder_are_not_taken_for_ours(begin: Callable[..., Vault]) -> None:
    """The command may be run in any folder, also in one with a ``jobs.py`` or ``archive`` in it."""
    vault = begin("--calls", "5", "--mix", "clean", "--bytes", "2000")
    for name in ("jobs.py", "archive.py", "structlog.py"):
        (vault.folder / name).write_text("raise SystemExit(3)\n", encoding="utf-8")

    vault.good("run", "calls.csv", "--drain")

    assert_archive_is_true(vault)
