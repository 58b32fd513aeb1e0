"""The settings of one account with the provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

# msgspec reads these types when settings are made.
from archive.retention import Days, Kept  # noqa: TC001
from archive.selection import Rule  # noqa: TC001

SINGAPORE: Final = "https://api.exotel.com"
MUMBAI: Final = "https://api.in.exotel.com"

RECORDING_HOSTS: Final = ("recordings.exotel.com", "recordings.mum1.exotel.com")
STORAGE_HOSTS: Final = (
    "s3-ap-southeast-1.amazonaws.com/exotelrecordings",
    "s3.ap-southeast-1.amazonaws.com/exotelrecordings",
    "s3.ap-south-1.amazonaws.com/exotelrecordings",
    "exotelrecordings.s3.ap-southeast-1.amazonaws.com",
    "exotelrecordings.s3.ap-south-1.amazonaws.com",
    "exotelrecordings.s3.amazonaws.com",
)

HostEntry = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._\-/]*)?\Z",
        description="HOST, HOST:PORT or HOST/PATH",
    ),
]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account: who we are to the provider, where it answers and what it allows.

    ``requests_per_minute`` is the provider's limit over all voice APIs (200 unless more was
    agreed). ``url_validity_minutes`` is the life asked for presigned URLs, 5 to 60. Recordings are
    deleted ``retention_days`` after the call (30, 90 or up to 365 by plan), but for calls that a
    rule of ``retention`` is for: see `archive.retention`. ``selection`` tells which calls are
    wanted.
    """

    name: str
    sid: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9_\-]{1,64}\Z", description="1 to 64 letters, digits, '-' or '_'"),
    ]
    api_base: Annotated[
        str,
        Meta(
            pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+\Z",
            description="https://HOST (plain http only to this machine itself)",
        ),
    ] = SINGAPORE
    recording_hosts: tuple[HostEntry, ...] = RECORDING_HOSTS
    storage_hosts: tuple[HostEntry, ...] = STORAGE_HOSTS
    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 200
    url_validity_minutes: Annotated[int, Meta(ge=5, le=60)] = 60
    timezone: str = "Asia/Kolkata"
    retention_days: Days = 30
    retention: tuple[Kept, ...] = ()
    selection: tuple[Rule, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the provider's wall times for this account."""
        return ZoneInfo(self.timezone)

    @property
    def region(self) -> str:
        """The name of the provider's region that ``api_base`` belongs to."""
        return {SINGAPORE: "Singapore", MUMBAI: "Mumbai"}.get(self.api_base, "a region of its own")


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """The key (user) and token (password) of an account. Never printed: see ``__repr__``."""

    key: str
    token: str

    def __repr__(self) -> str:
        return "Credentials(***)"
