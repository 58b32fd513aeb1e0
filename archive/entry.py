"""Where a call stands that has just become known: a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from archive.call import State
from archive.readiness import is_said_unanswered
from archive.selection import Rule, excluded_by

if TYPE_CHECKING:
    from archive.accounts import Account
    from archive.call import CallFacts

TRUSTED: Final = "status-trusted"
"""Why a call is absent that nobody asked the provider for: its export says that none answered."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """How calls are taken in: by which rules beside the account's own, and whether a status counts.

    With ``trust_status`` a call that a source says nobody answered is absent at once; else the
    provider is asked all the same, since voicemail and late recordings exist.
    """

    rules: tuple[Rule, ...] = ()
    trust_status: bool = False


FOR_ALL: Final = Entry()


class Standing(msgspec.Struct, frozen=True):
    """A state and its reason."""

    state: State
    reason: str


def first_standing(facts: CallFacts, account: Account, entry: Entry) -> Standing | None:
    """Return where a new call stands that is not to be archived; None for all others."""
    for rules in (account.selection, entry.rules):
        if rules and (rule := excluded_by(facts, rules)) is not None:
            return Standing(State.EXCLUDED, rule)
    # An address of a recording says more than a status.
    if entry.trust_status and not facts.recording_urls and is_said_unanswered(facts):
        return Standing(State.ABSENT, TRUSTED)
    return None
