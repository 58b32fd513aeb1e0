"""Several accounts with one catalog and one fleet of workers: shares, and trouble of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from tests.acceptance.vault import until
from tests.provider import KEY, TOKEN, running_provider, write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.vault import Vault
    from tests.provider import Provider

KEYS: Final = {
    "EXOTEL_API_KEY": "",
    "EXOTEL_API_TOKEN": "",
    **{f"EXOTEL_API_KEY_{name}": KEY for name in ("MAIN", "OTHER")},
    **{f"EXOTEL_API_TOKEN_{name}": TOKEN for name in ("MAIN", "OTHER")},
}
OLD: Final = (datetime.now(UTC) - timedelta(days=20)).isoformat(timespec="seconds")
SMALL: Final = ("--mix", "clean", "--bytes", "2000", "--rate-limit", "0")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Provider]:
    """The provider of the second account, whose export is ``other.csv``."""
    export = ("--write-cdr", str(tmp_path / "other.csv"), "--account", "other1")
    with running_provider(*export, *SMALL, "--calls", "40", "--seed", "other") as provider:
        yield provider


def configure(vault: Vault, other: Provider, *, downloads: int = 8, more: str = "") -> None:
    """Write settings with both accounts, and worker processes of few downloads."""
    assert vault.provider is not None
    fast = {"requests_per_minute": 100_000}
    write_config(
        vault.folder / "config.toml",
        accounts={"main": vault.provider.account | fast, "other": other.account | fast},
        archive={"min_free": "0"},
        worker={"processes": 1, "downloads": downloads, "batch": 10},
    )
    with (vault.folder / "config.toml").open("a") as file:
        file.write(more)


def enqueue(vault: Vault) -> None:
    """Make the calls of both accounts known."""
    vault.good("enqueue", "cdr", "calls.csv", "--account", "main", **KEYS)
    vault.good("enqueue", "cdr", "other.csv", "--account", "other", **KEYS)


def archived(vault: Vault, account: str) -> int:
    """Count an account's archived calls."""
    found = vault.rows("SELECT account, COUNT(*) FROM calls WHERE state = 'archived' GROUP BY 1")
    return int(dict(found).get(account, 0))


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "stall", "where": "api"},
        {"kind": "stall", "where": "hosts"},
        {"kind": "too-many", "where": "api"},
        {"kind": "unauthorised", "where": "api"},
    ],
    ids=lambda fault: f"{fault['where']}-{fault['kind']}",
)
def test_the_trouble_of_one_account_holds_up_no_other(
    begin: Callable[..., Vault], other: Provider, fault: dict[str, str]
) -> None:
    """Its API or hosts hang, or refuse everything: all of the other's recordings come meanwhile."""
    vault = begin(*SMALL, "--calls", "200", "--start", OLD)
    assert vault.provider is not None
    configure(vault, other)
    vault.provider.spoil(fault)
    enqueue(vault)
    with vault.started("work", **KEYS):
        until(lambda: archived(vault, "other") == 40)
        assert archived(vault, "main") == 0
        if fault["kind"] == "stall":
            # What hangs still does: had the other waited for that, a pause would tell of it.
            assert vault.rows("SELECT reason FROM pauses") == []


def test_a_small_backlog_is_not_behind_a_large_one(
    begin: Callable[..., Vault], other: Provider
) -> None:
    """The other account's calls are all archived while those that are deleted sooner still wait."""
    vault = begin(*SMALL, "--calls", "1500", "--start", OLD)
    configure(vault, other, downloads=2)
    enqueue(vault)
    with vault.started("work", **KEYS):
        until(lambda: archived(vault, "other") == 40)
        large = archived(vault, "main")
    assert 0 < large < 400


def test_an_account_without_a_key_is_paused_and_the_others_go_on(
    begin: Callable[..., Vault], other: Provider
) -> None:
    """They are polled and archived, with exit code 7; with the key the pause is lifted."""
    vault = begin(*SMALL, "--calls", "12")
    configure(vault, other)
    enqueue(vault)
    polled = vault.run("poll", **KEYS | {"EXOTEL_API_KEY_MAIN": ""})
    assert polled.code == 7, polled
    assert "other: " in polled.out
    assert "main: " not in polled.out
    done = vault.run("work", "--drain", **KEYS | {"EXOTEL_API_KEY_MAIN": ""})
    assert done.code == 7, done
    assert "EXOTEL_API_KEY_MAIN" in done.err
    assert (archived(vault, "main"), archived(vault, "other")) == (0, 40)
    assert "no-credentials" in str(vault.status()["paused"])
    vault.good("work", "--drain", **KEYS)
    assert archived(vault, "main") == 12
    assert vault.status()["paused"] is None


def test_what_a_rule_leaves_out_is_never_fetched(
    begin: Callable[..., Vault], other: Provider
) -> None:
    """Known by bare Sids, so that only the provider's answer tells; and taken back by `retry`."""
    vault = begin(*SMALL, "--calls", "12")
    assert vault.provider is not None
    rule = (
        '[[selection]]\nname = "all but incoming"\naccount = ["main"]\ndirection = ["outbound*"]\n'
    )
    configure(vault, other, more=rule)
    truth = vault.provider.truth()
    out = {call["sid"] for call in truth if call["direction"] != "inbound"}
    assert 0 < len(out) < 12
    sids = [call["sid"] for call in truth]
    vault.good("enqueue", "sids", "--account", "main", *sids, **KEYS)
    vault.good("work", "--drain", **KEYS)
    found = vault.rows("SELECT sid FROM calls WHERE state = 'excluded'")
    assert out == {sid for (sid,) in found}
    assert archived(vault, "main") == 12 - len(out)
    assert vault.good("report", "--json").json["excluded"]["reasons"] == {
        "all but incoming": len(out)
    }
    vault.good("retry", "--excluded")
    vault.good("work", "--drain", **KEYS)
    assert archived(vault, "main") == 12


def test_a_night_archives_what_it_can_and_says_whom_it_could_not_ask(
    begin: Callable[..., Vault], other: Provider
) -> None:
    """One account's key is refused: 7; the other's calls of the night are listed and archived."""
    vault = begin(*SMALL, "--calls", "12")
    assert vault.provider is not None
    configure(vault, other)
    vault.provider.spoil({"kind": "unauthorised", "where": "api"})
    night = ("run", "--from", "3 days ago", "--drain")
    done = vault.run(*night, **KEYS)
    done.says(7, "asking", "for the calls of main", "401")
    assert "other: 40 calls listed: 40 calls new" in done.out
    assert archived(vault, "other") == 40
    (ended,) = vault.rows("SELECT command, code, note FROM runs")
    assert ended[:2] == ("run --from", 7)
    assert ended[2].startswith("main: asking")
    vault.provider.heal()
    assert vault.run(*night, **KEYS).code == 0
    assert (archived(vault, "main"), archived(vault, "other")) == (12, 40)


def test_a_range_has_a_beginning(begin: Callable[..., Vault]) -> None:
    """An end alone is a mistake."""
    begin("--calls", "1").run("run", "--to", "yesterday", "--drain").says(2, "--to needs --from")
