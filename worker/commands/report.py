"""``callvault status`` and ``callvault report``."""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from archive.call import State
from archive.clock import system_clock
from archive.errors import CallvaultError, Exit, InputError
from archive.forecast import describe
from worker.commands.options import (
    account_option,
    balance_lines,
    json_option,
    paused_text,
    print_json,
    read_balance,
    read_risks,
    read_troubles,
    status_document,
)
from worker.commands.sources import AccountSources, read_sources, source_lines
from worker.completion import complete_day
from worker.screen import BAD, WARNING, painted
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from archive.catalog.balance import Balance
    from archive.catalog.pauses import Paused
    from worker.settings import Settings

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@click.command()
@account_option
@json_option
@click.pass_obj
def status(config: Path | None, *, account: str | None, as_json: bool) -> int:
    """Show how many calls stand where, and what holds work up."""
    settings = load_settings(config, os.environ)
    name = None if account is None else settings.account(account).name
    counted, held = read_balance(settings, account=name)
    troubles, workers = read_troubles(settings)
    at_risk = read_risks(settings, account=name)
    if as_json:
        print_json(status_document(counted, held, troubles, workers, at_risk))
    else:
        _print(counted, held, reasons=False)
        for trouble in troubles:
            since = trouble.since.astimezone().isoformat(" ", "seconds")
            what = f"{trouble.what} on {trouble.host} since {since}: {trouble.detail}"
            click.echo(f"{painted('TROUBLE', BAD, bold=True)}: {what}")
        for risk in at_risk:
            if text := describe(risk, settings.accounts[risk.account]):
                click.echo(f"{painted('AT RISK', BAD, bold=True)}: {text}")
    return _code(counted)


@click.command()
@account_option
@click.option(
    "--day",
    shell_complete=complete_day,
    help="YYYY-MM-DD, 'today' or 'yesterday' in the account's zone, 'unknown'.",
)
@json_option
@click.pass_obj
def report(config: Path | None, *, account: str | None, day: str | None, as_json: bool) -> int:
    """Show the balance with the reason of everything that is not archived."""
    settings = load_settings(config, os.environ)
    name = None if account is None else settings.account(account).name
    chosen = None if day is None else parse_day(settings, account, day)
    counted, held = read_balance(settings, account=name, day=chosen)
    accounts = [a for a in settings.accounts.values() if name in {None, a.name}]
    sources = read_sources(settings, accounts, day=chosen, now=system_clock())
    if as_json:
        document = _report_document(counted, held, day=chosen, account=name)
        print_json({**document, "sources": sources})
    else:
        _print(counted, held, reasons=True)
        _print_sources(settings, sources)
    return _code(counted)


def _print(counted: Balance, held: list[Paused], *, reasons: bool) -> None:
    for line in balance_lines(counted, reasons=reasons):
        click.echo(line)
    if text := paused_text(held):
        click.echo(f"{painted('PAUSED', WARNING, bold=True)}: {text}")


def _print_sources(settings: Settings, told: list[AccountSources]) -> None:
    for one in told:
        zone = settings.accounts[one.account].zone
        lines = list(source_lines(one.sources, zone))
        if lines:
            begin, end = (moment.astimezone(zone) for moment in (one.begin, one.end))
            click.echo(f"calls of {one.account}, {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}:")
        for line in lines:
            click.echo(line)


def _code(counted: Balance) -> int:
    """Books that do not balance are a fault, whatever they say."""
    if counted.faults:
        raise CallvaultError(
            "the books do not balance", hint="keep the catalog as it is and report this"
        )
    return Exit.COMPLETE


def _report_document(
    counted: Balance, held: list[Paused], *, day: str | None, account: str | None
) -> dict[str, Any]:
    states = {
        state.value: {"total": counted.states[state], "reasons": counted.reasons[state]}
        for state in State
    }
    return {
        "day": day,
        "account": account,
        "known": counted.known,
        **states,
        "recordings": counted.recordings,
        "bytes": counted.bytes,
        "flagged": counted.flagged,
        "balanced": not counted.faults,
        "faults": counted.faults,
        "paused": paused_text(held),
    }


def parse_day(settings: Settings, account: str | None, text: str) -> str:
    """Return the day as the catalog keeps it: empty for calls of unknown date.

    Raises:
        InputError: it is no day.
    """
    if text == "unknown":
        return ""
    if text in {"today", "yesterday"}:
        zones = {a.timezone: a.zone for a in settings.accounts.values()}
        chosen = settings.account(account).zone if account or len(zones) > 1 else None
        now = system_clock().astimezone(chosen or next(iter(zones.values())))
        return (now - timedelta(days=text == "yesterday")).strftime("%Y-%m-%d")
    if not _is_day(text):
        raise InputError(f"{text!r} is no day", hint="write YYYY-MM-DD, or yesterday")
    return text


def _is_day(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return _DAY.fullmatch(text) is not None
