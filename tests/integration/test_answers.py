"""Answers that are no symptom: odd ones that say enough, and those without a recording.

The real job against the stand-in over HTTP, as in `test_symptoms`.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from archive.call import CallFacts, Source
from archive.clock import from_ms
from archive.verdicts import Symptom
from tests.integration.working import SECRETS, Worker, called

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from arq.connections import ArqRedis

    from tests.integration.working import Recorded

RECHECK: Final = timedelta(minutes=10)
NOBODYS: Final = "nobody0has0this0sid0at0all0197m"
UNANSWERED: Final = ("no-answer", "busy", "failed", "canceled", "inbound-unanswered")


@asynccontextmanager
async def working(tmp_path: Path, recorded: Recorded, pool: ArqRedis) -> AsyncIterator[Worker]:
    """Open a worker on a provider that is in order; see in the end that no secret went astray."""
    provider = recorded.provider
    provider.heal()
    provider.reset()
    worker = Worker(tmp_path, provider.account, pool)
    try:
        async with worker.open():
            yield worker
            assert await worker.held() == []
            assert await worker.faults_of_the_books() == []
    finally:
        provider.heal()
    assert provider.stats()["misplaced_credentials"] == 0
    assert worker.secrets_on_disk(SECRETS) == []


def variant(kind: str, name: str) -> dict[str, Any]:
    """Return a fault of the API's JSON."""
    return {"kind": kind, "where": "api", "parameters": {"variant": name}}


async def standing(worker: Worker, sid: str) -> tuple[str, str]:
    """Return a call's state and reason."""
    row = await worker.row(sid)
    return row["state"], row["reason"]


@pytest.mark.parametrize(
    "fault",
    [
        variant("json-types", "metadata-text"),
        variant("json-types", "status-list"),
        variant("json-types", "times-number"),
        variant("json-types", "duration-object"),
        variant("json-fields", "no-metadata"),
        variant("json-fields", "no-status"),
        variant("json-fields", "no-times"),
        {"kind": "leave-out", "where": "listing"},
        {"kind": "wrong-type", "where": "all"},
        {"kind": "clock-skew", "where": "all"},
        {"kind": "latency", "where": "all", "parameters": {"delay": 0.05}},
    ],
    ids=str,
)
async def test_an_odd_answer_that_says_enough_is_enough(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, fault: dict[str, Any]
) -> None:
    """Fields of other types or none, other headers, a row too few: archived at the first look."""
    (call,) = recorded.take(1)
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({**fault, "sid": call["sid"]})
        await worker.take_in(called(call))

        await worker.run(call["sid"])

        assert await standing(worker, call["sid"]) == ("archived", "")
        assert {call["sid"]: call["sha256"]} == worker.recordings()
        assert worker.quarantined() == []
    assert recorded.provider.stats()["faults"]


async def test_more_bytes_than_were_promised_spoil_nothing(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """They are taken for no part of the recording, or for no HTTP: then it is fetched again."""
    (call,) = recorded.take(1)
    sid = call["sid"]
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({"kind": "longer", "where": "hosts", "sid": sid, "times": 3})
        await worker.take_in(called(call))
        for _ in range(4):
            await worker.run(sid)
            assert worker.recordings() in ({}, {sid: call["sha256"]})
            worker.now += timedelta(minutes=1)
        assert await standing(worker, sid) == ("archived", "")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "null-url", "where": "api"},
        variant("json-fields", "no-url"),
        variant("json-types", "url-object"),
    ],
    ids=str,
)
async def test_a_url_that_shows_up_later_is_followed(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, fault: dict[str, Any]
) -> None:
    """After one look without it by itself; after two the call is absent, and comes by a retry."""
    (call,) = recorded.take(1)
    sid = call["sid"]
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({**fault, "sid": sid, "times": 1})
        await worker.take_in(called(call))
        await worker.run(sid)
        row = await worker.row(sid)
        assert (row["state"], row["reason"], row["late_looks"]) == (
            *("expected", "no-recording-yet"),
            1,
        )
        assert (
            from_ms(row["due_ms"])
            - worker.now.replace(microsecond=worker.now.microsecond // 1000 * 1000)
            == RECHECK
        )
        assert (row["tries"], row["refreshes"]) == (0, 0)
        worker.now += RECHECK
        await worker.run(sid)
        assert await standing(worker, sid) == ("archived", "")
        assert {sid: call["sha256"]} == worker.recordings()


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(0), ("absent", "not-recorded")),
        (timedelta(days=31), ("lost", "past-retention")),
    ],
)
async def test_a_settled_call_is_taken_back_when_its_url_shows_up(
    tmp_path: Path,
    recorded: Recorded,
    pool: ArqRedis,
    later: timedelta,
    expected: tuple[str, str],
) -> None:
    """Two looks without a URL settle it, by its age; a retry asks once more, and archives it."""
    (call,) = recorded.take(1)
    sid = call["sid"]
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({"kind": "null-url", "where": "api", "sid": sid})
        await worker.take_in(called(call))
        worker.now += later
        await worker.run(sid)
        worker.now += RECHECK
        await worker.run(sid)
        assert expected == await standing(worker, sid)

        recorded.provider.heal()
        await worker.run(sid)
        assert expected == await standing(worker, sid)
        assert await worker.put_back(sid) == 1
        await worker.run(sid)
        assert await standing(worker, sid) == ("archived", "")
        assert {sid: call["sha256"]} == worker.recordings()


@pytest.mark.parametrize("age", [timedelta(seconds=90), timedelta(minutes=5)], ids=str)
async def test_a_young_call_without_a_url_is_not_ready(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, age: timedelta
) -> None:
    """It is looked at again within a minute, and no late look is counted."""
    (call,) = recorded.take(1)
    sid = call["sid"]
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({"kind": "null-url", "where": "api", "sid": sid})
        worker.now = datetime.fromisoformat(call["ended_at"]) + age
        await worker.take_in(called(call))
        await worker.run(sid)
        row = await worker.row(sid)
        assert (row["state"], row["reason"], row["late_looks"], row["looks"]) == (
            *("expected", "not-ready"),
            *(0, 1),
        )
        assert timedelta(0) < from_ms(row["due_ms"]) - worker.now <= timedelta(seconds=51)


@pytest.mark.parametrize("kind", [*UNANSWERED, "too-short", "not-recorded"])
async def test_a_call_without_a_recording_is_absent_with_its_reason(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis, kind: str
) -> None:
    """Of each kind; known by its Sid alone it takes two looks."""
    call = recorded.without(kind)
    reason = "no-answer" if kind in UNANSWERED else kind
    async with working(tmp_path, recorded, pool) as worker:
        await worker.take_in(CallFacts(sid=call["sid"]), source=Source.SIDS)
        await worker.run(call["sid"])
        assert await standing(worker, call["sid"]) == ("expected", "no-recording-yet")
        worker.now += RECHECK
        await worker.run(call["sid"])
        assert await standing(worker, call["sid"]) == ("absent", reason)


async def test_a_sid_that_the_provider_does_not_know_is_left_to_a_person(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """Asked for in every month of the provider's history, then singly, and all of it twice."""
    async with working(tmp_path, recorded, pool) as worker:
        await worker.take_in(CallFacts(sid=NOBODYS), source=Source.SIDS)
        await worker.run(NOBODYS)
        row = await worker.row(NOBODYS)
        assert (
            *(row["state"], row["reason"]),
            row["late_looks"],
        ) == ("expected", Symptom.CALL_UNKNOWN, 1)
        worker.now = from_ms(row["due_ms"])
        await worker.run(NOBODYS)
        assert await standing(worker, NOBODYS) == ("failed", Symptom.CALL_UNKNOWN)
        stats = recorded.provider.stats()
        assert stats["call"] == {"404": 2}
        assert set(stats["listing"]) == {"200"}
        assert stats["listing"]["200"] == 14


async def test_one_refused_sid_keeps_no_other_call_from_its_recording(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """The request is halved until the refused one is found; the neighbours are archived at once."""
    calls = recorded.take(16)
    odd, sound = calls[5], calls[:5] + calls[6:]
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({"kind": "bad-request", "where": "api", "sid": odd["sid"]})
        await worker.take_in(*map(called, calls))
        await worker.run(*(call["sid"] for call in calls))
        assert {call["sid"]: call["sha256"] for call in sound} == worker.recordings()
        assert await standing(worker, odd["sid"]) == ("expected", Symptom.API_REFUSED)


async def test_a_recording_that_is_gone_for_twenty_minutes_is_archived_then(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """Weeks before its deletion, three looks at a 404 make no call lost within half an hour."""
    (call,) = recorded.take(1)
    sid = call["sid"]
    async with working(tmp_path, recorded, pool) as worker:
        recorded.provider.spoil({"kind": "not-found", "where": "hosts", "sid": sid})
        await worker.take_in(called(call))
        since = worker.now
        for _ in range(3):
            await worker.run(sid)
            assert await standing(worker, sid) == ("expected", "fetch-gone")
            worker.now = from_ms((await worker.row(sid))["due_ms"])
        assert 3 * RECHECK - timedelta(seconds=1) <= worker.now - since
        recorded.provider.heal()
        await worker.run(sid)
        assert await standing(worker, sid) == ("archived", "")


async def test_a_recording_that_is_gone_after_its_deletion_is_lost_at_once(
    tmp_path: Path, recorded: Recorded, pool: ArqRedis
) -> None:
    """Nothing is to be waited for: the table's seconds are enough."""
    (call,) = recorded.take(1)
    sid = call["sid"]
    async with working(tmp_path, recorded, pool) as worker:
        worker.now = datetime.fromisoformat(call["started_at"]) + timedelta(days=30)
        recorded.provider.spoil({"kind": "not-found", "where": "hosts", "sid": sid})
        await worker.take_in(called(call))
        since = worker.now
        for _ in range(4):
            await worker.run(sid)
            worker.now = max(worker.now, from_ms((await worker.row(sid))["due_ms"]))
        assert worker.now - since <= timedelta(seconds=2 + 4 + 8)
        assert await standing(worker, sid) == ("lost", "fetch-gone")
