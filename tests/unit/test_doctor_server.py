"""What `doctor` says of the queue's server, systemd's units and the webhook."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.doctor import queue, server
from worker.doctor.check import Result
from worker.doctor.queue import Server
from worker.doctor.server import Unit

_GOOD = Server(
    version="8.0.1",
    policy="noeviction",
    persists=("AOF",),
    failing=(),
    role="master",
    used=10**6,
    most=0,
    ping_ms=0.2,
)


def _server(**more: Any) -> Server:  # noqa: ANN401 - fields of a server
    return msgspec.structs.replace(_GOOD, **more)


@pytest.mark.parametrize(
    ("judge", "changed", "expected"),
    [
        (queue.judge_server, {}, Result.PASSED),
        (queue.judge_server, {"own": "running"}, Result.PASSED),
        (queue.judge_server, {"version": ""}, Result.PASSED),
        (queue.judge_server, {"version": "6.0.16"}, Result.WARNED),
        (queue.judge_server, {"role": "slave"}, Result.FAILED),
        (queue.judge_policy, {}, Result.PASSED),
        (queue.judge_policy, {"policy": "allkeys-lru"}, Result.WARNED),
        (queue.judge_policy, {"policy": ""}, Result.SKIPPED),
        (queue.judge_persistence, {}, Result.PASSED),
        (queue.judge_persistence, {"persists": ()}, Result.WARNED),
        (queue.judge_persistence, {"persists": ("unknown",)}, Result.SKIPPED),
        (queue.judge_persistence, {"failing": ("AOF",)}, Result.WARNED),
        (queue.judge_memory, {}, Result.PASSED),
        (queue.judge_memory, {"most": 10**8}, Result.PASSED),
        (queue.judge_memory, {"most": 10**8, "used": 95 * 10**6}, Result.WARNED),
        (queue.judge_memory, {"most": 10**7}, Result.WARNED),
        (queue.judge_memory, {"most": 10**8, "used": 10**8}, Result.FAILED),
        (queue.judge_latency, {}, Result.PASSED),
        (queue.judge_latency, {"ping_ms": 21.0}, Result.WARNED),
    ],
)
def test_what_a_server_is_like(judge: Any, changed: dict[str, Any], expected: Result) -> None:  # noqa: ANN401 - a judgement
    """Each fact is judged by itself, and what is wrong has a remedy."""
    found = judge(_server(**changed))
    assert found.result is expected
    assert bool(found.do) is (expected in {Result.FAILED, Result.WARNED})


@pytest.mark.parametrize(
    ("info", "saves", "persists", "failing"),
    [
        ({"aof_enabled": 1, "aof_last_write_status": "ok"}, "", ("AOF",), ()),
        ({"aof_enabled": 1, "aof_last_write_status": "err"}, "", ("AOF",), ("AOF",)),
        ({"aof_enabled": 0}, "3600 1", ("RDB",), ()),
        ({"aof_enabled": 0, "rdb_last_bgsave_status": "err"}, "3600 1", ("RDB",), ("RDB",)),
        ({"aof_enabled": 0}, "", (), ()),
        ({"aof_enabled": 0}, None, ("unknown",), ()),
        ({}, None, ("unknown",), ()),
    ],
)
def test_persistence_is_read_as_far_as_it_is_told(
    info: dict[str, Any], saves: str | None, persists: tuple[str, ...], failing: tuple[str, ...]
) -> None:
    """Managed servers refuse to tell their configuration."""
    found = queue.read_info(info, saves, 0.1)
    assert (persists, failing) == (found.persists, found.failing)


@given(st.dictionaries(st.sampled_from(["maxmemory", "used_memory", "aof_enabled"]), st.text()))
def test_no_words_of_a_server_break_the_reading(info: dict[str, str]) -> None:
    """What is no number says nothing."""
    assert queue.read_info(info, None, 0.1).most == 0


_SHOWN = """\
Id=callvault-worker.service
ActiveState=active
Result=success
UnitFileState=enabled

Id=callvault-nightly.service
ActiveState=failed
Result=exit-code
UnitFileState=static
"""


def test_units_are_read() -> None:
    """Block by block."""
    assert server.read_units(_SHOWN) == [
        Unit("callvault-worker.service", "active", "success", "enabled"),
        Unit("callvault-nightly.service", "failed", "exit-code", "static"),
    ]


_WORKER = Unit("callvault-worker.service", "active", "success", "enabled")


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([_WORKER], Result.PASSED),
        ([_WORKER, Unit("callvault-nightly.service", "inactive", "success", "static")], "passed"),
        ([_WORKER, Unit("callvault-nightly.service", "failed", "exit-code", "static")], "failed"),
        ([_WORKER, Unit("callvault-nightly.service", "inactive", "timeout", "static")], "failed"),
        ([Unit("callvault-worker.service", "inactive", "success", "enabled")], Result.FAILED),
        ([Unit("callvault-worker.service", "inactive", "success", "disabled")], Result.WARNED),
    ],
)
def test_what_is_enabled_runs_and_ended_well(units: list[Unit], expected: str) -> None:
    """A night's unit is not active by day; how its last run ended is what counts."""
    assert server.judge_units(units).result == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://calls.example", "https://calls.example/hook/main"),
        ("https://calls.example/", "https://calls.example/hook/main"),
        ("https://calls.example/sub/", "https://calls.example/sub/hook/main"),
        ("https://calls.example/hook/other", "https://calls.example/hook/other"),
        ("https://calls.example/hook/main/the-secret", "https://calls.example/hook/main"),
        ("http://127.0.0.1:8080/hook/main", "http://127.0.0.1:8080/hook/main"),
        ("http://calls.example/hook/main", None),
        ("https://x:the-secret@calls.example/hook/main", None),
        ("https://calls.example/hook/main?secret=x", None),
        ("https://calls.example:99999/", None),
        ("nonsense", None),
        ("https:///hook/main", None),
    ],
)
def test_the_hook_is_asked_without_its_secret(text: str, expected: str | None) -> None:
    """An answer of 401 shows as well that the request came to us."""
    assert server.address_of(text, ["main"]) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Result.PASSED),
        (403, Result.WARNED),
        (200, Result.FAILED),
        (404, Result.FAILED),
        (502, Result.FAILED),
        (0, Result.FAILED),
    ],
)
def test_only_ours_asks_for_the_secret(status: int, expected: Result) -> None:
    """Whatever else answers there."""
    assert server.judge_public("calls.example", status, "").result is expected


def test_who_has_a_secret_receives_callbacks() -> None:
    """On the address of the settings."""
    assert server.judge_local("127.0.0.1:8080", 200, "").result is Result.PASSED
    assert server.judge_local("127.0.0.1:8080", 0, "no connection").result is Result.FAILED
    assert server.judge_local("127.0.0.1:8080", 404, "").result is Result.FAILED
