"""The webhook as the real command: killed, ended, and told about by nobody who should not know."""

from __future__ import annotations

import http.client
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from tests.acceptance.vault import until

if TYPE_CHECKING:
    from tests.acceptance.vault import Running, Vault

SECRET = "hook-3f9c2d71e0ab54"


def test_what_was_answered_is_known_after_a_kill(alone: Vault) -> None:
    """Killed after its answer, with the catalog locked, so that the call is in the spool alone."""
    alone.configure(web={"port": 0})
    alone.good("enqueue", "sids", "z" * 32)
    with alone.started("web", EXOTEL_WEBHOOK_SECRET=SECRET) as running:
        address = listening(running)
        with alone.locked():
            assert post(address, "a" * 32) == 200
            running.send(signal.SIGKILL)
            running.wait()
    assert alone.states() == {"expected": 1}
    with alone.started("web", EXOTEL_WEBHOOK_SECRET=SECRET) as running:
        until(lambda: alone.states() == {"expected": 2}, while_running=running)
        running.send(signal.SIGTERM)
        assert running.wait().code == 0


def test_an_end_takes_in_what_was_answered_and_no_log_has_the_secret(alone: Vault) -> None:
    """SIGTERM ends it with 0; neither log nor catalog nor spool has the secret or the body."""
    alone.configure(web={"port": 0}, log={"level": "debug"})
    with alone.started("web", EXOTEL_WEBHOOK_SECRET=SECRET) as running:
        address = listening(running)
        assert [post(address, f"{number:032}") for number in range(20)] == [200] * 20
        assert post(address, "<b>no</b>") == 400
        running.send(signal.SIGTERM)
        done = running.wait()
    assert done.code == 0
    assert alone.states() == {"expected": 20}
    assert alone.status()["balanced"]
    written = b"".join(p.read_bytes() for p in alone.folder.rglob("*") if p.is_file())
    assert SECRET.encode() not in written
    assert "<b>" not in done.out + done.err


def test_without_a_secret_it_does_not_begin(alone: Vault) -> None:
    """And says how to make one; one that is too short is none."""
    alone.run("web").says(7, "no secret that callbacks could show", "openssl rand")
    short = alone.run("web", EXOTEL_WEBHOOK_SECRET="short")
    short.says(7, "cannot be a secret", "16 characters")
    assert "short" not in short.err.replace("cannot be", "").split("EXOTEL")[0]


def test_a_port_that_is_taken_is_told(alone: Vault) -> None:
    """With the setting to change."""
    alone.configure(web={"port": 0})
    with alone.started("web", EXOTEL_WEBHOOK_SECRET=SECRET) as running:
        port = urlsplit(listening(running)).port
        alone.configure(web={"port": port})
        alone.run("web", EXOTEL_WEBHOOK_SECRET=SECRET).says(2, f"port {port}", "[web]")


def listening(running: Running) -> str:
    """Wait until it listens, and return its address."""
    until(lambda: "listening on " in running.said, while_running=running)
    return running.said.partition("listening on ")[2].split()[0]


def post(address: str, sid: str) -> int:
    """Post a callback, and return the status."""
    line = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        line.request("POST", f"/hook/main/{SECRET}", urlencode({"CallSid": sid}), headers)
        return line.getresponse().status
    finally:
        line.close()
