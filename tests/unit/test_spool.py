"""Where callbacks lie until the catalog has them: `jobs.spool` and `jobs.taking`."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from archive.catalog.hearings import Heard, hearings
from archive.catalog.writer import Catalog
from archive.errors import StoreError
from archive.readiness import Readiness
from jobs.callbacks import facts_of
from jobs.spool import Kept, Spool, lines_of
from jobs.taking import Taker, stretches
from tests.unit.books import ACCOUNT, NOW, SIDS

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from archive.call import CallFacts
    from archive.catalog.intake import Intake

MIB = 2**20


def kept(number: int, account: str = "main") -> Kept:
    """Return a callback about a call."""
    fields = {"CallSid": f"{number:031d}z", "Status": "completed"}
    return Kept(NOW + timedelta(seconds=number), account, fields)


async def test_what_was_kept_is_taken_once_and_in_order(tmp_path: Path) -> None:
    """Many that come together, over several segments."""
    spool = await Spool.open(tmp_path, most_bytes=MIB)
    await asyncio.gather(*(spool.keep(kept(number)) for number in range(100)))
    first = await spool.take()
    await spool.keep(kept(100))
    found = [line for segment in await spool.take() for line in lines_of(segment)]
    assert [kept(number) for number in range(101)] == found
    assert len(first) == 1
    for segment in await spool.take():
        await spool.remove(segment)
    assert (await spool.take(), spool.size) == ([], 0)
    await spool.close()


async def test_a_half_line_of_a_crash_spoils_no_other(tmp_path: Path) -> None:
    """It was never answered. What came before and after it is there."""
    spool = await Spool.open(tmp_path, most_bytes=MIB)
    await spool.keep(kept(1))
    await spool.close()
    tear(tmp_path)
    again = await Spool.open(tmp_path, most_bytes=MIB)
    await again.keep(kept(2))
    found = [line for one in await again.take() for line in lines_of(one)]
    assert [kept(1), b'{"received_at":"2026-', kept(2)] == found
    await again.close()


def tear(folder: Path) -> None:
    """Leave half a line at the end of the segment, as a crash does."""
    (segment,) = folder.glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(b'{"received_at":"2026-')


async def test_a_spool_belongs_to_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one is told so; once the first has closed it, it is free."""
    monkeypatch.setattr("jobs.spool._LOCK_S", 0.05)
    spool = await Spool.open(tmp_path, most_bytes=MIB)
    with pytest.raises(StoreError, match="another process receives callbacks"):
        await Spool.open(tmp_path, most_bytes=MIB)
    await spool.close()
    await (await Spool.open(tmp_path, most_bytes=MIB)).close()


async def test_a_full_spool_takes_no_more_until_some_is_gone(tmp_path: Path) -> None:
    """What is in it stays."""
    spool = await Spool.open(tmp_path, most_bytes=300)
    await spool.keep(kept(1))
    with pytest.raises(StoreError, match="as many as may"):
        await asyncio.gather(*(spool.keep(kept(number)) for number in range(2, 9)))
    for segment in await spool.take():
        await spool.remove(segment)
    await spool.keep(kept(9))
    await spool.close()


async def test_a_disk_that_refuses_is_told_and_leaves_no_half_line(tmp_path: Path) -> None:
    """Later callbacks go into another segment."""
    spool = await Spool.open(tmp_path, most_bytes=MIB)
    await spool.keep(kept(1))
    assert spool._descriptor is not None
    read_only = os.open(os.devnull, os.O_RDONLY)
    os.dup2(read_only, spool._descriptor)
    with pytest.raises(StoreError, match="Bad file descriptor"):
        await spool.keep(kept(2))
    await spool.keep(kept(3))
    found = [line for segment in await spool.take() for line in lines_of(segment)]
    assert [kept(1), kept(3)] == found
    os.close(read_only)
    await spool.close()


async def test_what_is_in_the_spool_comes_into_the_catalog_and_is_heard(tmp_path: Path) -> None:
    """Twice is once; what is no callback, or of an account unknown here, is set aside."""
    spool = await Spool.open(tmp_path / "spool", most_bytes=MIB)
    catalog = await Catalog.open(tmp_path / "catalog.db")
    told: list[Intake] = []
    taker = Taker(
        spool=spool,
        catalog=catalog,
        accounts={"main": ACCOUNT},
        readiness=Readiness(),
        clock=lambda: NOW,
        tell=told.append,
    )
    calls = [kept(1), kept(2), kept(1), kept(3, "gone"), Kept(NOW, "main", {"CallSid": "../x"})]
    for call in calls:
        await spool.keep(call)
    assert await taker.take_all()
    rows = await catalog.read(lambda tx: tx.rows("known_sids", account="main", sids=_all()))
    assert {f"{number:031d}z" for number in (1, 2)} == {row["sid"] for row in rows}
    assert (sum(one.new for one in told), sum(one.known for one in told)) == (2, 1)
    day = timedelta(days=1)
    heard = await catalog.read(hearings, "main", NOW - day, NOW + day)
    assert [Heard("webhook", NOW, NOW + timedelta(seconds=2))] == heard
    assert kept(3, "gone").fields["CallSid"] in (tmp_path / "spool/unusable.jsonl").read_text()
    assert spool.size == 0
    await spool.close()
    await catalog.close()


async def test_a_callback_that_cannot_be_taken_in_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it: it is set aside."""

    def read(fields: dict[str, str], zone: ZoneInfo) -> CallFacts | None:
        if fields["CallSid"].endswith("5z"):
            raise RuntimeError("a fault of ours")
        return facts_of(fields, zone)

    monkeypatch.setattr("jobs.taking.facts_of", read)
    spool = await Spool.open(tmp_path / "spool", most_bytes=MIB)
    catalog = await Catalog.open(tmp_path / "catalog.db")
    taker = Taker(
        spool=spool,
        catalog=catalog,
        accounts={"main": ACCOUNT},
        readiness=Readiness(),
        clock=lambda: NOW,
        tell=lambda _: None,
    )
    for number in range(9):
        await spool.keep(kept(number))
    assert await taker.take_all()
    rows = await catalog.read(lambda tx: tx.rows("known_sids", account="main", sids=_all()))
    assert {f"{number:031d}z" for number in range(9) if number != 5} == {r["sid"] for r in rows}
    assert f"{5:031d}z" in (tmp_path / "spool/unusable.jsonl").read_text()
    await spool.close()
    await catalog.close()


def _all() -> str:
    sids = [f'"{number:031d}z"' for number in range(9)] + [f'"{sid}"' for sid in SIDS]
    return f"[{','.join(sids)}]"


def test_moments_make_the_times_in_which_they_come() -> None:
    """More than a minute apart are two times, in whatever order they are given."""
    minute = timedelta(minutes=1)
    moments = [NOW + 3 * minute, NOW, NOW + minute]
    assert [(NOW, NOW + minute), (NOW + 3 * minute,) * 2] == stretches(iter(moments))
