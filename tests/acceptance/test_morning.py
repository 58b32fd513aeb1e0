"""The morning after a night: the report as the timer makes it, and a failed unit's alert."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.vault import Vault

TIMER = ("report", "--day", "yesterday", "--send")
SECRET = "hook-9b1f30aa77c2"
ZONE = timedelta(hours=5, minutes=30)


class Hooks:
    """What a server for webhooks was told, by path."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.told: list[tuple[str, str]] = []

    def environment(self, *, chat: str = "chat") -> dict[str, str]:
        """Return the secrets that lead here."""
        return {
            "REPORT_WEBHOOK_URL": f"{self.base}/{chat}/{SECRET}",
            "REPORT_HEALTHCHECKS_URL": f"{self.base}/check/{SECRET}",
        }


@contextmanager
def hooks() -> Iterator[Hooks]:
    """Take whatever is posted, but for what has ``gone`` in its path."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.told.append((self.path, body))
            self.send_response(404 if "gone" in self.path else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as its base has it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Hooks(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def test_a_night_is_told_of_in_the_morning(begin: Callable[..., Vault]) -> None:
    """Complete and told to everybody; then not, which the timer's own exit code does not show.

    A webhook that is gone fails neither the report nor the others, and no secret is written down.
    """
    day = (datetime.now(UTC) + ZONE).date() - timedelta(days=1)
    night = ("--start", f"{day}T09:00:00", "--span", "10h", "--mix", "clean", "--bytes", "4000")
    vault = begin("--calls", "60", *night)
    vault.good("run", str(vault.folder / "calls.csv"), "--drain")
    timer = ("report", "--day", "yesterday", "--send")
    with hooks() as server:
        good = vault.good(*timer, **server.environment())
        page = vault.good("report", "--format", "html", "--output", "day.html")
        told = list(server.told)
        vault.change("DELETE FROM recordings WHERE sid = (SELECT MIN(sid) FROM calls)")
        vault.change(
            "UPDATE calls SET state = 'failed', reason = 'url-untrusted' "
            "WHERE sid = (SELECT MIN(sid) FROM calls)"
        )
        bad = vault.good(*timer, "--json", **server.environment(chat="gone"))
        checked = vault.run("report", "--check")

    first = good.out.splitlines()[0]
    assert first.startswith(f"Complete: 60 of 60 calls of {day.day} {day:%B} settled; ")
    assert {path for path, _ in told} == {f"/chat/{SECRET}", f"/check/{SECRET}"}
    assert first in json.loads(dict(told)[f"/chat/{SECRET}"])["text"]
    assert page.out == ""
    assert "<svg" in (vault.folder / "day.html").read_text(encoding="utf-8")

    document = bad.json
    assert document["morning"]["verdict"]["level"] == "incomplete"
    assert document["morning"]["counts"]["failed"] == 1
    outcomes = {one["channel"]: (one["outcome"], one["detail"]) for one in document["sent"]}
    assert outcomes == {"webhook": ("failed", "it answered 404"), "healthchecks": ("sent", "")}
    assert "it answered 404" in bad.err
    assert f"/check/{SECRET}/fail" in dict(server.told)
    assert checked.code == 6

    everything = [path.read_bytes() for path in vault.folder.rglob("*") if path.is_file()]
    assert SECRET.encode() not in b"".join(everything)


def test_an_alert_goes_wherever_reports_go(alone: Vault) -> None:
    """Without queue, provider or catalog; where nobody takes it, the code says so."""
    with hooks() as server:
        good = alone.good("alert", "callvault-worker.service failed", **server.environment())
        gone = {"REPORT_WEBHOOK_URL": f"{server.base}/gone/{SECRET}"}
        bad = alone.run("alert", "once more", **gone)
    told = dict(server.told)
    assert "callvault-worker.service failed" in json.loads(told[f"/chat/{SECRET}"])["text"]
    assert "callvault-worker.service failed" in told[f"/check/{SECRET}/fail"]
    assert sorted(good.out.splitlines()) == ["healthchecks: sent", "webhook: sent"]
    assert (bad.code, bad.out) == (5, "webhook: failed: it answered 404\n")
    assert SECRET not in good.out + good.err + bad.out + bad.err


def test_a_catalog_that_cannot_be_read_is_told_to_everybody(alone: Vault) -> None:
    """Damaged or gone: an alarm on each channel, a failure for the checks, and the code says 7."""
    alone.catalog.parent.mkdir(exist_ok=True)
    alone.catalog.write_bytes(b"no catalog at all" * 1_000)
    timer = ("report", "--day", "yesterday", "--send")
    with hooks() as server:
        damaged = alone.run(*timer, "--json", **server.environment())
        told = dict(server.told)
        alone.catalog.unlink()
        day = alone.folder / "recordings" / "sandbox" / "2026" / "02" / "09"
        day.mkdir(parents=True)
        (day / "manifest.jsonl").touch()
        lost = alone.run(*timer, **server.environment())
        told_of_lost = dict(server.told)
    assert (damaged.code, lost.code) == (7, 7)
    assert damaged.json["morning"]["verdict"]["level"] == "alarm"
    assert {one["outcome"] for one in damaged.json["sent"]} == {"sent"}
    for found, says in ((told, "not a database"), (told_of_lost, "the catalog is lost")):
        message = json.loads(found[f"/chat/{SECRET}"])
        assert message["text"].startswith("*ALARM: nothing can be told of ")
        assert says in message["text"]
        assert says in " ".join(found[f"/check/{SECRET}/fail"].split())
        assert f"/check/{SECRET}" not in found
    assert not alone.catalog.exists()


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (
            TIMER,
            '[report]\nemail_too = ["x@example.com"]\n[accounts.main]\nsid = "a1"\n',
            "1 mistake",
        ),
        (("alert", "it", "burns"), '[report]\nsmtp = "hunter2x"\n', "2 mistakes"),
        (("alert", "it", "burns"), "[accounts\n", "are no TOML"),
        (TIMER, None, "there is no config.toml"),
    ],
)
def test_a_mistake_in_the_settings_silences_nobody(
    alone: Vault, words: tuple[str, ...], settings: str | None, says: str
) -> None:
    """The URLs are in no file of settings: an alarm goes there, and no value that stands in it."""
    file = alone.folder / "config.toml"
    file.unlink()
    if settings is not None:
        file.write_text(settings, encoding="utf-8")
    with hooks() as server:
        done = alone.run(*words, **server.environment())
    told = dict(server.told)
    done.says(2, says)
    assert set(told) == {f"/chat/{SECRET}", f"/check/{SECRET}/fail"}
    for message in (json.loads(told[f"/chat/{SECRET}"])["text"], told[f"/check/{SECRET}/fail"]):
        assert "ALARM: callvault on " in message
        assert says in message
        assert ("it burns" in message) == (words[0] == "alert")
        assert "hunter2x" not in message
