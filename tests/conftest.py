"""What tests of all kinds begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgresql import Server, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server, from the first test that needs one until the last test."""
    with running_server() as server:
        yield server
