"""What a shell may complete for values: what the settings and the code know, and nothing slower.

A completion never fails: where the settings cannot be read it has nothing to offer.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from archive.errors import CallvaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DAYS: Final = ("today", "yesterday")
_FIELDS: Final = (
    *("exophone=", "direction=", "status=", "number=", "group="),
    *("shorter_than=", "longer_than="),
)


def complete_account(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of an account of the settings."""
    from worker.settings import account_names  # noqa: PLC0415 - only when a shell asks for it

    config = ctx.find_root().params.get("config")
    with suppress(CallvaultError):
        return _beginning(account_names(config, os.environ), incomplete)
    return []


def complete_reason(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the reason for which a call stands where it does."""
    from archive.reasons import MEANINGS  # noqa: PLC0415 - the same

    return _beginning(MEANINGS, incomplete)


def complete_from(*words: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes one of these words."""

    def complete(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        return _beginning(words, incomplete)

    return complete


def complete_list(*words: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the last of several words with commas between them."""

    def complete(_ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        taken = before.split(",")
        return [f"{before}{comma}{word}" for word in _beginning(words, last) if word not in taken]

    return complete


def complete_command(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a command, or of one below those that are typed already."""
    group: click.Command | None = ctx.find_root().command
    for name in ctx.params.get("names") or ():
        found = group.get_command(ctx, name) if isinstance(group, click.Group) else None
        if found is None:
            return []
        group = found
    return (
        _beginning(group.list_commands(ctx), incomplete) if isinstance(group, click.Group) else []
    )


complete_moment: Final = complete_from(*_DAYS)
complete_day: Final = complete_from(*_DAYS, "unknown")
complete_choice: Final = complete_from(*_FIELDS)
complete_direction: Final = complete_from("inbound", "outbound-dial", "outbound-api")
complete_status: Final = complete_from("completed", "no-answer", "busy", "failed", "canceled")
complete_duration: Final = complete_from("30s", "60s", "2m", "5m", "15m")


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if str(word).startswith(incomplete)]
