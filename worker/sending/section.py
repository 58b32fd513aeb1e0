"""The section of the settings that tells where reports and alerts are sent."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Address = Annotated[
    str,
    Meta(
        pattern=r"^[^\s@,;:<>\"()\[\]\\]{1,64}@[A-Za-z0-9.\-]{1,253}\Z",
        description="an address such as ops@example.com",
    ),
]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets reports by mail, and how mails leave.

    Without ``email_to`` none are sent. ``email_from`` empty: callvault at this host. ``starttls``
    is always needed unless the server is this machine itself or it is said to be false. The URLs of
    webhooks are secrets, and stand in no file of ours: see `worker.secrets`. ``only_problems``
    sends nothing about a day on which nobody need do anything; a healthchecks URL is told anyhow.
    """

    email_to: tuple[Address, ...] = ()
    email_from: Annotated[
        str,
        Meta(
            pattern=r"^(|[^\s@,;:<>\"()\[\]\\]{1,64}@[A-Za-z0-9.\-]{1,253})\Z",
            description="an address such as callvault@example.com, or nothing",
        ),
    ] = ""
    smtp: Annotated[
        str,
        Meta(
            pattern=r"^smtps?://([A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(:[0-9]{1,5})?\Z",
            description="smtp://HOST[:PORT] or smtps://HOST[:PORT], without user and password",
        ),
    ] = "smtp://localhost:25"
    smtp_user: str = ""
    starttls: bool = True
    attach: tuple[Literal["html", "markdown", "json"], ...] = ("html",)
    only_problems: bool = False
