"""``callvault status`` and ``callvault report``."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archive.call import State
from archive.clock import system_clock
from archive.errors import CallvaultError, CatalogError, Exit, InputError
from archive.forecast import describe
from archive.morning.facts import Level
from archive.provider_time import day_of, spoken_time
from worker.commands.hours import held_text
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import (
    account_option,
    balance_lines,
    json_option,
    of_nothing,
    paused_text,
    print_json,
    read_balance,
    read_held_back,
    read_risks,
    read_troubles,
    read_waiting,
    status_document,
    warn_where_root_is_missing,
)
from worker.commands.sources import read_sources, source_lines
from worker.commands.watching import watch
from worker.commands.working import read_workers, worker_lines, workers_document
from worker.completion import complete_day
from worker.morning.reading import read_morning
from worker.morning.unreadable import Unreadable, unreadable
from worker.morning.writing import FORMS, json_line, parcel_of, render, write_file
from worker.screen import BAD, WARNING, painted
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archive.catalog.balance import Balance
    from archive.catalog.pauses import Paused
    from archive.morning.facts import Morning, Sources
    from worker.sending.parcel import Sent
    from worker.settings import Settings

_YEARS = range(1900, 2200)
"""Before and after these, the day before or after a day may be none."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _settings_to_send(config: Path | None, environment: Mapping[str, str]) -> Settings:
    # Who only looks at a report does not wait for what sends it.
    from worker.sending.unread import settings_to_send  # noqa: PLC0415

    return settings_to_send(config, environment)


@click.command()
@account_option
@click.option("--watch", "watched", is_flag=True, help="Show it live, until q or Ctrl-C.")
@click.option("--every", help="With --watch, the time between two looks.  [default: 2s]")
@json_option
@click.pass_obj
def status(
    config: Path | None, *, account: str | None, watched: bool, every: str | None, as_json: bool
) -> int:
    """Show how many calls stand where, and what holds work up."""
    settings = load_settings(config, os.environ)
    name = None if account is None else settings.account(account).name
    if watched:
        watch(settings, account=name, every=every or "2s", as_json=as_json)
        return Exit.COMPLETE
    if every is not None:
        raise InputError("--every is for --watch", hint="without it the state is shown once")
    counted, held = read_balance(settings, account=name)
    troubles, workers = read_troubles(settings)
    at_risk = read_risks(settings, account=name)
    in_hours = read_held_back(settings, account=name)
    processes = read_workers(settings)
    if as_json:
        document = status_document(counted, held, troubles, workers, at_risk, in_hours)
        print_json({**document, "processes": workers_document(processes)})
    else:
        lines = _lines(counted, held, reasons=False)
        for line in (*lines, *of_nothing(counted), *worker_lines(processes)):
            click.echo(line)
        zone = settings.accounts[name or next(iter(settings.accounts))].zone
        for trouble in troubles:
            since = spoken_time(trouble.since, zone)
            what = f"{trouble.what} on {trouble.host} since {since}: {trouble.detail}"
            click.echo(f"{painted('TROUBLE', BAD, bold=True)}: {what}")
        if text := read_waiting(settings, account=name):
            click.echo(f"waiting: {text}")
        for one in in_hours:
            click.echo(f"{painted('HOURS', WARNING, bold=True)}: {held_text(one)}")
        for risk in at_risk:
            if text := describe(risk, settings.accounts[risk.account]):
                click.echo(f"{painted('AT RISK', BAD, bold=True)}: {text}")
    return _code(counted)


@click.command(cls=Noted, only="send", load=_settings_to_send)
@account_option
@click.option(
    "--day",
    shell_complete=complete_day,
    help="YYYY-MM-DD, 'today' or 'yesterday' in the account's zone, 'unknown'.",
)
@click.option("--format", "form", type=click.Choice(FORMS), help="Default: text.")
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file.")
@click.option("--send", is_flag=True, help="Send the day's report to all that [report] names.")
@click.option("--check", is_flag=True, help="End with 6 if the day is not complete.")
@json_option
@click.pass_obj
def report(
    config: Path | None,
    *,
    account: str | None,
    day: str | None,
    form: str | None,
    output: Path | None,
    send: bool,
    check: bool,
    as_json: bool,
) -> int:
    """Show what is archived, what is missing and why: of a day, or without --day of all of them.

    --send, --check and a page need a day; it is yesterday unless another is named.
    """
    settings = load_settings(config, os.environ)
    name = None if account is None else settings.account(account).name
    form = _form(form, as_json=as_json)
    if day is None and (send or check or form in {"html", "markdown"}):
        day = "yesterday"
    chosen = None if day is None else parse_day(settings, account, day)
    if chosen and chosen > _last_day(settings):
        raise InputError(
            f"the day {chosen} has not begun", hint="name one that has: today, yesterday or before"
        )
    if not chosen:
        if send or check or form in {"html", "markdown"}:
            raise InputError(
                "calls of unknown date have no report of their day",
                hint="leave out --send, --check and --format, or name a day",
            )
        return _whole(settings, name, day=chosen, form=form, output=output)
    told = _read(settings, name, chosen, with_facts=form == "json")
    morning = told.morning
    sent = _send(settings, morning) if send else []
    note_of_run(", ".join(f"{one.channel} {one.outcome}" for one in sent))
    if form == "json":
        text = json_line({**told.facts, "morning": morning, "sent": sent})
    else:
        text = render(morning, form, coloured=True)
    _put(text, form, output)
    if told.error is not None:
        # Where both streams are one terminal, the report has just said it there.
        shown = output is None and sys.stdout.isatty() and sys.stderr.isatty()
        told.error.is_told = shown and form != "json" and isinstance(morning, Unreadable)
        raise told.error
    complete = morning.verdict.level is Level.COMPLETE
    return Exit.COMPLETE if complete or not check else Exit.PERMANENT_LOSSES


@dataclass(frozen=True)
class _Told:
    """A day's report, the fields of its JSON beside it, and what has to end the command."""

    morning: Morning | Unreadable
    facts: dict[str, Any]
    error: CallvaultError | None


def _read(settings: Settings, name: str | None, day: str, *, with_facts: bool) -> _Told:
    """Read a day's report; a catalog that cannot be read makes one as well, which is an alarm."""
    now = system_clock()
    facts: dict[str, Any] = {"day": day, "account": name}
    try:
        morning = read_morning(settings, account=name, day=day, now=now)
        if with_facts:
            counted = _report_document(*read_balance(settings, account=name, day=day))
            facts = {**counted, **facts, "sources": morning.sources}
    except CatalogError as error:
        zone = settings.accounts[name or next(iter(settings.accounts))].timezone
        return _Told(unreadable(error, day=day, made_at=now, timezone=zone), facts, error)
    fault = _unbalanced() if morning.faults else None
    return _Told(morning, facts, fault)


def _last_day(settings: Settings) -> str:
    """Return the day that it is by now where the sun rises first."""
    now = system_clock()
    return max(day_of(now, account.zone) for account in settings.accounts.values())


def _form(form: str | None, *, as_json: bool) -> str:
    if as_json and form not in {None, "json"}:
        raise InputError(f"--json and --format {form} exclude each other", hint="leave one out")
    return "json" if as_json else form or "text"


def _whole(
    settings: Settings, name: str | None, *, day: str | None, form: str, output: Path | None
) -> int:
    """Tell the plain balance, of all days or of calls of unknown date."""
    counted, held = read_balance(settings, account=name, day=day)
    accounts = [a for a in settings.accounts.values() if name in {None, a.name}]
    sources = read_sources(settings, accounts, day=day, now=system_clock())
    warn_where_root_is_missing(settings)
    if form == "json":
        document = _report_document(counted, held)
        text = json_line({**document, "day": day, "account": name, "sources": sources})
    else:
        lines = [*_lines(counted, held, reasons=True), *_source_lines(settings, sources)]
        lines += of_nothing(counted) if day is None else ()
        text = "\n".join(lines) + "\n"
    _put(text, form, output)
    return _code(counted)


def _send(settings: Settings, morning: Morning | Unreadable) -> list[Sent]:
    # Who only looks at a report does not wait for what sends it.
    from worker.sending.channels import send_now  # noqa: PLC0415

    parcel = parcel_of(morning, settings.report.attach)
    return send_now(parcel, settings, os.environ)


def _put(text: str, form: str, output: Path | None) -> None:
    if output is not None:
        # A file is no terminal.
        write_file(output, click.unstyle(text))
    else:
        # JSON is UTF-8 whatever the terminal's encoding (RFC 8259, 8.1).
        click.echo(text.encode() if form == "json" else text, nl=False)


def _lines(counted: Balance, held: list[Paused], *, reasons: bool) -> Iterator[str]:
    yield from balance_lines(counted, reasons=reasons)
    if text := paused_text(held):
        yield f"{painted('PAUSED', WARNING, bold=True)}: {text}"


def _source_lines(settings: Settings, told: list[Sources]) -> Iterator[str]:
    for one in told:
        zone = settings.accounts[one.account].zone
        lines = list(source_lines(one.brought, zone))
        if lines:
            begin = f"{one.begin.astimezone(zone):%Y-%m-%d %H:%M}"
            yield f"calls of {one.account}, {begin} to {spoken_time(one.end, zone)}:"
        yield from lines


def _code(counted: Balance) -> int:
    """Books that do not balance are a fault, whatever they say."""
    if counted.faults:
        raise _unbalanced()
    return Exit.COMPLETE


def _unbalanced() -> CallvaultError:
    return CallvaultError(
        "the books do not balance", hint="keep the catalog as it is and report this"
    )


def _report_document(counted: Balance, held: list[Paused]) -> dict[str, Any]:
    states = {
        state.value: {"total": counted.states[state], "reasons": counted.reasons[state]}
        for state in State
    }
    return {
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
        then = system_clock() - timedelta(days=text == "yesterday")
        days = {day_of(then, one.zone) for one in settings.accounts.values()}
        if account is None and len(days) == 1:
            return days.pop()
        # Where it is another day in another zone, the account has to be named.
        return day_of(then, settings.account(account).zone)
    if not _is_day(text):
        raise InputError(f"{text!r} is no day", hint="write YYYY-MM-DD, or yesterday")
    return text


def _is_day(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return moment.year in _YEARS and _DAY.fullmatch(text) is not None
