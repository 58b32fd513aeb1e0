"""Which of several exit codes a person has to know of."""

from __future__ import annotations

from itertools import permutations

from archive.errors import Exit
from worker.commands.listed import worst


def test_what_only_a_person_can_mend_comes_first() -> None:
    """In whatever order they were met; all well is 0, and what is not known is told as it is."""
    assert worst() == worst(0, 0) == Exit.COMPLETE
    for codes in permutations((Exit.FATAL, Exit.PERMANENT_LOSSES, Exit.WORK_REMAINS, 0)):
        assert worst(*codes) == Exit.FATAL
    assert worst(Exit.WORK_REMAINS, Exit.PERMANENT_LOSSES) == Exit.PERMANENT_LOSSES
    assert worst(0, 75) == 75
