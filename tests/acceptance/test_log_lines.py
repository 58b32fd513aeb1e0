"""A night's log can be read: lines do not grow with the calls, and details are there when asked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Done, Vault

CALLS: Final = 500
_SID: Final = re.compile(r"\b[0-9a-f]{32}\b")
_MORE: Final = re.compile(r"and ([\d,]+) more of this reason")


def records(done: Done) -> list[dict[str, Any]]:
    """Return what a command logged; what it told a person is no JSON."""
    return [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]


def test_details_have_one_line_a_call_and_information_names_none(
    begin: Callable[..., Vault],
) -> None:
    """At DEBUG each settled call has its account, Sid, bytes and seconds; at INFO none is named."""
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "500")
    vault.good("enqueue", "cdr", "calls.csv")

    done = vault.run("work", "--drain", CALLVAULT_LOG_LEVEL="debug")

    assert done.code == 0
    logged = records(done)
    settled = [line for line in logged if line["event"].startswith("call ")]
    assert len({line["call_sid"] for line in settled}) == len(settled) == CALLS
    archived = [line for line in settled if line["event"] == "call archived"]
    assert len(archived) == vault.archived() > 0
    assert all(line["account"] == "main" and line["bytes"] > 0 for line in archived)
    assert all(line["seconds"] >= 0 for line in archived)
    louder = [line for line in logged if line["level"] != "debug"]
    assert [line for line in louder if _SID.search(json.dumps(line))] == []
    # The minute's line, whose number is that of the minutes, and what happens once in a run.
    minutes = [line for line in louder if line["event"] == "progress"]
    assert {"settled", "per_minute", "at_risk", "requests_of_run"} <= minutes[-1].keys()
    assert len(louder) - len(minutes) < 5


def test_losses_are_warnings_and_summed_up(begin: Callable[..., Vault]) -> None:
    """Ten of a reason in a minute and process are named, and the others counted."""
    vault = begin(
        *("--calls", str(CALLS), "--mix", "clean", "--bytes", "500", "--urls", "presigned")
    )
    vault.good("enqueue", "cdr", "calls.csv")
    vault.configure(account={"storage_hosts": ["127.0.0.1:9/exotelrecordings"]})

    done = vault.run("work", "--drain")

    assert done.code == 6
    failed = vault.states()["failed"]
    warned = [line for line in records(done) if line["event"].startswith("call failed")]
    assert {(line["level"], line["reason"]) for line in warned} == {("warning", "url-untrusted")}
    named = [line for line in warned if "call_sid" in line]
    counted = [int(m[1].replace(",", "")) for w in warned if (m := _MORE.search(w["event"]))]
    assert len(named) + sum(counted) == failed
    assert len(named) == 10 * len(counted)
