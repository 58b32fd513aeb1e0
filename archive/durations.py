"""Whether a recording is as long as its call: a pure function.

A recording begins when the call is answered (Exotel, Call Recording Access), so it lasts about as
long as the parties talked and no longer than the whole call, ringing included. One that does not is
kept, since it is what the provider has, and flagged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archive.flags import LONGER_THAN_CALL, SHORTER_THAN_CALL

if TYPE_CHECKING:
    from archive.call import CallFacts

_SHARE: Final = 0.1
_SECONDS: Final = 5.0
"""The tolerance: a tenth of the call and five seconds, for rounding and announcements."""


def flag_of(seconds: float | None, facts: CallFacts) -> str:
    """Return the flag of a recording that lasts so many seconds; empty if nothing is odd.

    Nothing is concluded where the recording's head or the provider does not tell a duration.
    """
    if seconds is None:
        return ""
    talked, lasted = facts.talk_s, facts.duration_s
    longest = lasted if lasted is not None else talked
    if longest is not None and seconds > longest * (1 + _SHARE) + _SECONDS:
        return LONGER_THAN_CALL
    if talked is not None and seconds < talked * (1 - _SHARE) - _SECONDS:
        return SHORTER_THAN_CALL
    return ""
