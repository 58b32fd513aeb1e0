"""What several unit tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

from tests.unit.aged import grow_old
from tests.unit.books import Books
from tests.unit.terminal import Terminal
from tests.unit.vaulted import Vaulted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql import Server

_KINDS: Final = ("sqlite", "postgresql")


# How long an example takes says more of the machine than of the code.
settings.register_profile("callvault", deadline=None)
settings.load_profile("callvault")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the contract of catalogs be kept by each kind of them."""
    chosen = any(
        "where" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")
    )
    if "where" in metafunc.fixturenames and not chosen:
        name = metafunc.module.__name__.rpartition(".")[2]
        kinds = _KINDS if name.startswith("test_catalog_") else _KINDS[:1]
        metafunc.parametrize("where", kinds, indirect=True)


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where an empty catalog is, or will be once it is opened."""
    if request.param == "sqlite":
        return tmp_path / "state" / "catalog.db"
    server: Server = request.getfixturevalue("postgresql")
    return server.emptied()


@pytest.fixture
def books(where: str | Path) -> Iterator[Books]:
    """An empty catalog."""
    books = Books(where)
    yield books
    books.database.close()


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A command line on the catalog of `books`."""
    return Terminal(tmp_path)


@pytest.fixture
def vaulted(tmp_path: Path) -> Iterator[Vaulted]:
    """An empty archive with its catalog."""
    vaulted = Vaulted(tmp_path)
    yield vaulted
    vaulted.books.database.close()


@pytest.fixture
def aged(vaulted: Vaulted) -> Vaulted:
    """Two archived calls of last winter, one of a month ago, and settings that keep thirty days."""
    grow_old(vaulted)
    return vaulted
