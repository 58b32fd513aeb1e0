"""A user of Redis with just the rights that the documents list is enough for everything."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from tests.acceptance.proof import assert_archive_is_true
from tests.acceptance.vault import until
from tests.redises import PASSWORD, bare_server, documented_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.vault import Vault

CALLS: Final = 200
OF_USER: Final = "also: made-up/@#%"


def test_the_documented_rights_are_enough_for_a_night(
    begin: Callable[..., Vault], tmp_path: Path
) -> None:
    """A poll, a drain with a killed worker and doctor, on a socket; what is refused is not needed.

    The password is in no URL: the variable is enough, whatever is in it. What the server may do to
    the queue is said at each start.
    """
    vault = begin("--calls", str(CALLS), "--mix", "clean", "--bytes", "60KB")
    user = documented_user("~callvault:*", OF_USER)
    evicting = "maxmemory-policy allkeys-lru"
    with bare_server(tmp_path / "redis", user, evicting, password=PASSWORD) as server:
        vault.configure(
            queue={"url": f"unix://callvault@{server.socket}"},
            worker={"processes": 2, "downloads": 4, "batch": 40},
            poll={"first": "3d"},
        )
        vault.good("enqueue", "cdr", "calls.csv")
        polled = vault.good("poll", QUEUE_PASSWORD=OF_USER)
        with vault.started("work", "--drain", QUEUE_PASSWORD=OF_USER) as work:
            until(lambda: vault.archived() >= 40, while_running=work)
            os.kill(work.children()[0], signal.SIGKILL)
            done = work.wait()
        with server.asked() as line:
            refused = {entry["object"] for entry in line.acl_log()}
        looked = vault.run("doctor", QUEUE_PASSWORD=OF_USER)
        shut_out = vault.run("poll")

    assert done.code == 0, done
    # Whether it takes snapshots is asked, and need not be answered.
    assert refused == {"config|get"}
    for said in (done.err, polled.err):
        assert "maxmemory-policy is allkeys-lru: where memory runs short it drops" in said
        assert "neither AOF nor RDB" not in said
    assert vault.status()["archived"] == CALLS
    assert_archive_is_true(vault)
    assert "failed" not in {line.split()[0] for line in looked.out.splitlines() if line.strip()}
    shut_out.says(7, "Redis does not let us in", "[queue] url")
    for said in (done.err, looked.out, looked.err, shut_out.err):
        assert OF_USER not in said
