"""What is seen of a run from outside, in the catalog: how far it is, and how it gets over kills."""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.acceptance.vault import Vault
    from tests.chaos.plan import Deed


_SAMPLE_S: Final = 0.5
_LULL_S: Final = 10.0


class Kill(msgspec.Struct):
    """One kill: when (seconds since 1970), the leases that died with it, and all there were then.

    ``claimed_s`` is how long until a batch was seen that had claimed calls since; ``given_back_s``
    until the last of the dead leases' calls was settled or free again.
    """

    deed: Deed
    at: float
    died: frozenset[str]
    held: frozenset[str]
    claimed_s: float | None = None
    given_back_s: float | None = None


class Recovery(msgspec.Struct, frozen=True):
    """How a run got over one kill; seconds, None where nothing was held or nothing followed."""

    deed: Deed
    at: float
    went_on_s: float | None
    given_back_s: float | None


class Lull(msgspec.Struct, frozen=True):
    """A time in which no call was claimed, settled or put off although some were not settled.

    ``at`` is its beginning in seconds since 1970; ``why`` what was seen, with seconds for each.
    """

    at: float
    seconds: float
    why: dict[str, float]


class Watch:
    """Reads the catalog, never writes it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.kills: list[Kill] = []
        self.lulls: list[Lull] = []
        self._moved_at = self._sampled_at = time.time()
        self._last: object = None
        self._why: dict[str, float] = {}

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

    def killed(self, deed: Deed, at: float, died: Iterable[str], held: frozenset[str]) -> None:
        """Note a kill, with the leases of those that died and all that were held just before."""
        self.kills.append(Kill(deed, at, frozenset(died), held))

    def tend(self) -> None:
        """See who claims calls, which dead leases hold nothing any more, and whether work rests."""
        self._sample()
        waiting = [kill for kill in self.kills if _waits(kill)]
        if not waiting:
            return
        held, now = self.leases(), time.time()
        for kill in waiting:
            if kill.claimed_s is None and held - kill.held:
                kill.claimed_s = now - kill.at
            if kill.given_back_s is None and kill.died and not kill.died & held:
                kill.given_back_s = now - kill.at

    def _sample(self) -> None:
        now = time.time()
        if now - self._sampled_at < _SAMPLE_S:
            return
        seen = (self._vault.rows("SELECT MAX(rowid) FROM looks"), self.leases())
        if seen != self._last or not self.unsettled():
            if now - self._moved_at > _LULL_S:
                why = {word: round(seconds, 1) for word, seconds in self._why.items()}
                lasted = round(now - self._moved_at, 1)
                self.lulls.append(Lull(round(self._moved_at, 1), lasted, why))
            self._last, self._moved_at = seen, now
            self._why.clear()
        else:
            for word in self._what_holds(now, held=bool(seen[1])):
                self._why[word] = self._why.get(word, 0.0) + now - self._sampled_at
        self._sampled_at = now

    def _what_holds(self, now: float, *, held: bool) -> list[str]:
        paused = [str(reason) for (reason,) in self._vault.rows("SELECT reason FROM pauses")]
        if paused:
            return [f"paused: {reason}" for reason in paused]
        if held:
            return ["calls in hand"]
        soonest = self._vault.rows("SELECT MIN(due_ms) FROM calls WHERE state = 'expected'")
        due = any(at is not None and at <= now * 1000 for (at,) in soonest)
        return ["due and not claimed" if due else "nothing due"]

    def looks(self) -> list[float]:
        """Return when calls were settled or put off, in order, in seconds since 1970."""
        rows = self._vault.rows("SELECT at_ms FROM looks ORDER BY at_ms")
        return [at / 1000 for (at,) in rows]


def _waits(kill: Kill) -> bool:
    back = kill.given_back_s is not None or not kill.died
    return kill.claimed_s is None or not back


def recoveries(kills: Sequence[Kill], looks: Sequence[float]) -> list[Recovery]:
    """Return for each kill when somebody claimed, settled or put off a call after it.

    ``looks`` are the times at which calls were settled or put off, ascending. The dead do neither,
    so it was another process. Where nobody held anything there was no work to go on with.
    """
    return [
        Recovery(
            kill.deed,
            round(kill.at, 3),
            _first_after(kill, looks) if kill.held else None,
            None if kill.given_back_s is None else round(kill.given_back_s, 3),
        )
        for kill in kills
    ]


def _first_after(kill: Kill, looks: Sequence[float]) -> float | None:
    place = bisect_right(looks, kill.at)
    settled = looks[place] - kill.at if place < len(looks) else None
    found = [wait for wait in (settled, kill.claimed_s) if wait is not None]
    return round(min(found), 3) if found else None
