"""A user of Redis with just the rights that the documents list is enough for everything."""

from __future__ import annotations

import hashlib
import os
import re
import signal
from typing import TYPE_CHECKING, Final

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until
from tests.provider import ROOT
from tests.redises import PASSWORD, bare_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.vault import Vault

CALLS: Final = 200
OF_USER: Final = "also: made-up/@#%"


def documented() -> str:
    """Return the rights that the documents list."""
    page = (ROOT / "docs" / "how-to" / "redis.md").read_text(encoding="utf-8")
    found = re.search(r"^user callvault on >PASSWORD (.*~callvault.*)$", page, re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_documented_rights_are_enough_for_a_night(
    begin: Callable[..., Vault], tmp_path: Path
) -> None:
    """A poll, a drain with a killed worker, and status, on a socket; the server refuses nothing.

    The password is in no URL: the variable is enough, whatever is in it. ``doctor`` does with less.
    """
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "60KB")
    user = f'user callvault on "#{hashlib.sha256(OF_USER.encode()).hexdigest()}" {documented()}'
    with bare_server(tmp_path / "redis", user, password=PASSWORD) as server:
        vault.configure(
            queue={"url": f"unix://callvault@{server.socket}"},
            worker={"processes": 2, "downloads": 4, "batch": 40},
            poll={"first": "3d"},
        )
        vault.good("enqueue", "cdr", "calls.csv")
        vault.good("poll", QUEUE_PASSWORD=OF_USER)
        with vault.started("work", "--drain", QUEUE_PASSWORD=OF_USER) as work:
            until(lambda: vault.archived() >= 40, while_running=work)
            os.kill(work.children()[0], signal.SIGKILL)
            done = work.wait()
        with server.asked() as line:
            assert line.acl_log() == []
        looked = vault.run("doctor", QUEUE_PASSWORD=OF_USER)
        refused = vault.run("poll")

    assert done.code == 0, done
    assert vault.status()["archived"] == CALLS
    assert_archive_is_true(vault)
    assert "failed" not in {line.split()[0] for line in looked.out.splitlines() if line.strip()}
    refused.says(7, "Redis does not let us in", "[queue] url")
    for said in (done.err, looked.out, looked.err, refused.err):
        assert OF_USER not in said
