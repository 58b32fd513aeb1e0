"""The files of changed days on a real catalog: written, throttled, and never over another's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from archive.call import CallFacts
from archive.catalog.writer import Catalog
from archive.errors import CatalogError
from archive.layout import CHECKSUMS, MANIFEST
from archive.manifest import Line, lines_of
from jobs.daykeeper import DayKeeper, settle_days, write_changed_days
from tests.unit.books import SIDS, called, proved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.unit.books import Books

DAY = "main/2026/02/09"


@asynccontextmanager
async def opened(books: Books) -> AsyncIterator[Catalog]:
    """Open the catalog of the books as a supervisor does."""
    catalog = await Catalog.open(books.path)
    try:
        yield catalog
    finally:
        await catalog.close()


def told(root: Path, folder: str = DAY) -> dict[str, str]:
    """Return the state of each call that a manifest tells of."""
    lines = list(lines_of(root / folder / MANIFEST, folder))
    return {line.sid: str(line.state) for line in lines if isinstance(line, Line)}


def archive(books: Books, sid: str) -> None:
    """Archive one call."""
    books.add(called(sid))
    books.claim(sid, lease=sid)
    books.archive(proved(sid), lease=sid)


def behind(books: Books) -> list[str]:
    """Return the folders that are behind."""
    return [row[0] for row in books.sql("SELECT folder FROM changed_days ORDER BY folder")]


async def test_all_that_changed_is_written(books: Books, tmp_path: Path) -> None:
    """Manifests of days and of calls without one, checksums where there are recordings."""
    archive(books, SIDS[0])
    books.add(called(SIDS[1]), CallFacts(sid=SIDS[2]))
    async with opened(books) as catalog:
        assert await write_changed_days(catalog, tmp_path) == 0
    assert behind(books) == []
    assert told(tmp_path) == {SIDS[0]: "archived", SIDS[1]: "expected"}
    assert told(tmp_path, "main") == {SIDS[2]: "expected"}
    assert (tmp_path / DAY / CHECKSUMS).read_text() == f"{'ab' * 32}  17/{SIDS[0]}.mp3\n"
    assert not (tmp_path / "main" / CHECKSUMS).exists()


async def test_a_change_is_written_over_the_own_manifest(books: Books, tmp_path: Path) -> None:
    """Nothing is set aside that this catalog wrote itself."""
    books.add(called(SIDS[0]))
    async with opened(books) as catalog:
        await write_changed_days(catalog, tmp_path)
        books.add(called(SIDS[1]))
        await write_changed_days(catalog, tmp_path)
    assert set(told(tmp_path)) == {*SIDS[:2]}
    assert [path.name for path in (tmp_path / DAY).iterdir()] == [MANIFEST]


async def test_a_former_catalogs_manifest_is_kept(books: Books, tmp_path: Path) -> None:
    """A new catalog knows less than it: it gets another name and can still be rebuilt from."""
    (tmp_path / DAY).mkdir(parents=True)
    (tmp_path / DAY / MANIFEST).write_text("what was known")
    books.add(called(SIDS[0]))
    async with opened(books) as catalog:
        assert await write_changed_days(catalog, tmp_path) == 0
    assert set(told(tmp_path)) == {SIDS[0]}
    (aside,) = (tmp_path / DAY).glob("manifest.*.jsonl")
    assert aside.read_text() == "what was known"


async def test_a_folder_that_cannot_be_written_stays_behind(books: Books, tmp_path: Path) -> None:
    """It is told by the count, and hinders no other."""
    books.add(called(SIDS[0]), CallFacts(sid=SIDS[1]))
    (tmp_path / "main").mkdir()
    (tmp_path / "main/2026").touch()
    async with opened(books) as catalog:
        assert await write_changed_days(catalog, tmp_path) == 1
    assert behind(books) == [DAY]
    assert set(told(tmp_path, "main")) == {SIDS[1]}


async def test_a_stop_leaves_the_rest_for_the_next_run(books: Books, tmp_path: Path) -> None:
    """With no patience left nothing is begun, and all stays marked."""
    books.add(called(SIDS[0]), CallFacts(sid=SIDS[1]))
    async with opened(books) as catalog:
        assert await write_changed_days(catalog, tmp_path, patience_s=-1) == 2
    assert behind(books) == ["main", DAY]
    assert not (tmp_path / "main").exists()


async def settled(keeper: DayKeeper) -> None:
    """Wait until what the keeper has begun is over."""
    if keeper._writing is not None:
        await asyncio.wait({keeper._writing})


async def test_a_keeper_writes_and_lets_a_folder_rest(books: Books, tmp_path: Path) -> None:
    """A day that keeps changing is not written at every look; at the end of a run it is."""
    books.add(called(SIDS[0]))
    async with opened(books) as catalog:
        async with DayKeeper(catalog, tmp_path) as keeper:
            await keeper.tick()
            await settled(keeper)
            assert set(told(tmp_path)) == {SIDS[0]}
            # As if the writing had taken an hour.
            keeper._rests[DAY] += 3600
            books.add(called(SIDS[1]), CallFacts(sid=SIDS[2]))
            await keeper.tick()
            await settled(keeper)
            assert set(told(tmp_path)) == {SIDS[0]}
            assert set(told(tmp_path, "main")) == {SIDS[2]}
            keeper._rests.clear()
            await keeper.tick()
            await settled(keeper)
            assert set(told(tmp_path)) == {*SIDS[:2]}
        books.add(called(SIDS[3]))
        assert await write_changed_days(catalog, tmp_path) == 0
    assert set(told(tmp_path)) == {*SIDS[:2], SIDS[3]}


async def test_a_catalog_that_was_replaced_is_written_from_no_more(
    books: Books, tmp_path: Path
) -> None:
    """A new one would leave empty manifests: the keeper says so at its next turn."""
    books.add(called(SIDS[0]))
    async with opened(books) as catalog:
        books.path.rename(books.path.with_name("elsewhere"))
        async with DayKeeper(catalog, tmp_path) as keeper:
            await keeper.tick()
            await settled(keeper)
            with pytest.raises(CatalogError, match="removed or replaced"):
                await keeper.tick()
    assert not (tmp_path / "main").exists()


async def test_days_that_are_still_behind_are_looked_at_again_at_the_end_of_a_run(
    books: Books, tmp_path: Path
) -> None:
    """Whatever is in the way, another supervisor or a file: some times, and not for ever."""
    books.add(called(SIDS[0]))
    (tmp_path / DAY).parent.mkdir(parents=True)
    (tmp_path / DAY).touch()
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            (tmp_path / DAY).unlink()

    async with opened(books) as catalog:
        assert await settle_days(catalog, tmp_path, sleep=rest, dice=lambda: 0.5)
        assert len(rests) == 3
        assert behind(books) == []
        assert told(tmp_path) == {SIDS[0]: "expected"}

        archive(books, SIDS[1])
        (tmp_path / DAY / MANIFEST).unlink()
        (tmp_path / DAY / MANIFEST).mkdir()
        assert not await settle_days(catalog, tmp_path, sleep=rest, dice=lambda: 0.5)
    assert behind(books) == [DAY]
