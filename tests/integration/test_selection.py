"""Batches that leave calls out, and batches of an account that has no room."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import msgspec
import pytest
from arq import Retry

from archive.selection import Rule
from archive.wire import CallAnswer
from jobs.capacity import Capacity
from jobs.parts import Line
from tests.integration.workers import ACCOUNT, SIDS, Answering, Held, called, open_yard, run_batch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from archive.api import Api
    from jobs.parts import Parts


class Telling(Answering):
    """An API whose answers tell a direction: the first calls' inbound, the others' outbound."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def by_sids(self, sids: Sequence[str], _: object) -> list[CallAnswer]:
        """Answer for all."""
        self.asked += sids
        answers = await super().by_sids(sids, _)
        return [self._told(answer) for answer in answers]

    def _told(self, answer: CallAnswer) -> CallAnswer:
        direction = "inbound" if answer.facts.sid in SIDS[:2] else "outbound-api"
        facts = msgspec.structs.replace(called(answer.facts.sid), direction=direction)
        return msgspec.structs.replace(answer, facts=facts)


def give_rules(parts: Parts, api: Telling, *rules: Rule) -> None:
    """Let a worker's account have rules."""
    account = msgspec.structs.replace(ACCOUNT, selection=rules)
    fetcher = parts.lines["main"].fetcher
    parts.lines["main"] = Line(account, cast("Api", api), fetcher)


async def test_what_is_known_to_be_left_out_is_not_asked_for(tmp_path: Path) -> None:
    """Its rule is its reason; where the provider has to tell, it is asked for and not fetched."""
    fetcher, api = Held(), Telling()
    fetcher.go.set()
    async with open_yard(tmp_path) as yard:
        parts = await yard.worker("p", fetcher)
        rules = (Rule(name="sales", group=("Sales",)), Rule(name="out", direction=("outbound",)))
        give_rules(parts, api, *rules)
        await yard.catalog.write(
            lambda tx: tx.connection.execute(
                "UPDATE calls SET group_name = CASE sid WHEN ? THEN 'Sales' ELSE 'x' END", [SIDS[0]]
            )
        )
        await run_batch(parts)
        found = await yard.rows("SELECT sid, state, reason FROM calls ORDER BY sid")
        assert found == [
            (SIDS[0], "excluded", "sales"),
            (SIDS[1], "archived", ""),
            *[(sid, "excluded", "out") for sid in SIDS[2:]],
        ]
        assert SIDS[1:] == api.asked
        assert fetcher.fetched == 1


async def test_a_batch_without_room_goes_back_where_other_accounts_may_have_some(
    tmp_path: Path,
) -> None:
    """It claims nothing and is tried again; with one account it waits in its place."""
    async with open_yard(tmp_path) as yard:
        worker = await yard.worker("p", Held())
        capacity = Capacity(2, accounts=["main", "other"])
        parts = replace(worker, capacity=capacity)
        async with capacity.room(2, "main"):
            with pytest.raises(Retry):
                await run_batch(parts)
        assert await yard.states() == {"expected": len(SIDS)}
        assert await yard.rows("SELECT * FROM batches") == []
