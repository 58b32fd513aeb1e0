"""What can be odd about a recording that was kept: the flags, and what each of them means.

A flag never keeps a recording from the archive: it is what the provider has. The first three are
damage, which `archive.frames` finds in the bytes; the others follow from the call.
"""

from __future__ import annotations

from typing import Final

DAMAGED: Final = "damaged"
CUT: Final = "cut"
SHORTER_THAN_HEADER: Final = "shorter-than-header"
SHORTER_THAN_CALL: Final = "shorter-than-call"
LONGER_THAN_CALL: Final = "longer-than-call"

NOT_AUDIO: Final = "not-audio"
"""The damage of a file that is no audio at all. Never a flag: no such file is kept."""

DAMAGES: Final = (DAMAGED, CUT, SHORTER_THAN_HEADER)
"""The flags that stand for damage, the worst first. They win over the others."""

FLAGS: Final[dict[str, str]] = {
    DAMAGED: "some of it is no audio: players jump over that or stop there",
    CUT: "it ends in the middle of a frame, so its end is missing",
    SHORTER_THAN_HEADER: "it is shorter than its own header promises, so its end is missing",
    SHORTER_THAN_CALL: "it is shorter than the parties talked",
    LONGER_THAN_CALL: "it is longer than the call lasted",
}
"""Each flag and what it means, in a person's words."""


def flag_meaning(flag: str) -> str:
    """Return what a flag means; an unknown one (of a newer callvault) means itself."""
    return FLAGS.get(flag, flag)
