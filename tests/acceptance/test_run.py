"""``callvault run`` as a service: calls become known by polling and callbacks, and are archived."""

from __future__ import annotations

import http.client
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

SECRET = "hook-77aa0c2bd19e4f"


def test_it_polls_receives_and_archives_until_it_is_stopped(begin: Callable[..., Vault]) -> None:
    """What the listing has, and what a callback tells that the listing no longer shows."""
    vault = begin("--calls", "60", "--mix", "clean", "--bytes", "4000", "--ready", "at-once")
    assert vault.provider is not None
    vault.configure(web={"port": 0}, poll={"every": "500ms", "settle": "1s", "first": "18h"})
    sids = [call["sid"] for call in vault.provider.truth()]
    with vault.started("run", EXOTEL_WEBHOOK_SECRET=SECRET) as running:
        until(lambda: "listening on " in running.said, while_running=running)
        address = running.said.partition("listening on ")[2].split()[0]
        assert post(address, sids[0]) == 200
        until(lambda: vault.archived() > 20 and is_settled(vault), while_running=running)
        running.send(signal.SIGTERM)
        done = running.wait()
    sources = dict(vault.rows("SELECT source, COUNT(*) FROM sightings GROUP BY source"))
    assert done.code == 0, done
    assert sources["webhook"] == 1
    # The rest began before polling looked back, so the callback alone told of the first one.
    assert 20 < sources["listing"] < len(sids) - 1
    assert {"archived": sources["listing"] + 1} == vault.states()
    vault.good("verify")


def is_settled(vault: Vault) -> bool:
    """Tell whether a callback's call and all others are archived."""
    told = vault.rows("SELECT COUNT(*) FROM sightings WHERE source = 'webhook'")
    return told == [(1,)] and set(vault.states()) == {"archived"}


def test_without_a_secret_it_polls_alone_and_a_port_that_is_taken_ends_it(
    begin: Callable[..., Vault],
) -> None:
    """The one is said in the log, the other with its exit code."""
    vault = begin("--calls", "5", "--mix", "clean", "--bytes", "4000")
    vault.configure(poll={"every": "500ms", "first": "2d"})
    with vault.started("run") as running:
        until(lambda: vault.archived() == 5, while_running=running)
        port = urlsplit(vault.provider.api_base).port if vault.provider else 0
        vault.configure(web={"port": port})
        vault.run("run", "--no-poll", EXOTEL_WEBHOOK_SECRET=SECRET).says(2, f"port {port}", "[web]")
        running.send(signal.SIGTERM)
        done = running.wait()
    assert done.code == 0, done
    assert "no callbacks are received" in done.err


def post(address: str, sid: str) -> int:
    """Post a callback, and return the status."""
    line = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        line.request("POST", f"/hook/main/{SECRET}", urlencode({"CallSid": sid}), headers)
        return line.getresponse().status
    finally:
        line.close()
