"""Damaged files are taken in only where nothing better can come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog.processes import Beat
from archive.catalog.writer import Catalog
from jobs.adopt import Adopter
from tests.unit.books import ACCOUNT, NOW, SIDS, called
from tests.unit.vaulted import Vaulted, sound

if TYPE_CHECKING:
    from pathlib import Path


async def adopt(vaulted: Vaulted, folder: Path, *, damage: str, min_free: int = 0) -> list[str]:
    """Adopt a folder of files that are all damaged in one way; return what was told."""
    told: list[str] = []
    catalog = await Catalog.open(vaulted.catalog)
    try:
        await Adopter(
            catalog=catalog,
            store=vaulted.store,
            account=ACCOUNT,
            sign=Beat(
                process="adopt",
                host="here",
                pid=1,
                version="1",
                started_at=NOW,
                recordings=0,
                bytes=0,
            ),
            clock=lambda: NOW,
            copies=False,
            dry_run=False,
            min_free=min_free,
            notice=lambda file, outcome, _: told.append(f"{file.name}: {outcome}"),
            progress=lambda _: None,
            damage=lambda _: damage,
        ).run(folder)
    finally:
        await catalog.close()
    return told


@pytest.mark.parametrize(
    ("days", "damage", "outcome", "state"),
    [
        (1, "cut", "damaged", "expected"),
        (31, "cut", "adopted", "archived"),
        (1, "", "adopted", "archived"),
    ],
)
async def test_a_damaged_file_waits_for_the_provider(
    vaulted: Vaulted, days: int, damage: str, outcome: str, state: str
) -> None:
    """While the provider keeps the recording (30 days) it is left; afterwards it is flagged."""
    began = NOW - timedelta(days=days)
    vaulted.books.add(called(SIDS[0], started_at=began, ended_at=began))
    folder = vaulted.folder / "downloads"
    folder.mkdir()
    (folder / f"{SIDS[0]}.mp3").write_bytes(sound(0))

    assert await adopt(vaulted, folder, damage=damage) == [f"{SIDS[0]}.mp3: {outcome}"]

    assert vaulted.state(SIDS[0])[0] == state
    flags = [row[0] for row in vaulted.books.sql("SELECT flag FROM recordings")]
    assert flags == ([damage] if outcome == "adopted" and damage else [""] * len(flags))
    assert vaulted.store.parts() == []


async def test_it_beats_and_says_goodbye(vaulted: Vaulted) -> None:
    """So that workers leave its calls to it, and take back at once what it may leave."""
    folder = vaulted.folder / "downloads"
    folder.mkdir()
    await adopt(vaulted, folder, damage="")
    (row,) = vaulted.books.sql("SELECT process, host, beat_ms FROM processes")
    assert (row["process"], row["host"]) == ("adopt", "here")
    assert row["beat_ms"] < NOW.timestamp() * 1000 - 45_000
