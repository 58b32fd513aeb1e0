"""Verify while others work: what is archived meanwhile is neither missing nor too many."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from archive.catalog import verify as rows
from archive.catalog.sqlite import SqliteDatabase
from archive.reading import Pace
from archive.verify import Scope, Verifier
from tests.unit.books import SIDS, called
from tests.unit.vaulted import Vaulted, sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from archive.catalog.verify import Finding


def found(vaulted: Vaulted, meanwhile: Callable[[], object]) -> list[Finding]:
    """Verify, with something that happens when the first file is read; return the findings."""
    pending = [meanwhile]

    def step(_: int) -> None:
        while pending:
            pending.pop()()

    database = SqliteDatabase(vaulted.catalog)
    try:
        Verifier(
            database=database,
            root=vaulted.root,
            scope=Scope(accounts=("main",)),
            pace=Pace(None),
            dice=random.random,
            progress=step,
        ).run()
        with database.scratch() as tx:
            return rows.page_after(tx, 0)
    finally:
        database.close()


def test_a_recording_archived_meanwhile_is_no_finding(vaulted: Vaulted) -> None:
    """Its file was seen before its row was."""
    vaulted.archive(SIDS[0], sound(0))
    facts = called(SIDS[1])
    vaulted.books.add(facts)
    vaulted.books.claim(SIDS[1])
    proof = vaulted.publish(facts, sound(1))
    vaulted.write_days()
    assert found(vaulted, lambda: vaulted.books.archive(proof)) == []


def test_a_recording_that_is_put_back_meanwhile_is_no_finding(vaulted: Vaulted) -> None:
    """It was missing when the folder was looked at, and is there when it is told."""
    vaulted.archive(SIDS[0], sound(0))
    path = vaulted.archive(SIDS[1], sound(1))
    vaulted.write_days()
    vaulted.file(path).rename(vaulted.folder / "away")
    again = vaulted.file(path)
    assert found(vaulted, lambda: (vaulted.folder / "away").rename(again)) == []


def test_a_recording_that_goes_from_the_catalog_is_no_finding(vaulted: Vaulted) -> None:
    """Another verify may have put it back in line."""
    vaulted.archive(SIDS[0], sound(0))
    path = vaulted.archive(SIDS[1], sound(1))
    vaulted.write_days()
    vaulted.file(path).unlink()
    vaulted.sidecar(path).unlink()

    def forget() -> None:
        vaulted.books.sql("DELETE FROM recordings WHERE sid = ?", SIDS[1])

    assert found(vaulted, forget) == []


def test_all_threads_together_keep_to_the_pace() -> None:
    """Each waits until what was read before it, and itself, is due."""
    now = 100.0
    waited: list[float] = []
    pace = Pace(1000, clock=lambda: now, sleep=waited.append)
    for _ in range(3):
        pace.take(500)
    assert waited == [0.5, 1.0, 1.5]
    now += 60
    pace.take(1000)
    assert waited[3:] == [1.0]
