"""What is sent, and how a channel says that it could not."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

MAIL: Final = "email"
WEBHOOK: Final = "webhook"
HEALTHCHECKS: Final = "healthchecks"


class Attachment(msgspec.Struct, frozen=True):
    """A file that goes with a mail; ``kind`` is its subtype of ``text`` or ``application``."""

    name: str
    kind: str
    content: str


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A report or an alert.

    ``headline`` is one line; ``text`` has it too. ``is_problem``: somebody should look at it;
    ``is_failure``: what a healthchecks URL is told.
    """

    headline: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    is_problem: bool
    is_failure: bool


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a parcel on one channel; ``detail`` tells why it failed, or for whom.

    ``partly``: a mail went to some, and was refused for others.
    """

    channel: str
    outcome: Literal["sent", "partly", "failed", "left-out"]
    detail: str = ""
    tries: int = 0


class SendError(Exception):
    """A channel did not take a parcel. ``passing``: it may do so in a moment.

    ``partly``: it took it for some, so it is not to be sent once more.

    The text is for people. It never holds a URL, a password or what a server wrote unasked.
    """

    def __init__(self, detail: str, *, passing: bool, partly: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.passing = passing
        self.partly = partly
