"""Rules that leave calls out, end to end: counted, not fetched, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.acceptance.proof import assert_archive_is_true

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault


def rule(vault: Vault, text: str) -> None:
    """Add a rule to the settings."""
    config = vault.folder / "config.toml"
    config.write_text(f"{config.read_text()}\n[[selection]]\n{text}\n", encoding="utf-8")


def test_what_a_rule_leaves_out_is_counted_and_taken_back(begin: Callable[..., Vault]) -> None:
    """At the intake by what the export tells; of bare Sids when the provider has told it."""
    vault = begin("--calls", "120")
    assert vault.provider is not None
    truth = vault.provider.truth()
    inbound = {call["sid"] for call in truth if call["direction"] == "inbound"}
    rule(vault, 'name = "not inbound"\ndirection = ["inbound"]')
    bare = [call["sid"] for call in truth[:40]]

    vault.good("enqueue", "sids", *bare)
    vault.good("enqueue", "cdr", "calls.csv")
    early = vault.states().get("excluded", 0)
    vault.good("work", "--drain")
    report = vault.good("report", "--json").json

    assert len(inbound - set(bare)) == early
    assert {"total": len(inbound), "reasons": {"not inbound": len(inbound)}} == report["excluded"]
    assert (report["known"], report["balanced"]) == (120, True)
    before = vault.provider.stats()["downloads"]["distinct"]

    one = next(call["sid"] for call in truth if call["sid"] in inbound and call["recordings"])
    assert "not inbound" in vault.good("explain", one).out
    taken = vault.good("retry", "--excluded", "--reason", "not inbound")
    assert taken.out.startswith(f"{len(inbound)} calls")
    vault.good("work", "--drain")
    assert vault.provider.stats()["downloads"]["distinct"] > before
    assert "excluded" not in vault.states()
    assert_archive_is_true(vault)


def test_a_status_is_trusted_only_where_that_is_said(begin: Callable[..., Vault]) -> None:
    """Then the provider is not asked for what its export calls unanswered."""
    vault = begin("--calls", "100")
    vault.good("enqueue", "cdr", "calls.csv", "--trust-status", "--skip", "status=completed")
    states = vault.states()
    reasons = dict(vault.rows("SELECT reason, COUNT(*) FROM calls GROUP BY reason"))
    assert states["absent"] == reasons["status-trusted"] > 0
    assert states["excluded"] == reasons["--skip status=completed"] > 0
    vault.good("work", "--drain")
    assert vault.provider is not None
    assert vault.provider.stats()["api_requests"] == 0
