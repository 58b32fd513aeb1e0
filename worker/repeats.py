"""Warnings that repeat: the first ones of a minute are written, the others are summed up.

A night in which a hundred thousand recordings are gone must not write as many lines.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 10
"""Lines of one kind in a stretch of time that are written."""
EVERY_S: Final = 60.0
_KINDS: Final = 1000
"""Kinds that are told apart at once; what comes beyond is one kind, so that memory has a bound."""

Kind = tuple[str, int, str, str]
"""Logger, level, event and reason of a record."""


class Sum(msgspec.Struct, frozen=True):
    """How many records of a kind were not written."""

    kind: Kind
    more: int


class Repeats:
    """Counts records by their kind. ``clock`` tells seconds. It may be used by several threads."""

    def __init__(
        self, clock: Callable[[], float], *, most: int = MOST, every_s: float = EVERY_S
    ) -> None:
        self._clock = clock
        self._most = most
        self._every_s = every_s
        self._lock = threading.Lock()
        self._seen: dict[Kind, tuple[float, int]] = {}

    def passes(self, kind: Kind) -> bool:
        """Count a record; tell whether it is to be written."""
        with self._lock:
            if kind not in self._seen and len(self._seen) >= _KINDS:
                kind = (kind[0], kind[1], "", "")
            since, count = self._seen.get(kind, (self._clock(), 0))
            self._seen[kind] = (since, count + 1)
            return count < self._most

    def sums(self, *, all_of_them: bool = False) -> list[Sum]:
        """Forget the kinds whose time is over, and return what was not written of them."""
        with self._lock:
            now = self._clock()
            over = [
                kind
                for kind, (since, _) in self._seen.items()
                if all_of_them or now - since >= self._every_s
            ]
            counts = [(kind, self._seen.pop(kind)[1]) for kind in over]
        return [Sum(kind, count - self._most) for kind, count in counts if count > self._most]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is being counted."""
        return not self._seen


class Bounded(logging.Handler):
    """Hands records on to another handler, repeated warnings and errors only up to a bound.

    A thread of its own writes the sums while something is being counted, since no other record
    may come; what is left is written as the process ends.
    """

    def __init__(self, inner: logging.Handler, repeats: Repeats) -> None:
        super().__init__()
        self._inner = inner
        self._repeats = repeats
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand a record on, if it is not one too many."""
        if record.levelno < logging.WARNING:
            return self._inner.handle(record)
        passes = self._repeats.passes(_kind_of(record))
        self._watch()
        return self._inner.handle(record) if passes else False

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on."""
        self._inner.emit(record)

    def sum_up(self, *, all_of_them: bool = False) -> None:
        """Write how many records were not written."""
        for sum_ in self._repeats.sums(all_of_them=all_of_them):
            logger, level, event, reason = sum_.kind
            of_what = "reason" if reason else "kind"
            said = f"{event}: and {sum_.more:,} more of this {of_what}"
            record = logging.LogRecord(logger, level, "", 0, said, None, None)
            if reason:
                record.reason = reason
            self._inner.handle(record)

    def close(self) -> None:
        """Write what is left, as the process ends."""
        self._ended.set()
        self.sum_up(all_of_them=True)
        super().close()

    def _watch(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._sum_up_in_time, daemon=True)
            self._thread.start()

    def _sum_up_in_time(self) -> None:
        while not self._repeats.is_empty and not self._ended.wait(EVERY_S / 10):
            self.sum_up()


def _kind_of(record: logging.LogRecord) -> Kind:
    # structlog hands its fields on as the record's message.
    fields = record.msg if isinstance(record.msg, dict) else {}
    event = str(fields.get("event", "") if fields else record.msg)
    return (record.name, record.levelno, event[:200], str(fields.get("reason", ""))[:100])
