"""Who makes a catalog and who does not, and which catalog is a lost one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive.belonging import Wanted, open_catalog
from archive.catalog import examine
from archive.errors import CatalogError, Exit, LostCatalogError, NoCatalogError
from tests.unit.books import SIDS, called

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgresql import Server
    from tests.unit.books import Books

if TYPE_CHECKING:
    from pathlib import Path

DAY = "main/2026/02/09"
ARCHIVES = [
    f"{DAY}/manifest.jsonl",
    f"{DAY}/manifest.20260210T020000Z.jsonl",
    f"{DAY}/SHA256SUMS",
    f"{DAY}/17/{SIDS[0]}.mp3",
    f"{DAY}/17/{SIDS[0]}.json",
    "a-former-account/2021/12/31/00/x.wav",
]
NO_ARCHIVES = [
    ".parts/lease.x.mp3",
    f".quarantine/{DAY}/17/x.mp3",
    f"{DAY}/.hidden",
    f"{DAY}/notes.txt",
    f"{DAY}/17/notes.txt",
    "main/2026/manifest.jsonl",
    "Downloads/2026/02/09/17/x.mp3",
    "x.mp3",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def unmade(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where there is no catalog: no file, or a database without our tables."""
    if request.param == "sqlite":
        return tmp_path / "state" / "catalog.db"
    server: Server = request.getfixturevalue("postgresql")
    return server.url(server.database())


def put(root: Path, file: str) -> None:
    """Put a file into an archive."""
    path = root / file
    path.parent.mkdir(parents=True)
    path.touch()


def is_opened(where: str | Path, root: Path, wanted: Wanted) -> bool:
    """Tell whether a catalog can be opened."""
    try:
        open_catalog(where, root, wanted).close()
    except CatalogError:
        return False
    return True


def test_who_looks_makes_no_catalog(unmade: str | Path, tmp_path: Path) -> None:
    """Neither file nor folder, nor tables; whoever works makes it, and then it is looked at."""
    root = tmp_path / "recordings"
    for _ in range(2):
        with pytest.raises(NoCatalogError, match="there is no catalog yet"):
            open_catalog(unmade, root, Wanted.LOOK)
        assert list(tmp_path.iterdir()) == []
        assert not examine.is_made(unmade)
    assert is_opened(unmade, root, Wanted.WORK)
    assert is_opened(unmade, root, Wanted.LOOK)


@pytest.mark.parametrize("wanted", Wanted)
@pytest.mark.parametrize("file", ARCHIVES)
def test_no_catalog_is_begun_beside_an_archive(tmp_path: Path, wanted: Wanted, file: str) -> None:
    """Lists, recordings and sidecars tell of one: it is said that the catalog is lost."""
    where, root = tmp_path / "state" / "catalog.db", tmp_path / "recordings"
    put(root, file)
    with pytest.raises(LostCatalogError, match=r"there is no catalog .* is lost") as caught:
        open_catalog(where, root, wanted)
    assert caught.value.exit_code is Exit.FATAL
    assert str(root) in caught.value.message
    assert "callvault rebuild" in caught.value.hint
    assert not where.parent.exists()


@pytest.mark.parametrize("wanted", Wanted)
def test_a_catalog_that_knows_no_call_is_lost_beside_an_archive(
    books: Books, where: str | Path, tmp_path: Path, wanted: Wanted
) -> None:
    """It was begun anew; one that knows a single call is taken as it is."""
    root = tmp_path / "recordings"
    assert is_opened(where, root, wanted)
    put(root, ARCHIVES[0])
    with pytest.raises(LostCatalogError, match=r"knows no calls, but .* is lost"):
        open_catalog(where, root, wanted)
    books.add(called(SIDS[0]))
    assert is_opened(where, root, wanted)


def test_nothing_is_made_beside_an_archive(unmade: str | Path, tmp_path: Path) -> None:
    """On a server no table, as no file elsewhere."""
    root = tmp_path / "recordings"
    put(root, ARCHIVES[0])
    for wanted in Wanted:
        assert not is_opened(unmade, root, wanted)
    assert not examine.is_made(unmade)


@pytest.mark.parametrize("file", NO_ARCHIVES)
def test_what_is_no_archive_stops_nobody(tmp_path: Path, file: str) -> None:
    """What others keep there, unfinished parts, and folders without recordings."""
    root = tmp_path / "recordings"
    put(root, file)
    assert is_opened(tmp_path / "catalog.db", root, Wanted.WORK)


def test_an_empty_file_is_no_catalog(tmp_path: Path) -> None:
    """Who looks leaves it as it is, and who works makes one of it."""
    where, root = tmp_path / "catalog.db", tmp_path / "recordings"
    where.touch()
    with pytest.raises(NoCatalogError, match="is an empty file"):
        open_catalog(where, root, Wanted.LOOK)
    assert where.stat().st_size == 0
    assert is_opened(where, root, Wanted.WORK)


def test_a_lost_catalog_is_told_with_its_accounts(tmp_path: Path) -> None:
    """With all of them, or the first ones of many; a file without anything is told as such."""
    where, root = tmp_path / "catalog.db", tmp_path / "recordings"
    where.touch()
    for number in range(7):
        put(root, ARCHIVES[0].replace("main", f"a{number}"))
    with pytest.raises(LostCatalogError) as caught:
        open_catalog(where, root, Wanted.LOOK)
    assert f"the catalog {where} is an empty file, but " in caught.value.message
    assert "an archive of the accounts a0, a1, a2, a3, a4 and 2 more: " in caught.value.message


def test_a_damaged_catalog_is_told_what_makes_a_new_one(tmp_path: Path) -> None:
    """With the command and the guide."""
    where = tmp_path / "catalog.db"
    where.write_bytes(b"no catalog at all" * 1_000)
    with pytest.raises(CatalogError, match="not a database") as caught:
        open_catalog(where, tmp_path / "recordings", Wanted.LOOK)
    assert "callvault rebuild (docs/how-to/restore.md)" in caught.value.hint
