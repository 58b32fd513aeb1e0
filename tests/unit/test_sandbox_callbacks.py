"""Callbacks of the stand-in: what they say, which are lost, and how they are sent again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from sandbox.callbacks import Callback, Fate, callbacks_of
from sandbox.calling_back import call_back, due
from sandbox.calls import Provider

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROVIDER = Provider(
    calls=1_000,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=UTC,
    launched=NOW,
)
CALLS = [PROVIDER.call(index) for index in range(PROVIDER.calls)]


def sent(fate: Fate) -> list[list[Callback]]:
    """Return the callbacks about each call."""
    return [list(callbacks_of(call, PROVIDER, "host:1", fate)) for call in CALLS]


def test_each_call_has_one_callback_that_names_it_in_one_of_four_shapes() -> None:
    """Multipart, urlencoded, JSON, and Passthru's query."""
    found = [callback for one in sent(Fate()) for callback in one]
    assert [call.sid for call in CALLS] == [callback.sid for callback in found]
    first, second, third, fourth = found[:4]
    assert b'name="CallSid"\r\n\r\n' + first.sid.encode() in first.body
    assert [second.sid] == parse_qs(second.body.decode())["CallSid"]
    assert third.sid == json.loads(third.body)["CallSid"]
    assert ("GET", [fourth.sid]) == (fourth.method, parse_qs(fourth.query)["CallSid"])


def test_shares_are_lost_doubled_and_late() -> None:
    """About as many as asked for, the same ones each time."""
    fate = Fate(lost=20, doubled=30, late=10)
    found = sent(fate)
    assert found == sent(fate)
    assert 150 < sum(not one for one in found) < 250
    assert 180 < sum(len(one) == 2 for one in found) < 300
    late = timedelta(minutes=1)
    ends = {call.sid: call.ended_at for call in CALLS}
    there = [one[0] for one in found if one]
    assert 50 < sum(callback.at - ends[callback.sid] > late for callback in there) < 150
    assert found != sent(replace(fate, seed="others"))


def test_only_calls_that_have_just_ended_or_will_end_are_told_of() -> None:
    """In the order of time."""
    middle = CALLS[500].ended_at
    found = due(PROVIDER, "host:1", Fate(), middle)
    expected = {call.sid for call in CALLS if call.ended_at >= middle - timedelta(minutes=1)}
    assert expected == {callback.sid for callback in found}
    assert found == sorted(found, key=lambda callback: callback.at)


@pytest.mark.parametrize(("answers", "requests"), [([200], 1), ([503, 200], 2), ([500] * 9, 3)])
async def test_what_is_not_answered_with_success_is_sent_again_twice(
    answers: list[int], requests: int
) -> None:
    """Five and fifteen minutes later, here of no length, and then never again."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, (await request.post())["CallSid"]))
        return web.Response(status=answers[len(seen) - 1])

    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        callback = sent(Fate())[1][0]
        await call_back(f"http://127.0.0.1:{port}/hook", [callback], minute=1e-6)
    finally:
        await runner.cleanup()
    assert [("POST", callback.sid)] * requests == seen


def test_calls_of_hours_are_listed_as_long_as_they_last() -> None:
    """A share of the recorded ones lasts up to four hours, and the others are as they were."""
    hours = replace(PROVIDER, hours=0.2)
    pairs = [(hours.call(index), call) for index, call in enumerate(CALLS)]
    changed = [one for one, before in pairs if one.duration != before.duration]
    assert 80 < len(changed) < 220
    lengths = [call.ended_at - call.started_at for call in changed]
    assert timedelta(hours=3) < max(lengths) <= timedelta(hours=4)
    assert all(call.ended_at - call.started_at <= hours.longest for call, _ in pairs)
