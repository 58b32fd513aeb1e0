"""What `doctor` gathers of real things: servers, file systems, locks, certificates, regions."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from archive.errors import QueueError
from tests.integration.authority import Authority
from tests.integration.servers import serving
from tests.integration.working import called
from tests.provider import KEY, TOKEN, Section, running_provider, write_config
from worker.doctor import hosts, provider, queue, recording
from worker.doctor.check import Check, Line, Result, run
from worker.doctor.registry import all_checks
from worker.doctor.world import World, look_around
from worker.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from redis.asyncio import Redis

    from tests.integration.working import Recorded

_KEYS = {"EXOTEL_API_KEY": KEY, "EXOTEL_API_TOKEN": TOKEN}


def _world(
    folder: Path,
    account: Section,
    *,
    options: dict[str, Any] | None = None,
    **sections: Section,
) -> World:
    file = write_config(folder / "config.toml", accounts={"main": account}, **sections)
    return look_around(file, _KEYS, **(options or {}))


async def _lines(world: World, checks: Iterable[Check]) -> dict[str, Line]:
    found = run(list(checks), spare=world.spare, clean=world.clean)
    return {line.check: line async for line in found}


async def test_a_server_with_a_wrong_policy_and_no_persistence(
    redis: Redis, valkey_url: str
) -> None:
    """Read from a real server, and put back."""
    good = await queue.ask(valkey_url)
    assert queue.judge_policy(good).result is Result.PASSED
    assert queue.judge_persistence(good).result is Result.PASSED
    assert queue.judge_server(good).result is Result.PASSED
    assert good.ping_ms > 0
    try:
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("appendonly", "no")
        await redis.config_set("maxmemory", str(2**20))
        bad = await queue.ask(valkey_url)
    finally:
        await redis.config_set("maxmemory", "0")
        await redis.config_set("appendonly", "yes")
        await redis.config_set("maxmemory-policy", "noeviction")
    assert queue.judge_policy(bad).result is Result.WARNED
    assert queue.judge_persistence(bad).result is Result.WARNED
    assert queue.judge_memory(bad).result is Result.FAILED


async def test_a_queue_that_is_away_is_told_once(tmp_path: Path) -> None:
    """The other checks of it have nothing to say."""
    world = _world(tmp_path, {"sid": "a1"}, queue={"url": "redis://u:hidden-word@127.0.0.1:9/0"})
    lines = await _lines(world, queue.checks(world))
    assert lines["queue"].result is Result.FAILED
    assert lines["queue"].fatal
    assert "hidden-word" not in lines["queue"].said
    others = {line.result for name, line in lines.items() if name != "queue"}
    assert others == {Result.SKIPPED}


async def test_a_queue_of_our_own_is_asked_where_it_runs_and_tried_where_it_does_not(
    tmp_path: Path,
) -> None:
    """Neither takes its lock; a socket that nobody listens on is what a killed server leaves."""
    state = tmp_path / "state"
    world = _world(tmp_path, {"sid": "a1"}, queue={"state": str(state)})
    assert (await queue.look_at_queue(world)).own == "tried"
    assert not state.exists()
    with EmbeddedValkey(state) as valkey:
        assert valkey.owned
        assert (await queue.look_at_queue(world)).own == "running"


async def test_a_server_that_cannot_be_reached_raises_one_error() -> None:
    """Which names no password."""
    with pytest.raises(QueueError, match="reaching the queue"):
        await queue.ask("redis://127.0.0.1:9/0")


async def test_an_account_of_the_other_region_is_found_there(tmp_path: Path) -> None:
    """The region of the settings answers 401, the other one knows the account."""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response(
            {"RestException": {"Message": "Authentication failed"}}, status=401
        )

    with running_provider("--calls", "3") as theirs:
        async with serving(refuse) as wrong:
            own = {**theirs.account, "api_base": f"http://{wrong.host}"}
            world = _world(tmp_path, own)
            checks = provider.checks(world, region_of=lambda _: theirs.api_base)
            lines = await _lines(world, checks)
    assert lines["credentials"].result is Result.FAILED
    assert lines["credentials"].do == f'set api_base = "{theirs.api_base}" in [accounts.main]'
    assert lines["provider"].result is Result.PASSED
    assert len(wrong.requests) == 1


@pytest.mark.parametrize("body", ["<html>Please log in</html>", '{"ok": true}'])
async def test_a_page_in_the_apis_place_is_no_answer_of_the_provider(
    tmp_path: Path, body: str
) -> None:
    """A portal or a proxy says 200 to everything, and so does a wrong api_base: no key passes."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="text/html")

    async with serving(answer) as seen:
        world = _world(tmp_path, {"sid": "a1", "api_base": f"http://{seen.host}"})
        lines = await _lines(world, provider.checks(world))
    assert lines["provider"].result is Result.FAILED
    assert "it is not the provider's API that does: the answer" in lines["provider"].said
    assert "api_base" in lines["provider"].do
    assert lines["credentials"].result is Result.SKIPPED


@pytest.mark.parametrize(("ahead", "expected"), [(0, "passed"), (120, "warned"), (-600, "failed")])
async def test_the_clock_is_held_against_the_date_of_an_answer(
    tmp_path: Path, ahead: int, expected: str
) -> None:
    """And what it tells of its limit is told."""
    there = datetime.now(UTC) - timedelta(seconds=ahead)
    headers = {
        "Date": there.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "5",
    }

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"Calls": [], "Metadata": {}}, headers=headers)

    async with serving(answer) as seen:
        world = _world(tmp_path, {"sid": "a1", "api_base": f"http://{seen.host}"})
        lines = await _lines(world, provider.checks(world))
    assert lines["clock"].result == expected
    assert lines["rate-limit"].result is Result.WARNED
    assert lines["rate-limit"].said.startswith("5 requests are left")


@pytest.mark.parametrize("expired", [False, True])
async def test_the_end_of_a_certificate_is_told(tmp_path: Path, *, expired: bool) -> None:
    """As far as it is one that is believed: another one is told by the request itself."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404)

    authority = Authority(tmp_path)
    environment = {**_KEYS, "SSL_CERT_FILE": str(authority.file)}
    world = look_around(_world(tmp_path, {"sid": "a1"}).file, environment)
    async with serving(answer, tls=authority.server("localhost", expired=expired)) as seen:
        port = int(seen.host.partition(":")[2])
        expires = await hosts._expires(world, "localhost", port)
    now = datetime.now(UTC)
    assert (expires is None) is expired
    assert expires is None or now < expires < now + timedelta(days=3)


async def test_hosts_are_asked_without_the_key(tmp_path: Path, recorded: Recorded) -> None:
    """Any answer shows that they can be reached; a port where nobody listens cannot."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=404)

    async with serving(answer) as seen:
        listed = [f"{seen.host}/exotelrecordings", "127.0.0.1:9"]
        world = _world(tmp_path, {**recorded.provider.account, "recording_hosts": listed})
        (line,) = (await _lines(world, hosts.checks(world))).values()
    assert seen.authorizations() == [None]
    assert line.result is Result.WARNED
    assert line.said.startswith(f"{listed[0]} answers; 127.0.0.1:9 cannot be reached: ")


async def test_a_recording_is_fetched_where_no_catalog_is(
    tmp_path: Path, recorded: Recorded
) -> None:
    """One that the listing of the last day has; or the one that is named."""
    world = _world(tmp_path, recorded.provider.account)
    (line,) = (await _lines(world, recording.checks(world))).values()
    assert line.result is Result.PASSED, line
    (truth,) = recorded.take(1)
    named = _world(tmp_path, recorded.provider.account, options={"call": called(truth).sid})
    (line,) = (await _lines(named, recording.checks(named))).values()
    assert line.result is Result.PASSED, line
    assert called(truth).sid in line.said
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("sid", ["0" * 32, "../../etc"])
async def test_a_call_that_nobody_knows_is_told(
    tmp_path: Path, recorded: Recorded, sid: str
) -> None:
    """And what is no Sid is not asked for."""
    world = _world(tmp_path, recorded.provider.account, options={"call": sid})
    (line,) = (await _lines(world, recording.checks(world))).values()
    assert line.result in {Result.WARNED, Result.FAILED}
    assert line.do


_HOLDER = """
import sqlite3, sys
line = sqlite3.connect(sys.argv[1], isolation_level=None)
line.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


async def test_who_holds_the_catalog_is_named(tmp_path: Path) -> None:
    """By this system's table of locks, while another process writes."""
    world = _world(tmp_path, {"sid": "a1"})
    path = world.settings.catalog_path
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE one (a)")
        with subprocess.Popen(  # noqa: S603, ASYNC220 - our own program, begun before anything waits
            [sys.executable, "-c", _HOLDER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as holder:
            assert holder.stdout is not None
            assert await asyncio.to_thread(holder.stdout.readline) == b"held\n"
            checks = [check for check in all_checks(world) if check.name == "lock"]
            lines = await _lines(world, checks)
            assert holder.stdin is not None
            holder.stdin.close()
    assert lines["lock"].result is Result.FAILED
    assert f"(pid {holder.pid})" in lines["lock"].said


async def test_a_catalog_on_a_network_file_system_is_told(tmp_path: Path) -> None:
    """By the mounts that the kernel tells."""
    proc = tmp_path / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "mountinfo").write_text("1 0 0:50 / / rw - nfs4 server:/export rw\n")
    plain = _world(tmp_path, {"sid": "a1"})
    world = World(gathered=plain.gathered, environment=_KEYS, proc=proc.parent)
    checks = [check for check in all_checks(world) if check.name == "place"]
    (line,) = (await _lines(world, checks)).values()
    assert line.result is Result.FAILED
    assert line.fatal
    assert "nfs4 at /" in line.said


async def test_units_are_asked_for_where_systemd_runs(tmp_path: Path) -> None:
    """By `systemctl` alone, whose words are read."""
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "list-unit-files) echo 'callvault-worker.service enabled enabled';;\n"
        "show) printf 'Id=callvault-worker.service\\nActiveState=failed\\nResult=watchdog\\n"
        "UnitFileState=enabled\\n';;\n"
        "esac\n"
    )
    systemctl.chmod(0o755)
    world = World(environment={"PATH": str(systemctl.parent)}, systemd=tmp_path)
    checks = [check for check in all_checks(world) if check.name == "units"]
    (line,) = (await _lines(world, checks)).values()
    assert line.result is Result.FAILED
    assert line.said == "did not end well: callvault-worker.service (watchdog)"
    elsewhere = World(environment={"PATH": ""}, systemd=tmp_path / "nowhere")
    checks = [check for check in all_checks(elsewhere) if check.name == "units"]
    (line,) = (await _lines(elsewhere, checks)).values()
    assert line.result is Result.SKIPPED
