"""The real command on a catalog that is on a PostgreSQL server."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.on_server import OnServer
from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until
from tests.postgresql import running_server
from tests.provider import running_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import Server


@pytest.fixture
def vault(tmp_path: Path, postgresql: Server) -> Iterator[OnServer]:
    """A vault on an empty catalog."""
    options = ("--write-cdr", str(tmp_path / "calls.csv"), "--rate-limit", "0", "--calls", "50")
    with running_provider(*options) as provider:
        vault = OnServer(tmp_path, provider, postgresql.url(postgresql.database()))
        yield vault
        vault.end_queue()


def doctored(vault: OnServer) -> dict[str, str]:
    """Return what doctor finds of the catalog."""
    checks = json.loads(vault.run("doctor", "--json").out)
    return {one["check"]: one["result"] for one in checks if one["group"] == "catalog"}


def test_every_command_works_on_it(vault: OnServer) -> None:
    """From an export to proved files, and all that is asked afterwards; no file is made for it."""
    assert {"failed"}.isdisjoint(doctored(vault).values())
    taken = vault.good("enqueue", "cdr", "calls.csv")
    assert taken.out == "50 rows read: 50 calls new, 0 already known, 0 rows rejected\n"
    again = vault.good("enqueue", "cdr", "calls.csv")
    assert "0 calls new, 50 already known" in again.out

    done = vault.good("work", "--drain")
    assert "the books balance" in done.out
    truth = assert_archive_is_true(vault)
    assert not vault.catalog.exists()

    first = next(call for call in truth if call["recorded"])
    sid = first["sid"]
    assert sid in vault.good("explain", sid).out
    found = vault.good("find", "--sid", sid, "--json").out
    assert json.loads(found.splitlines()[0])["sid"] == sid
    assert vault.good("status", "--json").json["known"] == 50
    assert "archived" in vault.good("report").out
    vault.good("report", "--day", first["started_at"][:10])
    vault.good("verify", "--no-progress")
    vault.good("metrics")
    vault.good("pause", "--why", "a test")
    vault.good("resume")
    vault.good("catalog", "check")
    assert doctored(vault) == {
        **dict.fromkeys(("catalog", "lock", "books", "pauses", "troubles", "clocks"), "passed"),
        **dict.fromkeys(("place", "soundness"), "skipped"),
    }
    vault.good("catalog", "tidy")
    backup = vault.run("catalog", "backup")
    backup.says(2, "is on a server")

    # To a file, where it is the same, and what cannot be copied is refused.
    there = vault.good("catalog", "copy", vault.url, "sqlite:///copy.db", "--json")
    sums = {moved["table"]: moved["rows"] for moved in json.loads(there.out)}
    assert (sums["calls"], sums["recordings"]) == (50, len(vault.recordings()))
    copied = vault.good("status", "--json", CALLVAULT_CATALOG_URL="sqlite:///copy.db").json
    assert copied["known"] == 50
    again = vault.run("catalog", "copy", "sqlite:///copy.db", vault.url)
    again.says(2, "knows calls already")
    vault.run("catalog", "copy", "postgresql://u:sesame@h/d", "sqlite:///x.db").says(
        2, "PGPASSFILE"
    )

    # One that is lost on disk is put in line by verify, and fetched again.
    (vault.root / next(iter(vault.recordings()))).unlink()
    assert vault.run("verify", "--repair", "--no-progress").code == 5
    vault.good("work", "--drain")
    assert_archive_is_true(vault)
    assert vault.rows("SELECT COUNT(*) FROM batches") == [(0,)]


def test_two_hosts_share_it_and_its_server_is_restarted(tmp_path: Path) -> None:
    """Nothing is lost or kept twice, and both go on by themselves once it is back."""
    options = ("--write-cdr", str(tmp_path / "calls.csv"), "--rate-limit", "0", "--calls", "200")
    with running_server() as server, running_provider(*options) as provider:
        vault = OnServer(tmp_path, provider, server.url(server.database()))
        vault.good("enqueue", "cdr", "calls.csv")
        with (
            vault.launched(vault.as_host("one", "work", "--drain")) as one,
            vault.launched(vault.as_host("two", "work", "--drain")) as two,
        ):
            until(lambda: vault.archived() > 30, while_running=one)
            server.stop()
            server.start()
            ended = [one.wait(), two.wait()]
        assert [done.code for done in ended] == [0, 0], ended
        # What batches left whose end could not be written down.
        vault.good("catalog", "tidy")
        assert_archive_is_true(vault)
        # Each recording was fetched once, but for those that were on their way just then.
        downloads = provider.stats()["downloads"]
        assert downloads["total"] - downloads["distinct"] < 120
        if not os.geteuid():
            hosts = {host for (host,) in vault.rows("SELECT DISTINCT host FROM processes")}
            assert hosts == {"one", "two"}
        vault.end_queue()


def test_a_worker_that_begins_while_the_server_is_away_is_started_again(tmp_path: Path) -> None:
    """The run goes on once the server is back: it is not ended as one that cannot begin."""
    options = ("--write-cdr", str(tmp_path / "calls.csv"), "--rate-limit", "0", "--calls", "100")
    with running_server() as server, running_provider(*options) as provider:
        vault = OnServer(tmp_path, provider, server.url(server.database()))
        vault.good("enqueue", "cdr", "calls.csv")
        with vault.started("work", "--drain") as work:
            until(lambda: vault.archived() > 5, while_running=work)
            server.stop()
            (worker,) = work.children()
            os.kill(worker, signal.SIGKILL)
            until(lambda: "the worker cannot go on" in work.said, while_running=work)
            server.start()
            done = work.wait()
        assert done.code == 0, done
        assert_archive_is_true(vault)
        vault.end_queue()
