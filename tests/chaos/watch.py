"""What is seen of a run from outside, in the catalog: how far it is, and how it gets over kills."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.acceptance.vault import Vault
    from tests.chaos.plan import Deed


class Kill(msgspec.Struct):
    """One kill: when (seconds since 1970), and the leases that died with it.

    ``busy`` tells whether anybody held calls just then: whether there was work to go on.
    ``given_back_s`` is how long until the last of the dead leases' calls was settled or free again.
    """

    deed: Deed
    at: float
    leases: frozenset[str]
    busy: bool
    given_back_s: float | None = None


class Watch:
    """Reads the catalog, never writes it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.kills: list[Kill] = []

    def unsettled(self) -> int:
        """Count the calls that are not settled."""
        states = self._vault.states()
        return states.get("expected", 0) + states.get("leased", 0)

    def unsettled_calls(self) -> list[str]:
        """Return the Sids of the calls that are not settled."""
        rows = self._vault.rows("SELECT sid FROM calls WHERE state IN ('expected', 'leased')")
        return [sid for (sid,) in rows]

    def leases(self) -> frozenset[str]:
        """Return the leases under which anything is held."""
        rows = self._vault.rows("SELECT DISTINCT lease FROM calls WHERE lease IS NOT NULL")
        return frozenset(lease for (lease,) in rows)

    def killed(self, deed: Deed, at: float, leases: Iterable[str], *, busy: bool) -> None:
        """Note a kill, and the leases of those that died."""
        self.kills.append(Kill(deed, at, frozenset(leases), busy))

    def tend(self) -> None:
        """See which dead leases hold nothing any more."""
        waiting = [kill for kill in self.kills if kill.leases and kill.given_back_s is None]
        if not waiting:
            return
        held, now = self.leases(), time.time()
        for kill in waiting:
            if not kill.leases & held:
                kill.given_back_s = now - kill.at

    def looks(self) -> list[float]:
        """Return when calls were settled or put off, in order, in seconds since 1970."""
        rows = self._vault.rows("SELECT at_ms FROM looks ORDER BY at_ms")
        return [at / 1000 for (at,) in rows]


def went_on_after(kills: Sequence[Kill], looks: Sequence[float]) -> list[float]:
    """Return for each kill amid work how many seconds later somebody settled or put off a call.

    Times of looks have whole milliseconds; ``looks`` ascend. The dead settle nothing, so it was
    another process. A kill that nothing followed is left out: it was the last thing to happen.
    """
    waits = []
    for kill in kills:
        after = next((look for look in looks if look > kill.at), None)
        if kill.busy and after is not None:
            waits.append(after - kill.at)
    return waits
