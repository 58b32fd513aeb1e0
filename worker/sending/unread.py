"""Settings for commands that send: where they cannot be read, those who wait are told of that.

The URLs of webhooks are in no file of settings, so a mistake in it must not silence them.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from archive.errors import CallvaultError
from worker.logs import configure_logging
from worker.sections import Log
from worker.sending.channels import Outside, send_everywhere
from worker.sending.parcel import Parcel
from worker.sending.section import Report
from worker.settings import find_settings, gather_settings, settled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worker.settings import Settings


def settings_to_send(
    config: Path | None, environment: Mapping[str, str], *, text: str = ""
) -> Settings:
    """Read the settings, or send an alarm that they cannot be read, with ``text`` before it.

    It goes by mail as well if the section that says to whom has no mistake.

    Raises:
        InputError, SettingsError: as for `load_settings`, when the alarm was sent.
    """
    section, host = Report(), socket.gethostname()
    try:
        gathered = gather_settings(find_settings(config, environment), environment)
        if "report" not in gathered.unsound:
            section = gathered.settings.report
        return settled(gathered)
    except CallvaultError as error:
        configure_logging(Log())
        parcel = parcel_of_mistakes(error, host=host, text=text)
        asyncio.run(send_everywhere(parcel, section, Outside(environment=environment)))
        raise


def parcel_of_mistakes(error: CallvaultError, *, host: str, text: str = "") -> Parcel:
    """Return the alarm: how many mistakes or which file, but no value of a setting."""
    what = error.message.partition("\n")[0].rstrip(":")
    alarm = f"ALARM: callvault on {host} can tell nothing: {what}"
    told = [f"{host}: {text}"] if text else []
    return Parcel(
        headline="; ".join([*told, alarm]),
        text="\n".join([*told, alarm, "What is wrong, and what to do: callvault doctor", ""]),
        is_problem=True,
        is_failure=True,
    )
