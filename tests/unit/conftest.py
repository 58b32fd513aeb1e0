"""What several unit tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.unit.aged import grow_old
from tests.unit.books import Books
from tests.unit.terminal import Terminal
from tests.unit.vaulted import Vaulted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# How long an example takes says more of the machine than of the code.
settings.register_profile("callvault", deadline=None)
settings.load_profile("callvault")


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """An empty catalog."""
    books = Books(tmp_path / "state" / "catalog.db")
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
