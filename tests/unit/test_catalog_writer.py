"""The catalog for asynchronous callers: many writes in one commit, each with its own outcome."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from archive.catalog.writer import Catalog
from archive.errors import CatalogError
from tests.unit.books import by_hand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from archive.catalog.database import Tx
    from tests.postgresql import Server


@asynccontextmanager
async def opened(where: str | Path) -> AsyncIterator[Catalog]:
    """Open a catalog, and close it in the end."""
    catalog = await Catalog.open(where)
    try:
        yield catalog
    finally:
        await catalog.close()


class Gate:
    """A write that holds the writer up until it is let go, so that others gather behind it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, _tx: Tx) -> None:
        """Wait."""
        self.begun.set()
        assert self.go.wait(30)


def note(tx: Tx, /, name: str, *, fail: bool = False) -> str:
    """Write a row of that name, and fail after it if told to."""
    by_hand(tx, "INSERT INTO owned_days (root, folder) VALUES (1, ?)", name)
    if fail:
        raise LookupError(name)
    return name


def noted(tx: Tx) -> list[str]:
    """Return the names of all rows written."""
    return [row[0] for row in by_hand(tx, "SELECT folder FROM owned_days ORDER BY folder")]


async def test_each_write_has_its_result_once_it_can_be_read(where: str | Path) -> None:
    """Two hundred at once, in a few transactions."""
    names = [f"{index:03}" for index in range(200)]
    async with opened(where) as catalog:
        assert names == await asyncio.gather(*(catalog.write(note, name) for name in names))
        assert names == await catalog.read(noted)


async def test_a_write_that_fails_spoils_no_neighbour(where: str | Path) -> None:
    """It is undone alone, and its error comes to its own caller."""
    async with opened(where) as catalog:
        gate = Gate()
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(catalog.write(gate))]
        await asyncio.to_thread(gate.begun.wait, 30)
        tasks += [
            asyncio.create_task(catalog.write(note, name, fail=name in "bd")) for name in "abcde"
        ]
        await asyncio.wait(tasks, timeout=0)
        gate.go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [
            repr(result) if isinstance(result, Exception) else result for result in results
        ] == [None, "a", "LookupError('b')", "c", "LookupError('d')", "e"]
        assert await catalog.read(noted) == ["a", "c", "e"]


async def test_nothing_is_said_to_be_written_that_is_not(where: str | Path) -> None:
    """Where the whole transaction is lost, as on a full disk, all of its callers are told."""

    def lose(tx: Tx) -> None:
        tx.connection.execute("ROLLBACK")

    async with opened(where) as catalog:
        gate = Gate()
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(catalog.write(gate))]
        await asyncio.to_thread(gate.begun.wait, 30)
        tasks += [asyncio.create_task(catalog.write(note, name)) for name in "abc"]
        lost = asyncio.create_task(catalog.write(lose))
        tasks += [asyncio.create_task(catalog.write(note, name)) for name in "def"]
        await asyncio.wait(tasks, timeout=0)
        gate.go.set()
        with pytest.raises(CatalogError, match="writing to the catalog"):
            await lost
        results = await asyncio.gather(*tasks, return_exceptions=True)
        said = sorted(result for result in results if isinstance(result, str))
        assert said == await catalog.read(noted)
        assert await catalog.write(note, "later") == "later"


async def test_a_write_goes_on_when_its_caller_is_cancelled(where: str | Path) -> None:
    """What a batch gives back while it is being stopped is given back."""
    async with opened(where) as catalog:
        gate = Gate()
        first = asyncio.create_task(catalog.write(gate))
        await asyncio.to_thread(gate.begun.wait, 30)
        caller = asyncio.create_task(catalog.write(note, "a"))
        await asyncio.wait([caller], timeout=0)
        caller.cancel()
        gate.go.set()
        await first
        await catalog.write(note, "b")
        assert await catalog.read(noted) == ["a", "b"]


async def test_nobody_has_to_hear_of_a_write_whose_caller_was_cancelled(
    where: str | Path,
) -> None:
    """That it failed is said to nobody: it is no error that was overlooked."""
    overlooked: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: overlooked.append(told))
    async with opened(where) as catalog:
        gate = Gate()
        held = asyncio.create_task(catalog.write(gate))
        await asyncio.to_thread(gate.begun.wait, 30)
        failing = asyncio.create_task(catalog.write(note, "a", fail=True))
        await asyncio.wait([failing], timeout=0)
        failing.cancel()
        await asyncio.wait([failing])
        gate.go.set()
        await held
        await catalog.write(note, "b")
        assert await catalog.read(noted) == ["b"]
    del failing
    gc.collect()
    assert overlooked == []


async def test_closing_writes_what_was_asked_for(where: str | Path) -> None:
    """Nothing is taken afterwards; closing twice is the same as once."""
    catalog = await Catalog.open(where)
    gate = Gate()
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(catalog.write(gate))]
    await asyncio.to_thread(gate.begun.wait, 30)
    tasks += [asyncio.create_task(catalog.write(note, name)) for name in "abc"]
    await asyncio.wait(tasks, timeout=0)
    closing = asyncio.create_task(catalog.close())
    await asyncio.wait([closing], timeout=0)
    gate.go.set()
    assert await asyncio.gather(*tasks) == [None, "a", "b", "c"]
    await closing
    with pytest.raises(CatalogError, match="after it was closed"):
        await catalog.write(note, "d")
    await catalog.close()
    async with opened(where) as again:
        assert await again.read(noted) == ["a", "b", "c"]


async def test_an_error_while_reading_is_the_readers(where: str | Path) -> None:
    """The driver's errors are said as the catalog's; the next read works."""

    def broken(tx: Tx) -> None:
        tx.connection.execute("SELECT * FROM nowhere")

    async with opened(where) as catalog:
        with pytest.raises(CatalogError, match=r"reading the catalog .*nowhere"):
            await catalog.read(broken)
        assert await catalog.read(noted) == []


async def test_writes_that_wait_for_each_other_in_a_circle_are_both_done(
    postgresql: Server,
) -> None:
    """The server undoes one of them, which is then done again; nobody is told of an error."""
    url = postgresql.emptied()
    met = threading.Barrier(2)
    tries: list[str] = []

    def touch(tx: Tx, /, *names: str) -> str:
        for name in names:
            by_hand(tx, "UPDATE pauses SET strikes = strikes + 1 WHERE scope = ?", name)
            tries.append(name)
            if len(tries) <= 2:
                met.wait(30)
        return names[0]

    async with opened(url) as one, opened(url) as other:
        for name in ("a", "b"):
            await one.write(note_pause, name)
        told = await asyncio.gather(one.write(touch, "a", "b"), other.write(touch, "b", "a"))
        assert tuple(told) == ("a", "b")
        strikes = await one.read(lambda tx: by_hand(tx, "SELECT strikes FROM pauses"))
    assert [tuple(row) for row in strikes] == [(2,), (2,)]
    assert len(tries) > 4


def note_pause(tx: Tx, scope: str) -> None:
    """Write a row that others change."""
    by_hand(tx, "INSERT INTO pauses VALUES (?, '', '', 0, 0, 0, 0)", scope)


async def test_a_catalog_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    """The error is that of opening it."""
    (tmp_path / "catalog.db").write_bytes(b"no catalog\n" * 100)
    with pytest.raises(CatalogError, match="opening the catalog"):
        await Catalog.open(tmp_path / "catalog.db")
