"""What the acceptance tests share: a folder to work in, and the provider it is fed from."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from archive.catalog.database import open_database
from tests.acceptance.vault import Vault
from tests.provider import running_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Vault]]:
    """Start a provider with some options; return a vault that is set up for it.

    Its CDR export is ``calls.csv`` in the vault's folder.
    """
    with ExitStack() as stack:

        def start(*options: str) -> Vault:
            words = ("--write-cdr", str(tmp_path / "calls.csv"), "--rate-limit", "0", *options)
            vault = Vault(tmp_path, stack.enter_context(running_provider(*words)))
            stack.callback(vault.end_queue)
            return vault

        yield start


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Vault]:
    """Return a vault whose account is with nobody: nothing may be asked."""
    vault = Vault(tmp_path)
    vault.configure(account={"api_base": "http://127.0.0.1:9"})
    yield vault
    vault.end_queue()


@pytest.fixture
def empty(alone: Vault) -> Vault:
    """Return the same with a catalog that knows no call yet."""
    open_database(alone.catalog).close()
    return alone
