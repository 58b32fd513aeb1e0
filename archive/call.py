"""What a call is to the archive: its Sid, its states, and the facts a source may know of it."""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - msgspec reads the types of facts when they are read
from enum import StrEnum
from typing import Final

import msgspec

SID_RULE: Final = "6 to 64 letters, digits, '-' or '_'"
_SID = re.compile(r"[A-Za-z0-9_-]{6,64}", re.ASCII)


def is_sid(text: str) -> bool:
    """Tell whether ``text`` can be a call's Sid.

    Real ones are 32 characters of ``[0-9a-z]`` and not hexadecimal. The rule is wider so that a
    Sid of another form is asked for rather than dropped, and narrow enough that a Sid is safe as a
    file name, in a URL's path and in a comma-separated list.
    """
    return _SID.fullmatch(text) is not None


class State(StrEnum):
    """Where a call stands. The picture of the states is in ``docs/architecture.md``."""

    EXPECTED = "expected"
    LEASED = "leased"
    ARCHIVED = "archived"
    ABSENT = "absent"
    EXCLUDED = "excluded"
    LOST = "lost"
    FAILED = "failed"
    PURGED = "purged"


UNSETTLED: Final = frozenset({State.EXPECTED, State.LEASED})
"""The states that a drain waits for."""


class Source(StrEnum):
    """How a call became known."""

    CDR = "cdr"
    SIDS = "sids"
    LISTING = "listing"
    WEBHOOK = "webhook"
    REBUILD = "rebuild"


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one source knows of a call. Everything but the Sid may be unknown.

    ``duration_s`` is in whole seconds and includes ringing; ``talk_s`` is the time both parties
    spoke (the provider's ConversationDuration). ``status``, ``direction`` and ``leg2_status`` are
    the provider's words in lower case, or empty. ``group`` is the team that a dashboard report
    names. ``recording_urls`` are where an export or a callback says that its recordings are: not to
    be trusted, and unset of calls that no source tells of just now, so that sidecars and manifests
    have none.
    """

    sid: str
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: int | None = None
    talk_s: int | None = None
    status: str = ""
    leg2_status: str = ""
    direction: str = ""
    from_number: str = ""
    to_number: str = ""
    exophone: str = ""
    group: str = ""
    recording_urls: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def began_at(self) -> datetime | None:
        """When the call began: its start, else when the provider created it."""
        return self.started_at or self.created_at
