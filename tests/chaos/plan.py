"""What is done to a run, and in which order: drawn from a seed by a pure function."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final

import msgspec


class Deed(StrEnum):
    """Something that is done to the run, or beside it."""

    INTAKE = "intake"
    KILL_WORKER = "kill-worker"
    KILL_SUPERVISOR = "kill-supervisor"
    KILL_QUEUE = "kill-queue"
    KILL_ALL = "kill-all"
    FLUSH = "flush"
    REPLACE = "replace-queue"
    STOP_WORKER = "stop-worker"
    STOP_SUPERVISOR = "stop-supervisor"
    STOP_QUEUE = "stop-queue"
    LOCK = "lock-catalog"
    FILL = "fill-disk"
    PAUSE = "pause"
    STATUS = "status"
    REPORT = "report"
    EXPLAIN = "explain"
    RETRY_FAILED = "retry-failed"
    RETRY_ABSENT = "retry-absent"
    ENQUEUE_AGAIN = "enqueue-again"


KILLS: Final = (Deed.KILL_ALL, Deed.KILL_SUPERVISOR, Deed.KILL_QUEUE, Deed.KILL_WORKER)
COMMANDS: Final = (
    Deed.STATUS,
    Deed.REPORT,
    Deed.EXPLAIN,
    Deed.ENQUEUE_AGAIN,
    Deed.STATUS,
    Deed.REPORT,
    Deed.EXPLAIN,
    Deed.RETRY_FAILED,
)
"""In turn; what only reads is run twice as often."""

_LONG_RUN: Final = 100
"""Kills from which on a run may also hold things longer than a lease lives or a lock is waited for.

One kill of everything at once costs the 45 s of a lease, so a short run has none.
"""
_WAVES: Final = 20
_STEPS_A_WAVE: Final = 10

_GAP_S: Final = (0.05, 0.8)
_HOLDS_S: Final = {
    Deed.STOP_WORKER: (1.0, 6.0),
    Deed.STOP_SUPERVISOR: (1.0, 6.0),
    Deed.STOP_QUEUE: (1.0, 8.0),
    Deed.LOCK: (2.0, 6.0),
    Deed.FILL: (1.5, 4.0),
    Deed.PAUSE: (1.0, 3.0),
}
_LONG_HOLDS_S: Final = {
    Deed.STOP_WORKER: (47.0, 55.0),
    Deed.STOP_SUPERVISOR: (12.0, 20.0),
    Deed.LOCK: (32.0, 36.0),
}
_LONG_SHARE: Final = 0.15


class Step(msgspec.Struct, frozen=True):
    """One deed: ``gap_s`` after the one before, held for ``hold_s`` where it is one that ends.

    ``pick`` (0 up to 1) chooses among those that the deed may meet when its time has come.
    """

    deed: Deed
    gap_s: float
    pick: float
    hold_s: float = 0.0


def draw_plan(seed: str, *, kills: int, flushes: int) -> list[Step]:
    """Return the steps of a run; with neither kills nor flushes only the intake.

    The other deeds follow from the number of kills: a stop for ten of them, a command for five, a
    locked catalog for twenty, a full disk and a pause for fifty. The first step takes in the first
    wave of calls; the other waves are spread evenly, so that there is work to the end.
    """
    # A seed that anybody can give again is the point; nothing is protected by it.
    dice = random.Random(f"chaos {seed}")  # noqa: S311
    deeds = _deeds(kills, flushes)
    dice.shuffle(deeds)
    waves = min(_WAVES, 1 + len(deeds) // _STEPS_A_WAVE)
    for wave in range(waves):
        deeds.insert(wave * len(deeds) // waves, Deed.INTAKE)
    long = kills >= _LONG_RUN
    return [_step(deed, dice, long=long) for deed in deeds]


def waves_of(plan: list[Step]) -> int:
    """Return in how many waves the calls are taken in."""
    return sum(step.deed is Deed.INTAKE for step in plan)


def _deeds(kills: int, flushes: int) -> list[Deed]:
    everything = kills // 40 if kills >= _LONG_RUN else 0
    supervisor = (kills + 7) // 8
    queue = kills // 8
    counts = {
        Deed.KILL_ALL: everything,
        Deed.KILL_SUPERVISOR: supervisor,
        Deed.KILL_QUEUE: queue,
        Deed.KILL_WORKER: max(0, kills - everything - supervisor - queue),
        Deed.FLUSH: flushes,
        Deed.REPLACE: (flushes + 1) // 2,
        Deed.STOP_WORKER: (kills + 19) // 20,
        Deed.STOP_SUPERVISOR: kills // 40,
        Deed.STOP_QUEUE: kills // 40,
        Deed.LOCK: (kills + 19) // 20,
        Deed.FILL: (kills + 49) // 50,
        Deed.PAUSE: (kills + 49) // 50,
        Deed.RETRY_ABSENT: kills // 100,
    }
    commands = [COMMANDS[place % len(COMMANDS)] for place in range((kills + 4) // 5)]
    return [deed for deed, count in counts.items() for _ in range(count)] + commands


def _step(deed: Deed, dice: random.Random, *, long: bool) -> Step:
    # The same number of draws for each: a deed that is added later shifts none of the others.
    gap, pick, length, share = (dice.random() for _ in range(4))
    bounds = _HOLDS_S.get(deed)
    if long and share < _LONG_SHARE:
        bounds = _LONG_HOLDS_S.get(deed, bounds)
    hold = 0.0 if bounds is None else bounds[0] + length * (bounds[1] - bounds[0])
    return Step(deed, _GAP_S[0] + gap * (_GAP_S[1] - _GAP_S[0]), pick, hold)
