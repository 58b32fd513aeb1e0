"""What repeats within a minute is written a few times, and the rest of it is counted."""

from __future__ import annotations

import logging

from hypothesis import given
from hypothesis import strategies as st

from worker.repeats import Bounded, Repeats

LOST = ("jobs.telling", logging.WARNING, "call lost", "fetch-gone")
GONE = ("jobs.telling", logging.WARNING, "call lost", "past-retention")


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


class Kept(logging.Handler):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's message."""
        fields = record.msg if isinstance(record.msg, dict) else {}
        self.lines.append(str(fields.get("event", "")) or record.getMessage())


def bounded(most: int = 2) -> tuple[Bounded, Kept, Clock]:
    """Return a handler with what it hands records to, and its clock."""
    kept, clock = Kept(), Clock()
    return Bounded(kept, Repeats(clock, most=most)), kept, clock


def say(handler: logging.Handler, event: str, level: int = logging.WARNING, **fields: str) -> None:
    """Log as structlog does: the fields are the record's message."""
    told = {"event": event, **fields}
    handler.handle(logging.LogRecord("jobs", level, "", 0, told, (), None))


def test_the_first_of_a_kind_are_written_and_the_others_summed_up() -> None:
    """Each reason has a count of its own."""
    handler, kept, clock = bounded()
    for _ in range(1236):
        say(handler, "call lost", reason="fetch-gone")
    say(handler, "call lost", reason="past-retention")
    assert kept.lines == ["call lost"] * 3
    clock.now = 59.0
    handler.sum_up()
    assert len(kept.lines) == 3
    clock.now = 60.0
    handler.sum_up()
    assert kept.lines[3:] == ["call lost: and 1,234 more of this reason"]
    say(handler, "call lost", reason="fetch-gone")
    assert kept.lines[4:] == ["call lost"]


def test_what_is_left_is_summed_up_at_the_end() -> None:
    """A process may end within the minute."""
    handler, kept, _ = bounded()
    for _ in range(5):
        say(handler, "gave a batch back")
    handler.close()
    assert kept.lines == ["gave a batch back"] * 2 + ["gave a batch back: and 3 more of this kind"]


def test_lines_of_information_have_no_bound() -> None:
    """They are few, or asked for."""
    handler, kept, _ = bounded()
    for _ in range(5):
        say(handler, "progress", logging.INFO)
    assert kept.lines == ["progress"] * 5


def test_a_library_s_lines_are_told_apart_by_what_they_say_before_their_arguments() -> None:
    """However many arguments there are."""
    handler, kept, _ = bounded()
    for number in range(4):
        handler.handle(logging.LogRecord("aiohttp", 40, "", 0, "%s fails", (number,), None))
    assert kept.lines == ["0 fails", "1 fails"]
    handler.close()
    assert kept.lines[2:] == ["%s fails: and 2 more of this kind"]


@given(st.lists(st.tuples(st.sampled_from([LOST, GONE]), st.floats(0, 40)), max_size=60))
def test_every_record_is_written_or_counted_once(
    records: list[tuple[tuple[str, int, str, str], float]],
) -> None:
    """Whenever they come and sums are taken."""
    clock = Clock()
    repeats = Repeats(clock, most=3)
    written = summed = 0
    for kind, wait in records:
        clock.now += wait
        summed += sum(found.more for found in repeats.sums())
        written += repeats.passes(kind)
    summed += sum(found.more for found in repeats.sums(all_of_them=True))
    assert written + summed == len(records)
    assert repeats.is_empty


def test_memory_has_a_bound_however_many_kinds_there_are() -> None:
    """What comes beyond it is one kind."""
    repeats = Repeats(Clock(), most=1)
    passed = sum(repeats.passes(("x", 30, f"event {n}", "")) for n in range(5000))
    assert passed == 1001
    sums = repeats.sums(all_of_them=True)
    assert sum(found.more for found in sums) == 5000 - passed
