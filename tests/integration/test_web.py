"""The web server over real HTTP: what it keeps, what it refuses, and that it stays up."""

from __future__ import annotations

import asyncio
import sqlite3
from base64 import b64encode
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import aiohttp
from structlog.testing import capture_logs

from tests.provider import write_config
from web.gate import MOST
from worker.serving import serve
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SECRET = "a-secret-of-the-webhook-7f"
SID = "a" * 30 + "7m"
ENVIRONMENT = {"EXOTEL_WEBHOOK_SECRET": SECRET}
BOUND_S = 30.0


@asynccontextmanager
async def serving(folder: Path, *, connection_s: float = 30.0, **web: object) -> AsyncIterator[str]:
    """Serve, and yield the address."""
    config = write_config(
        folder / "config.toml",
        accounts={"main": {"sid": "acme1"}},
        web={"port": 0, **web},
    )
    settings = load_settings(config, {})
    stopping, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        serve(
            settings,
            ENVIRONMENT,
            stopping,
            on_ready=address.set_result,
            connection_s=connection_s,
        )
    )
    try:
        await asyncio.wait({running, address}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        yield await address
    finally:
        stopping.set()
        await running


def known(folder: Path) -> set[str]:
    """Return the calls that the catalog has."""
    with closing(sqlite3.connect(folder / "state" / "catalog.db")) as line:
        return {row[0] for row in line.execute("SELECT sid FROM calls")}


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(BOUND_S):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.02)


async def post(url: str, **request: Any) -> tuple[int, str, dict[str, str]]:  # noqa: ANN401
    """Ask once; return status, body and headers."""
    method = request.pop("method", "POST")
    async with aiohttp.ClientSession() as session, session.request(method, url, **request) as found:
        return found.status, await found.text(), dict(found.headers)


async def test_a_callback_is_answered_and_becomes_a_call(tmp_path: Path) -> None:
    """With the secret in the path or as the password; twice is once; also as a query."""
    auth = {"Authorization": aiohttp.encode_basic_auth("exotel", SECRET)}
    async with serving(tmp_path) as address:
        in_path = f"{address}/hook/main/{SECRET}"
        first = await post(in_path, data={"CallSid": SID, "Status": "completed"})
        again = await post(f"{address}/hook/main", data={"CallSid": SID}, headers=auth)
        passthru = await post(
            f"{address}/hook/main", method="GET", params={"CallSid": "b" * 32}, headers=auth
        )
        await until(lambda: known(tmp_path) == {SID, "b" * 32})
        _, metrics, _ = await post(f"{address}/metrics", method="GET")
    assert [answer[:2] for answer in (first, again, passthru)] == [(200, "")] * 3
    assert 'callvault_callbacks_total{account="main",outcome="kept"} 3.0' in metrics
    assert SECRET not in metrics


async def test_a_sender_that_keeps_its_connection_gets_all_of_its_answers(tmp_path: Path) -> None:
    """Each answer, a refusal too, says that its connection ends: so nothing is sent into the end.

    What is posted is not sent again by itself, as its sender cannot know whether it arrived.
    """
    async with serving(tmp_path) as address, aiohttp.ClientSession() as session:
        in_path, told = f"{address}/hook/main/{SECRET}", set()
        for url in [in_path, f"{address}/hook/main", f"{address}/nothing"] + 200 * [in_path]:
            async with session.post(url, data={"CallSid": SID}) as answer:
                told.add((answer.status, answer.headers.get("Connection")))
    assert {(200, "close"), (401, "close"), (404, "close")} == told


async def test_a_wrong_secret_is_logged_without_it(tmp_path: Path) -> None:
    """With the account where it is one of ours; nothing else of what was shown."""
    wrong = "not-the-secret-of-it"
    with capture_logs() as logs:
        async with serving(tmp_path) as address:
            await post(f"{address}/hook/main/{wrong}", data={"CallSid": SID})
            await post(f"{address}/hook/{wrong}/{SECRET}", data={"CallSid": SID})
            await post(f"{address}/hook/main/{SECRET}", data={"CallSid": SID})
    said = [entry for entry in logs if entry["event"] == "a callback was refused"]
    assert [entry["account"] for entry in said] == ["main", "(none of ours)"]
    assert {entry["log_level"] for entry in said} == {"warning"}
    assert {"it showed no secret, or a wrong one"} == {entry["reason"] for entry in said}
    assert wrong not in str(logs)
    assert SECRET not in str(logs)


async def test_what_is_no_callback_is_refused_without_a_word(tmp_path: Path) -> None:
    """Each with its status; nothing of the request is in the answer."""
    evil = "<script>x"
    async with serving(tmp_path) as address:
        good, bare = f"{address}/hook/main/{SECRET}", f"{address}/hook/main"
        answers = {
            "no secret": await post(bare, data={"CallSid": SID}),
            "wrong secret": await post(f"{bare}/{evil}", data={"CallSid": SID}),
            "other account": await post(f"{address}/hook/{evil}/{SECRET}", data={"CallSid": SID}),
            "no Sid": await post(good, data={"Status": evil}),
            "hostile Sid": await post(good, data={"CallSid": f"../../{evil}"}),
            "no body": await post(good),
            "no JSON": await post(good, data="{{{", headers={"Content-Type": "application/json"}),
            "too large": await post(good, data={"CallSid": "x" * 100_000}),
            "wrong method": await post(good, method="DELETE"),
            "wrong path": await post(f"{address}/{evil}", method="GET"),
        }
    expected = {
        **dict.fromkeys(("no secret", "wrong secret", "other account"), 401),
        **dict.fromkeys(("no Sid", "hostile Sid", "no body", "no JSON"), 400),
        "too large": 413,
        "wrong method": 405,
        "wrong path": 404,
    }
    assert expected == {name: answer[0] for name, answer in answers.items()}
    assert {""} == {answer[1] for answer in answers.values()}
    assert all(evil not in str(answer[2]) for answer in answers.values())
    assert {"callvault"} == {answer[2]["Server"] for answer in answers.values()}
    assert set() == known(tmp_path)


async def test_what_is_not_taken_is_logged_with_the_reason_and_nothing_of_it(
    tmp_path: Path,
) -> None:
    """One warning each, with the account; a change of the provider's form does not go unseen."""
    evil = "<script>x"
    with capture_logs() as logs:
        async with serving(tmp_path) as address:
            good = f"{address}/hook/main/{SECRET}"
            await post(good, data={"Status": evil})
            await post(good, data=evil, headers={"Content-Type": "application/json"})
            await post(good, data={"CallSid": evil * 10_000})
            await post(good, data={"CallSid": SID})
    said = [entry for entry in logs if entry["event"] == "a callback was not taken"]
    assert [entry["reason"] for entry in said] == [
        "it names no call",
        "its body is of no form that callbacks have",
        "its body is longer than [web] body",
    ]
    assert {("main", "warning")} == {(entry["account"], entry["log_level"]) for entry in said}
    assert evil not in str(logs)
    assert SECRET not in str(logs)


async def test_callbacks_are_answered_while_the_catalog_is_locked(tmp_path: Path) -> None:
    """They wait in the spool, and are in the catalog when it is free."""
    async with serving(tmp_path) as address:
        catalog = tmp_path / "state" / "catalog.db"
        with closing(sqlite3.connect(catalog, isolation_level=None, timeout=30)) as other:
            other.execute("BEGIN IMMEDIATE")
            answers = [
                await post(f"{address}/hook/main/{SECRET}", data={"CallSid": f"{number:032}"})
                for number in range(5)
            ]
            before = known(tmp_path)
            other.execute("ROLLBACK")
        await until(lambda: len(known(tmp_path)) == 5)
    assert [answer[0] for answer in answers] == [200] * 5
    assert set() == before


async def test_passthru_is_answered_so_that_the_flow_of_the_call_goes_on(tmp_path: Path) -> None:
    """Whatever comes of it, once the secret was shown: it is not sent again."""
    async with serving(tmp_path, spool="100") as address:
        url = f"{address}/hook/main/{SECRET}"
        answers = [
            await post(url, method="GET"),
            await post(url, method="GET", params={"CallSid": "none"}),
            await post(url, method="GET", params={"CallSid": SID}),
            await post(f"{address}/hook/main", method="GET", params={"CallSid": SID}),
        ]
        _, metrics, _ = await post(f"{address}/metrics", method="GET")
    assert [answer[0] for answer in answers] == [200, 200, 200, 401]
    for outcome in ("unreadable", "unusable", "not-kept"):
        assert f'{{account="main",outcome="{outcome}"}} 1.0' in metrics


async def test_a_full_spool_asks_to_come_again(tmp_path: Path) -> None:
    """503, so that the provider tries once more; nothing is said to be kept that is not."""
    async with serving(tmp_path, spool="100") as address:
        status, body, headers = await post(f"{address}/hook/main/{SECRET}", data={"CallSid": SID})
    assert (status, body, headers["Retry-After"]) == (503, "", "60")
    assert set() == known(tmp_path)


async def test_only_those_may_ask_who_are_on_the_list(tmp_path: Path) -> None:
    """Behind a trusted proxy, the client's own address counts, also for the metrics."""
    async with serving(
        tmp_path, trusted_proxies=["127.0.0.0/8"], allow=["203.0.113.0/24"]
    ) as address:
        url = f"{address}/hook/main/{SECRET}"
        fields = {"CallSid": SID}
        direct = await post(url, data=fields)
        other = await post(url, data=fields, headers={"X-Forwarded-For": "198.51.100.1"})
        right = await post(
            url, data=fields, headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
        )
        hidden = await post(
            f"{address}/metrics", method="GET", headers={"X-Forwarded-For": "203.0.113.9"}
        )
        shown = await post(f"{address}/metrics", method="GET")
    assert [a[0] for a in (direct, other, right, hidden, shown)] == [403, 403, 200, 404, 200]


async def test_more_than_the_rate_is_told_to_wait(tmp_path: Path) -> None:
    """Those without a secret use none of it up."""
    async with serving(tmp_path, per_second=2) as address:
        wrong = [await post(f"{address}/hook/main/x") for _ in range(5)]
        found = await asyncio.gather(
            *(post(f"{address}/hook/main/{SECRET}", data={"CallSid": SID}) for _ in range(12))
        )
    assert [answer[0] for answer in wrong] == [401] * 5
    statuses = [answer[0] for answer in found]
    assert {200, 429} == set(statuses)
    assert statuses.count(200) >= 2


async def test_slow_and_half_requests_hold_nobody_up(tmp_path: Path) -> None:
    """Their connections are closed in time, whatever of a request they have sent."""
    async with serving(tmp_path, connection_s=0.5) as address:
        host, _, port = address.removeprefix("http://").rpartition(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
        head = f"POST /hook/main/{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nCall"
        for number, (_, writer) in enumerate(slow):
            writer.write(head.encode()[: 5 + 7 * number])
        status, _, _ = await post(f"{address}/hook/main/{SECRET}", data={"CallSid": SID})
        async with asyncio.timeout(BOUND_S):
            ends = [await _rest(reader) for reader, _ in slow]
        for _, writer in slow:
            writer.close()
    assert status == 200
    assert all(not end or end.startswith(b"HTTP/1.1 4") for end in ends)


async def test_connections_without_end_keep_nobody_out(tmp_path: Path) -> None:
    """Where there are too many, the oldest has to go: it is the slowest."""
    async with serving(tmp_path) as address:
        host, _, port = address.removeprefix("http://").rpartition(":")
        idle = [await asyncio.open_connection(host, int(port)) for _ in range(MOST + 20)]
        for _, writer in idle:
            writer.write(b"POST /hook/main HT")
        answers = [
            await post(f"{address}/hook/main/{SECRET}", data={"CallSid": SID}) for _ in range(3)
        ]
        for _, writer in idle:
            writer.close()
    assert [answer[0] for answer in answers] == [200] * 3


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_health_tells_what_is_wrong(tmp_path: Path) -> None:
    """Alive in any case; ready only while callbacks are taken in."""
    async with serving(tmp_path) as address:
        alive = await post(f"{address}/healthz", method="GET")
        ready = await post(f"{address}/readyz", method="GET")
        with closing(sqlite3.connect(tmp_path / "state" / "catalog.db")) as line:
            line.execute("ALTER TABLE calls RENAME TO gone")
        await post(f"{address}/hook/main/{SECRET}", data={"CallSid": SID})
        async with asyncio.timeout(BOUND_S):
            while (await post(f"{address}/readyz", method="GET"))[0] == 200:  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.02)
        with closing(sqlite3.connect(tmp_path / "state" / "catalog.db")) as line:
            line.execute("ALTER TABLE gone RENAME TO calls")
        await until(lambda: known(tmp_path) == {SID})
    assert [alive[0], ready[0]] == [200, 200]


async def test_the_password_may_have_any_user(tmp_path: Path) -> None:
    """As the provider's dashboard takes ``https://user:password@host``."""
    async with serving(tmp_path) as address:
        header = b64encode(f":{SECRET}".encode()).decode()
        answer = await post(
            f"{address}/hook/main",
            data={"CallSid": SID},
            headers={"Authorization": f"Basic {header}"},
        )
    assert answer[0] == 200
    assert {SID} == known(tmp_path)
