"""``callvault alert``: a short text to wherever reports are sent, for units that failed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from archive.errors import Exit, InputError
from worker.commands.options import json_option, print_json

if TYPE_CHECKING:
    from pathlib import Path

_MOST: Final = 4_000


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@json_option
@click.pass_obj
def alert(config: Path | None, *, words: tuple[str, ...], as_json: bool) -> int:
    """Send TEXT to all that [report] names; a healthchecks URL is told of a failure.

    Ends with 5 where no channel took it. If the settings cannot be read, the webhooks are told that
    with it, and it ends with 2.
    """
    # Loaded here: --help sends nothing.
    from worker.morning.document import plain  # noqa: PLC0415
    from worker.places import host_name  # noqa: PLC0415
    from worker.sending.channels import send_now  # noqa: PLC0415
    from worker.sending.parcel import Parcel  # noqa: PLC0415
    from worker.sending.unread import settings_to_send  # noqa: PLC0415

    text = plain(" ".join(words), _MOST).strip()
    if not text:
        raise InputError("an alert needs some words", hint="callvault alert 'what is wrong'")
    settings = settings_to_send(config, os.environ, text=text)
    headline = f"{host_name(settings)}: {text}"
    sent = send_now(
        Parcel(headline=headline, text=f"{headline}\n", is_problem=True, is_failure=True),
        settings,
        os.environ,
    )
    if not sent:
        raise InputError(
            "there is nobody to send to",
            hint="set [report] email_to, or a webhook: docs/settings.md",
        )
    if as_json:
        print_json(sent)
    else:
        for one in sent:
            click.echo(f"{one.channel}: {one.outcome}{f': {one.detail}' if one.detail else ''}")
    took = any(one.outcome in {"sent", "partly"} for one in sent)
    return Exit.COMPLETE if took else Exit.WORK_REMAINS
