"""``callvault poll``: new calls from the provider's listing, once or on and on."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import click

from archive.errors import Exit, InputError
from worker.commands.choosing import choice_options, read_entry
from worker.commands.options import json_option, print_json
from worker.completion import complete_account, complete_duration
from worker.logs import configure_logging
from worker.secrets import secrets_in
from worker.settings import Settings, load_settings
from worker.values import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from archive.accounts import Account
    from archive.entry import Entry
    from jobs.poller import Round


@click.command()
@click.option("--follow", is_flag=True, help="Go on until told to stop.")
@click.option("--account", shell_complete=complete_account, help="Of one account only.")
@click.option(
    "--every",
    shell_complete=complete_duration,
    help="The time between rounds. Default: [poll] every.",
    metavar="60s",
)
@choice_options
@json_option
@click.pass_obj
def poll(
    config: Path | None,
    *,
    follow: bool,
    account: str | None,
    every: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    as_json: bool,
) -> int:
    """Ask the provider for new calls, from where the last round ended.

    Without --follow one round of all accounts is made.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log, secrets=secrets_in(os.environ, settings.queue.url))
    from worker.commands.each import accounts_to_ask  # noqa: PLC0415 - it loads HTTP and Redis

    entry = read_entry(only, skip)
    accounts, code = accounts_to_ask(settings, account)
    if follow:
        pause = settings.poll.every if every is None else _duration(every)
        asyncio.run(_follow(settings, accounts, pause, entry, as_json=as_json))
        return Exit.COMPLETE
    if every is not None:
        raise InputError("--every is for --follow", hint="without it one round is made")
    return max(code, asyncio.run(_once(settings, accounts, entry, as_json=as_json)))


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InputError(f"--every {text!r} is no duration", hint=f"write {error}") from None


async def _follow(
    settings: Settings, accounts: list[Account], every: timedelta, entry: Entry, *, as_json: bool
) -> None:
    from worker.polling import PollStatus, follow  # noqa: PLC0415 - HTTP and Redis, for this command alone
    from worker.queue_warnings import warn_of_queue  # noqa: PLC0415
    from worker.service import Service  # noqa: PLC0415

    await warn_of_queue(settings, os.environ)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    service = Service.of_environment(os.environ)

    shown = PollStatus(service)

    def tell(done: Round) -> None:
        shown.made(done)
        if as_json:
            print_json(done)
        elif done.new or done.alarm:
            click.echo(_said(done))

    async with service.running(stopping):
        await follow(
            settings,
            os.environ,
            stopping,
            accounts=accounts,
            every=every,
            tell=tell,
            troubled=shown.troubled,
            entry=entry,
            service=service,
        )


async def _once(settings: Settings, accounts: list[Account], entry: Entry, *, as_json: bool) -> int:
    from worker.asking import open_asking  # noqa: PLC0415 - HTTP and Redis, for this command alone
    from worker.commands.each import each_account  # noqa: PLC0415
    from worker.polling import pollers_of  # noqa: PLC0415
    from worker.queue_warnings import warn_of_queue  # noqa: PLC0415

    await warn_of_queue(settings, os.environ)
    async with open_asking(settings, os.environ, accounts) as asking:
        pollers = {p.account.name: p for p in pollers_of(settings, asking, accounts, entry=entry)}
        rounds, code = await each_account(accounts, lambda account: pollers[account.name].round())
    for done in rounds:
        if done.paused or done.alarm:
            code = max(code, Exit.WORK_REMAINS)
        if not as_json:
            click.echo(_said(done))
    if as_json:
        print_json(rounds)
    return code


def _said(done: Round) -> str:
    if done.paused:
        return f"{done.account}: nothing was asked, since it is paused: {done.paused}"
    text = f"{done.account}: {done.listed:,} calls listed: {done.new:,} calls new, "
    text += f"{done.known:,} already known, {done.rejected:,} rows rejected"
    return f"{text}. {done.alarm}" if done.alarm else text
