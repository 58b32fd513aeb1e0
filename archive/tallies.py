"""What a process did, counted until the catalog takes it: requests, downloads, failures.

These are figures of work, for graphs and reports. The books are counted from the calls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUESTS: Final = "requests"
LIMITER_WAIT_MS: Final = "limiter_wait_ms"
RECORDINGS: Final = "recordings"
RECORDING_BYTES: Final = "recording_bytes"
DOWNLOAD_MS: Final = "download_ms"
DOWNLOAD_FAILURES: Final = "download_failures"
READINESS_S: Final = "readiness_s"
READINESS_TOTAL_S: Final = "readiness_total_s"
SETTLED: Final = "settled"
RETRIES: Final = "retries"
CALLBACKS: Final = "callbacks"
CALLBACKS_TAKEN: Final = "callbacks_taken"

ANSWERED: Final = "answered"
THROTTLED: Final = "throttled"
REFUSED: Final = "refused"
FAILED: Final = "failed"

READINESS_BOUNDS_S: Final = (30, 60, 90, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 86_400)
"""Upper bounds of the buckets of ``readiness_s``; what took longer has the label ``+Inf``."""


class Meaning(msgspec.Struct, frozen=True):
    """What a tally counts, and what its label tells ("" where it has none)."""

    text: str
    label: str = ""


TALLIES: Final = {
    REQUESTS: Meaning("Requests to the provider's API, by what became of them", "outcome"),
    LIMITER_WAIT_MS: Meaning("Milliseconds that requests waited for their turn"),
    RECORDINGS: Meaning("Recordings that were archived"),
    RECORDING_BYTES: Meaning("Bytes of recordings that came over the line and were archived"),
    DOWNLOAD_MS: Meaning("Milliseconds that calls' downloads took, from the first byte asked for"),
    DOWNLOAD_FAILURES: Meaning("Downloads that brought no recording, by symptom", "symptom"),
    READINESS_S: Meaning("Seconds from a call's end until its recording was on disk", "le"),
    READINESS_TOTAL_S: Meaning("The sum of these seconds"),
    SETTLED: Meaning("Calls that were settled by a look at them", "state"),
    RETRIES: Meaning("Looks that met a trouble which may pass, by symptom", "symptom"),
    CALLBACKS: Meaning("Requests to the webhook, by what became of them", "outcome"),
    CALLBACKS_TAKEN: Meaning("Callbacks that the catalog has taken in", "call"),
}
"""Every name that may be counted."""


class Count(NamedTuple):
    """So much of one thing."""

    account: str
    name: str
    label: str
    amount: int


class Tallies:
    """Counts what one process does. ``take`` hands over what is not in the catalog yet."""

    def __init__(self) -> None:
        self._counted: Counter[tuple[str, str, str]] = Counter()

    def count(self, name: str, account: str, *, label: str = "", amount: int = 1) -> None:
        """Count ``amount`` more."""
        assert bool(label) == bool(TALLIES[name].label), f"{name} has its label, or none"
        self._counted[account, name, label] += amount

    def observe_readiness(self, account: str, seconds: float) -> None:
        """Count a recording that was on disk so long after its call's end."""
        self.count(READINESS_S, account, label=bucket_of(seconds))
        self.count(READINESS_TOTAL_S, account, amount=round(seconds))

    def take(self) -> list[Count]:
        """Return what was counted, and begin anew."""
        taken = [Count(*key, amount) for key, amount in self._counted.items() if amount]
        self._counted.clear()
        return taken

    def put_back(self, counts: Iterable[Count]) -> None:
        """Count again what could not be written."""
        for account, name, label, amount in counts:
            self._counted[account, name, label] += amount


def bucket_of(seconds: float) -> str:
    """Return the label of the bucket that a time falls into: its upper bound in seconds."""
    at = bisect_left(READINESS_BOUNDS_S, seconds)
    return str(READINESS_BOUNDS_S[at]) if at < len(READINESS_BOUNDS_S) else "+Inf"
