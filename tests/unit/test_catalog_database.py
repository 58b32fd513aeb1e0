"""What each kind of catalog promises of its transactions."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from archive.catalog.database import open_database
from archive.errors import CatalogError
from tests.unit.books import SIDS, called

if TYPE_CHECKING:
    from tests.unit.books import Books


def test_a_write_that_raises_leaves_nothing(books: Books) -> None:
    """Its error comes out as it is, and the catalog can be written again."""

    def doomed() -> None:
        with books.database.write() as tx:
            tx.run("retire", process="nobody", silent_ms=1)
            tx.run("pause", scope="all", reason="r", detail="", fatal=0, now_ms=1, probe_ms=2)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        doomed()
    assert books.sql("SELECT * FROM pauses") == []


def test_an_error_of_the_driver_is_said_as_the_catalogs(books: Books) -> None:
    """With what was being done and where, and nothing of the write kept."""

    def doomed() -> None:
        with books.database.write() as tx:
            tx.connection.execute("INSERT INTO owned_days (root, folder) VALUES (1, 'd')")
            tx.connection.execute("INSERT INTO owned_days (root, folder) VALUES (1, 'd')")

    with pytest.raises(CatalogError, match=r"writing to the catalog .*(UNIQUE|unique)"):
        doomed()
    assert books.sql("SELECT * FROM owned_days") == []


def test_a_reader_sees_one_state_while_others_write(books: Books) -> None:
    """What is committed meanwhile shows in the next read, not in this one."""
    reader = open_database(books.where)
    with reader.read() as tx:
        before = tx.value("known", account=None)
        books.add(called(SIDS[0]))
        assert [before, tx.value("known", account=None)] == [0, 0]
    with reader.read() as tx:
        assert tx.value("known", account=None) == 1
    reader.close()


@pytest.mark.parametrize("folder", ["sql", "sql_postgresql"])
def test_each_query_has_a_name_of_its_own(folder: str) -> None:
    """Of two alike the one that is read last would be run for both."""
    texts = [file.read_text() for file in (resources.files("archive.catalog") / folder).iterdir()]
    names = [name for text in texts for name in re.findall(r"^-- name: (\w+)", text, re.MULTILINE)]
    assert sorted(set(names)) == sorted(names)
