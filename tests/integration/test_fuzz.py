"""A short run of ``make fuzz``, and the dice it falls by."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.episodes import OPTIONS, fuzzing
from tests.fuzz.mutations import MUTATIONS, Answer, Hostile, mutate, touched
from tests.provider import running_provider

if TYPE_CHECKING:
    from pathlib import Path

    from arq.connections import ArqRedis

FIRST, SECOND = "first0000000000000000000000197m", "second000000000000000000000197m"
ROWS = [{"Sid": sid, "RecordingUrl": f"http://a/{sid}.mp3"} for sid in (FIRST, SECOND)]
RIGHT = Answer(200, json.dumps({"Metadata": {}, "Calls": ROWS}).encode())
HOSTILE = Hostile("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", (FIRST, SECOND))


def dice_of(seed: int) -> random.Random:
    """Return dice that fall alike for a seed."""
    return random.Random(seed)  # noqa: S311 - made-up troubles


async def test_odd_answers_lose_no_call_and_settle_none_falsely(
    tmp_path: Path, pool: ArqRedis
) -> None:
    """Whatever the API answers: no exception, the books balance, and the truth wins in the end."""
    with running_provider(*OPTIONS) as provider:
        async with fuzzing(provider, pool, seed="make test") as fuzzer:
            for number in range(3):
                (tmp_path / f"{number}").mkdir()
                await fuzzer.episode(number, tmp_path / f"{number}")
    assert fuzzer.tally.episodes == 3
    assert fuzzer.tally.mutated > 20


def test_the_same_dice_spoil_alike() -> None:
    """So that a run can be repeated by its seed."""
    first, second = (
        [mutate(dice, RIGHT, HOSTILE) for _ in range(300)] for dice in (dice_of(7), dice_of(7))
    )
    assert first == second
    assert len({answer.body for answer in first}) > 100


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.__name__)
def test_each_mutation_changes_something(mutation: object) -> None:
    """None of them is idle, though one draw may be."""
    assert callable(mutation)
    changed = [mutation(dice_of(seed), RIGHT, HOSTILE) for seed in range(20)]
    assert any(answer != RIGHT for answer in changed)


def test_who_is_told_of_wrongly_is_known() -> None:
    """Those whose rows differ or are not there; nobody where the answer is nonsense."""
    both = {FIRST, SECOND}
    changed = json.dumps({"Calls": [ROWS[0], {"Sid": SECOND, "RecordingUrl": ""}]}).encode()
    assert touched(RIGHT, RIGHT, both) == set()
    assert touched(RIGHT, Answer(200, changed), both) == {SECOND}
    assert touched(RIGHT, Answer(200, b'{"Calls":[]}'), both) == both
    assert touched(RIGHT, Answer(200, RIGHT.body[:-1]), both) == set()
    assert touched(RIGHT, Answer(404, RIGHT.body), {FIRST}) == {FIRST}
