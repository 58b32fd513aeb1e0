"""Another program holds the catalog's lock for seconds: everybody waits, and nothing fails."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from archive.clock import system_clock, to_ms
from archive.timings import HEARTBEAT_S
from tests.acceptance.test_stops import assert_nothing_twice, in_the_middle, slow
from tests.acceptance.vault import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault


def test_a_drain_waits_for_who_holds_the_lock(begin: Callable[..., Vault]) -> None:
    """Three beats are missed; then it goes on, nobody was taken for dead, nothing was repeated."""
    vault = slow(begin)

    def missed_beats() -> bool:
        ((last,),) = vault.rows("SELECT MAX(beat_ms) FROM processes")
        return bool(last < to_ms(system_clock() - timedelta(seconds=3 * HEARTBEAT_S)))

    with vault.started("work", "--drain") as work:
        in_the_middle(vault, work)
        with vault.locked():
            until(missed_beats, while_running=work)
            assert vault.good("status", "--json").json["known"] == 500
        done = work.wait()

    assert done.code == 0, done
    for complaint in ("locked", "gave back", "died", "Traceback"):
        assert complaint not in done.err, done.err
    assert_nothing_twice(vault)
