"""Polling and reconciling as a person or a service runs them."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

CLEAN = ("--mix", "clean", "--bytes", "4000")


def yesterday() -> tuple[str, ...]:
    """Return options for calls that all are of yesterday, in the account's zone."""
    zone = timedelta(hours=5, minutes=30)
    day = (datetime.now(UTC) + zone).date() - timedelta(days=1)
    return ("--start", f"{day}T09:00:00", "--span", "10h")


def test_a_poll_brings_calls_and_the_workers_fetch_them(begin: Callable[..., Vault]) -> None:
    """One round brings all, the next nothing new; 120 recordings cost the listing's requests.

    The URLs that it brought are used, and none that is signed is written down.
    """
    vault = begin("--calls", "120", "--urls", "both", *CLEAN)
    assert vault.provider is not None
    vault.configure(poll={"first": "2d"})

    first = vault.good("poll")
    again = vault.good("poll", "--json")
    asked = vault.provider.stats()["api_requests"]
    vault.good("work", "--drain")

    expected = "main: 120 calls listed: 120 calls new, 0 already known, 0 rows rejected\n"
    assert expected == first.out
    (done,) = json.loads(again.out)
    assert (done["new"], done["alarm"], done["paused"]) == (0, None, None)
    assert_archive_is_true(vault)
    assert asked == vault.provider.stats()["api_requests"] <= 8
    assert vault.rows("SELECT sid FROM calls WHERE listed_url <> ''") == []


def test_following_goes_on_until_it_is_stopped(begin: Callable[..., Vault]) -> None:
    """Through an outage of the provider and back, to the end with 0 that a service has."""
    vault = begin("--calls", "60", *CLEAN)
    provider = vault.provider
    assert provider is not None
    provider.spoil({"where": "listing", "kind": "error-503", "share": 1.0})
    with vault.started("poll", "--follow", "--every", "200ms") as polling:
        until(lambda: "polling failed" in polling.said, while_running=polling)
        assert [found["what"] for found in vault.status()["troubles"]] == ["polling:main"]
        provider.heal()
        until(lambda: "main: 60 calls listed: 60 calls new" in polling.said, while_running=polling)
        polling.send(signal.SIGTERM)
        done = polling.wait()
    assert (done.code, vault.states()) == (0, {"expected": 60})
    assert vault.status()["troubles"] == []


def test_a_poll_that_cannot_ask_says_why(begin: Callable[..., Vault]) -> None:
    """5 for a provider that does not answer, 7 for refused credentials, 2 for a wrong word.

    Then the account is paused, and the next round asks nothing before the pause is probed.
    """
    vault = begin("--calls", "1", *CLEAN)
    assert vault.provider is not None
    vault.run("poll", "--follow", "--every", "soon").says(2, "--every", "no duration")
    vault.run("poll", "--every", "5s").says(2, "--follow")
    vault.provider.spoil({"where": "listing", "kind": "error-503", "share": 1.0})
    vault.run("poll").says(5, "HTTP 503", "run it again")
    vault.provider.heal()
    vault.run("poll", EXOTEL_API_TOKEN="wrong").says(7, "HTTP 401", "check the key and token")
    paused = vault.run("poll")
    assert (paused.code, "it is paused: api-unauthorised" in paused.out) == (5, True)


def test_reconciling_adds_what_is_unknown_and_tells_of_each_source(
    begin: Callable[..., Vault],
) -> None:
    """Of yesterday, without being told which day; twice the same; `report` tells it, too.

    The webhook's words are put into the catalog here: it was heard all day but for two hours.
    """
    vault = begin("--calls", "80", *CLEAN, *yesterday())
    assert vault.provider is not None
    lines = (vault.folder / "calls.csv").read_text().splitlines(keepends=True)
    stranger = lines[40].replace(vault.provider.truth()[39]["sid"], "stranger0001")
    (vault.folder / "some.csv").write_text("".join([*lines[:41], stranger]))
    vault.good("enqueue", "cdr", "some.csv")
    calls = sorted(vault.provider.truth(), key=lambda call: str(call["started_at"]))
    moments = [datetime.fromisoformat(c["started_at"]).timestamp() * 1000 for c in calls]
    opened, left, back, closed = (int(moments[i]) for i in (0, 30, 60, 79))
    for since, end in ((opened - 3_600_000, left), (back, closed + 36_000_000)):
        vault.change(f"INSERT INTO hearings VALUES ('main', 'webhook', {since}, {end})")  # noqa: S608 - numbers

    first = vault.good("reconcile")
    (again,) = json.loads(vault.good("reconcile", "--json").out)

    assert "80 calls listed: 40 calls new, 40 already known, 0 rows rejected" in first.out
    assert "80  by listing, 40 of them only by it" in first.out
    assert "41  by cdr, 1 of them only by it" in first.out
    assert "1  not in the listing" in first.out
    assert "stranger0001" in first.out
    assert "no webhook between" in first.out
    assert (again["new"], again["known"], again["unlisted"]["first"]) == (0, 80, ["stranger0001"])
    told = {one["source"]: one for one in again["sources"]}
    assert (told["listing"]["calls"], told["listing"]["alone"]) == (80, 40)
    (silence,) = told["webhook"]["silences"]
    assert 25 <= silence["calls"] <= 35
    (reported,) = vault.good("report", "--day", "yesterday", "--json").json["sources"]
    assert again["sources"] == reported["sources"]
    assert "no webhook between" in vault.good("report", "--day", "yesterday").out


def test_an_empty_listing_is_no_success(begin: Callable[..., Vault]) -> None:
    """Where calls are known of the time, `poll`, `reconcile` and `enqueue range` end with 5."""
    vault = begin("--calls", "60", *CLEAN, *yesterday())
    assert vault.provider is not None
    vault.configure(poll={"first": "2d"})
    vault.good("enqueue", "cdr", "calls.csv")
    empty = {"where": "listing", "kind": "leave-out", "share": 1.0, "parameters": {"rows": 1.0}}
    vault.provider.spoil(empty)
    for command in ("poll", "reconcile"):
        done = vault.run(command)
        assert (done.code, "where there always are some" in done.out) == (5, True), done
    ranged = vault.run("enqueue", "range", "--from", "yesterday", "--to", "today")
    ranged.says(5, "where there always are some")
    assert [found["what"] for found in vault.status()["troubles"]] == ["listing:main"]
