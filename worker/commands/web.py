"""``callvault web``."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import click

from archive.errors import Exit
from worker.logs import configure_logging
from worker.secrets import secrets_in
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.pass_obj
def web(config: Path | None) -> int:
    """Receive the provider's callbacks, and answer for health and metrics, until told to stop.

    Callbacks come to /hook/ACCOUNT with the secret as the password of Basic auth, or to
    /hook/ACCOUNT/SECRET. The secret is in EXOTEL_WEBHOOK_SECRET, or a systemd credential.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log, secrets=secrets_in(os.environ, settings.queue.url))
    asyncio.run(_serve(settings))
    return Exit.COMPLETE


async def _serve(settings: Settings) -> None:
    # Loaded here: no other command needs a web server.
    from worker.service import Service  # noqa: PLC0415
    from worker.serving import serve  # noqa: PLC0415

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = Service.of_environment(os.environ)

    def listening(address: str) -> None:
        click.echo(f"listening on {address}")
        service.say(f"listening on {address}")

    async with service.running(stopping):
        await serve(settings, os.environ, stopping, on_ready=listening, service=service)
