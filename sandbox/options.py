"""What stands on the command line: durations, sizes and times as people write them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

_NUMBER_AND_UNIT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BYTES: Final = {
    "": 1,
    "b": 1,
    "kb": 1_000,
    "mb": 1_000**2,
    "gb": 1_000**3,
    "kib": 1_024,
    "mib": 1_024**2,
    "gib": 1_024**3,
}

Member = TypeVar("Member", bound=StrEnum)


class Choice(click.Choice[Member]):
    """A choice among the members of an enumeration, written by their values."""

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:  # noqa: ANN401, ARG002
        """Write a member (or what was typed) the way it is typed."""
        return str(choice)


class Refused(click.ClickException):
    """What the command line asks for cannot be had: a port, or a file."""

    exit_code = 2


def duration(text: str) -> timedelta:
    """Read ``90s``, ``30m``, ``12h`` or ``2d``; a bare number is seconds."""
    return timedelta(seconds=_measured(text, _SECONDS, "a duration such as 90s, 30m, 12h or 2d"))


def size(text: str) -> int:
    """Read ``129KB``, ``1.5MiB`` or a bare number of bytes."""
    return int(_measured(text, _BYTES, "a size such as 129KB, 1MiB or 4000"))


def zone(text: str) -> tzinfo:
    """Read the name of a zone, such as ``Asia/Kolkata``."""
    try:
        return UTC if text.upper() == "UTC" else ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{text!r} is not a zone such as Asia/Kolkata") from None


def moment(text: str, wall_zone: tzinfo) -> datetime:
    """Read an ISO time; where it has no offset it is a wall time of the provider's zone."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time such as 2026-01-31T09:00:00") from None
    return read if read.tzinfo else read.replace(tzinfo=wall_zone)


def _measured(text: str, units: dict[str, int], wanted: str) -> float:
    match = _NUMBER_AND_UNIT.fullmatch(text.strip())
    if match is None or match[2].lower() not in units:
        raise click.BadParameter(f"{text!r} is not {wanted}")
    return float(match[1]) * units[match[2].lower()]
