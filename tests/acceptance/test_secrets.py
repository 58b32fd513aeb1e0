"""Keys, tokens and signatures are in no file, no log and no process list."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.acceptance.vault import until
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

SECRETS: Final = (
    *(KEY.encode(), TOKEN.encode(), b"X-Amz-Signature", b"X-Amz-Credential"),
    base64.b64encode(f"{KEY}:{TOKEN}".encode()),
)


def command_lines() -> bytes:
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:  # it has ended meanwhile
            continue
    return b"\n".join(found)


@pytest.mark.parametrize("urls", ["both", "private"])
def test_no_secret_is_left_anywhere(begin: Callable[..., Vault], urls: str) -> None:
    """Everything is logged, and nothing below the folder tells a secret, while it runs or after.

    Output, logs, catalog, queue, sidecars and day files are searched; and all command lines.
    """
    vault = begin("--calls", "120", "--mix", "clean", "--bytes", "20KB", "--urls", urls)
    vault.good("enqueue", "cdr", "calls.csv")
    vault.configure(worker={"processes": 1, "downloads": 2, "batch": 20})

    with vault.started("work", "--drain", CALLVAULT_LOG_LEVEL="debug") as work:
        until(lambda: vault.archived() > 10, while_running=work)
        listed = command_lines()
        queue = b"".join(path.read_bytes() for path in vault.folder.rglob("*.aof"))
        done = work.wait()

    assert done.code == 0
    assert b"worker.main" in listed
    assert queue
    files = {path: path.read_bytes() for path in vault.folder.rglob("*") if path.is_file()}
    assert len(files) > 240
    for secret in SECRETS:
        assert secret not in listed
        assert secret not in queue
        told = [str(path) for path, content in files.items() if secret in content]
        assert told == []


def test_a_secret_in_trouble_is_not_told(begin: Callable[..., Vault]) -> None:
    """Signed URLs of a host that is not configured are not asked, and nothing of them is logged."""
    vault = begin("--calls", "20", "--mix", "clean", "--bytes", "2000", "--urls", "presigned")
    vault.good("enqueue", "cdr", "calls.csv")
    # Nobody listens where the presigned URLs lead, as far as the settings go.
    vault.configure(account={"storage_hosts": ["127.0.0.1:9/exotelrecordings"]})

    done = vault.run("work", "--drain", CALLVAULT_LOG_LEVEL="debug")

    assert done.code == 6
    assert vault.states() == {"failed": 20}
    assert vault.rows("SELECT DISTINCT reason FROM calls") == [("url-untrusted",)]
    assert vault.provider is not None
    assert vault.provider.stats()["storage"] == {}
    told = [
        path.name
        for path in vault.folder.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in SECRETS)
    ]
    assert told == []
