"""What is done to a cluster, and what has to follow: data."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec


class Deed(StrEnum):
    """What is done."""

    CUT = "cut"
    KILL = "kill"
    FREEZE = "freeze"
    SLOW = "slow"
    STOP_CATALOG = "stop-catalog"
    KILL_CATALOG = "kill-catalog"
    END_CONNECTIONS = "end-connections"
    FILL_DATA = "fill-data"
    FILL_LOG = "fill-log"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One trouble: what, whom it hits (nobody: all alike), and for how many seconds.

    ``off`` are the hosts that a cut one no longer reaches, nothing for all. ``dies``: nothing can
    be heard of who is hit, so its calls have to be given back.
    """

    deed: Deed
    hold_s: float
    hit: Literal["leader", "other", ""] = ""
    off: tuple[str, ...] = ()
    how: Literal["drop", "refuse"] = "drop"
    dies: bool = False

    @property
    def name(self) -> str:
        """What it is called in a report."""
        off = (
            f" off {' and '.join(self.off) or 'all'} ({self.how})" if self.deed is Deed.CUT else ""
        )
        whom = f" {self.hit}" if self.hit else ""
        return f"{self.deed}{whom}{off}, {self.hold_s:.0f} s"


def _cut(
    hit: Literal["leader", "other"], off: tuple[str, ...], how: Literal["drop", "refuse"], s: float
) -> Trouble:
    dies = s > _LEASE_S and (not off or "postgresql" in off)
    return Trouble(deed=Deed.CUT, hold_s=s, hit=hit, off=off, how=how, dies=dies)


_LEASE_S: Final = 50.0
_CATALOG: Final = ("postgresql",)
_QUEUE: Final = ("redis",)

PLANS: Final[dict[str, tuple[Trouble, ...]]] = {
    "hosts": (
        _cut("leader", (), "drop", 60),
        _cut("other", (), "refuse", 15),
        _cut("leader", _CATALOG, "drop", 60),
        _cut("other", _CATALOG, "refuse", 60),
        _cut("leader", _QUEUE, "drop", 60),
        _cut("other", _QUEUE, "refuse", 20),
        _cut("leader", ("provider",), "drop", 20),
        Trouble(deed=Deed.KILL, hold_s=60, hit="leader", dies=True),
        Trouble(deed=Deed.KILL, hold_s=0, hit="other", dies=True),
        Trouble(deed=Deed.FREEZE, hold_s=60, hit="leader", dies=True),
        Trouble(deed=Deed.SLOW, hold_s=30),
    ),
    "postgresql": (
        Trouble(deed=Deed.STOP_CATALOG, hold_s=30),
        Trouble(deed=Deed.END_CONNECTIONS, hold_s=15),
        Trouble(deed=Deed.FILL_DATA, hold_s=20),
        Trouble(deed=Deed.FILL_LOG, hold_s=20),
        Trouble(deed=Deed.KILL_CATALOG, hold_s=0),
    ),
    "small": (
        _cut("leader", (), "drop", 12),
        _cut("other", _CATALOG, "refuse", 4),
        _cut("other", _QUEUE, "refuse", 3),
    ),
}
