"""``callvault enqueue``: how calls become known."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from archive.api import ApiTroubleError
from archive.call import Source
from archive.clock import system_clock
from archive.errors import CredentialsError, Exit, FatalError, InputError, ProviderError
from archive.verdicts import RULES, Symptom
from jobs.ahead import read_ahead
from jobs.cdr import Rejected, UnreadTimes, read_cdr
from jobs.intake import Desk, Report, cut_range, open_for_import, prepared, sid_rows, take_range
from worker.commands.options import account_option, json_option, print_json
from worker.logs import configure_logging
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from archive.accounts import Account
    from archive.catalog.rows import NewCall
    from archive.readiness import Readiness

_REJECTED_SHOWN: Final = 20
_LARGE: Final = 8 * 2**20
"""From this size on, a process that reads ahead pays; it takes a quarter of a second to start."""
_DAYS: Final = {"today": 0, "yesterday": 1}
_AGO: Final = re.compile(r"(\d{1,3}) days? ago", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Only count; change nothing in the catalog."
)


@click.group()
def enqueue() -> None:
    """Make calls known. What is known already is counted and not added again."""


@enqueue.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@account_option
@dry_run_option
@json_option
@click.pass_obj
def cdr(
    config: Path | None,
    *,
    files: tuple[str, ...],
    account: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Read CDR exports (CSV) into the catalog.

    The Sid alone is enough; times, numbers and status are kept where the export has them. A row
    that cannot be used is reported with its line and stops nothing.
    """
    settings = load_settings(config, os.environ)
    take_files(settings, account, files, dry_run=dry_run, as_json=as_json)
    return Exit.COMPLETE


@enqueue.command()
@click.argument("sids", nargs=-1, required=True, metavar="SID...")
@account_option
@dry_run_option
@json_option
@click.pass_obj
def sids(
    config: Path | None,
    *,
    sids: tuple[str, ...],
    account: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Take in bare Sids; '-' reads them from standard input, one a line."""
    settings = load_settings(config, os.environ)
    lines: Iterable[str] = sids
    if sids == ("-",):
        lines = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    said = _Said(as_json=as_json)
    with _desk(settings, account, dry_run=dry_run) as (desk, _):
        taken = desk.take_rows(sid_rows(lines, "sids"), Source.SIDS, said.rejected)
    said.report(taken, "Sids", dry_run=dry_run)
    return Exit.USAGE if taken.rejected and taken.rejected == taken.rows else Exit.COMPLETE


@enqueue.command("range")
@click.option("--from", "start", required=True, help="The first moment: 2026-11-01 or with a time.")
@click.option("--to", "end", required=True, help="The last; a day alone means its end.")
@account_option
@dry_run_option
@json_option
@click.pass_obj
def by_range(
    config: Path | None,
    *,
    start: str,
    end: str,
    account: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Ask the provider for all calls of a time; 'today', '3 days ago' are days, too.

    Times are in the account's zone. The provider keeps six months of history.
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log)
    said = _Said(as_json=as_json)
    with _desk(settings, account, dry_run=dry_run) as (desk, name):
        zone = settings.accounts[name].zone
        first, last = parse_moment(start, zone, end=False), parse_moment(end, zone, end=True)
        if first >= last:
            raise InputError(f"the range ends ({end}) before it begins ({start})")
        began, ended = cut_range(first, last, system_clock())
        if began > first:
            said.note(f"the provider knows nothing before {began.astimezone(zone):%Y-%m-%d %H:%M}")
        taken = asyncio.run(_ask_range(settings, name, desk, began, ended, said))
    said.report(taken, "calls listed", dry_run=dry_run)
    return Exit.COMPLETE


def take_files(
    settings: Settings,
    account: str | None,
    files: tuple[str, ...],
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool = False,
) -> None:
    """Read CDR exports into the catalog and say what came of it.

    Raises:
        InputError: a file cannot be read; those before it are kept.
    """
    said = _Said(as_json=as_json, quiet=quiet)
    total = Report()
    with _desk(settings, account, dry_run=dry_run) as (desk, name):
        for file in files:
            make = partial(_rows_of, Path(file), settings.accounts[name], settings.readiness)
            with read_ahead(make) if _is_large(file) else nullcontext(make()) as found:
                taken = desk.take_prepared(said.told(found, file), Source.CDR, said.rejected)
            total.rows += taken.rows
            total.new += taken.new
            total.known += taken.known
            total.rejected += taken.rejected
    said.report(total, "rows read", dry_run=dry_run)


def _rows_of(
    path: Path, account: Account, readiness: Readiness
) -> Iterator[NewCall | Rejected | UnreadTimes]:
    """Yield the rows of an export as they are taken in, and at the end what was not understood."""
    unread: list[UnreadTimes] = []
    rows = read_cdr(path, zone=account.zone, on_unread=unread.append)
    yield from prepared(rows, account, readiness, system_clock)
    yield from unread


def _is_large(file: str) -> bool:
    try:
        return Path(file).stat().st_size >= _LARGE
    except OSError:
        return False  # reading it says what is wrong with it


async def _ask_range(
    settings: Settings, name: str, desk: Desk, start: datetime, end: datetime, said: _Said
) -> Report:
    # Loaded here: the other ways of enqueueing need neither HTTP nor Redis.
    from jobs.queue import close_pool, open_pool  # noqa: PLC0415
    from worker.build import api_of, open_session  # noqa: PLC0415
    from worker.queues import keep_queue  # noqa: PLC0415

    account = settings.accounts[name]
    async with (
        open_session(settings, os.environ, connections=4) as session,
        keep_queue(settings) as url,
    ):
        pool = open_pool(url, retries=10)
        try:
            api = api_of(account, settings, session, pool, os.environ)
            return await take_range(desk, api, start, end, said.page)
        except ApiTroubleError as trouble:
            raise _explained(trouble, settings, name) from trouble
        finally:
            await close_pool(pool)


def _explained(
    trouble: ApiTroubleError, settings: Settings, name: str
) -> ProviderError | FatalError:
    account = settings.accounts[name]
    message = (
        f"asking {account.api_base} ({account.region}) for the calls of {name}: {trouble.detail}"
    )
    rule = RULES[trouble.symptom]
    if trouble.symptom is Symptom.API_UNAUTHORISED:
        return CredentialsError(message, hint=rule.hint)
    if rule.fatal:
        return FatalError(message, hint=rule.hint)
    return ProviderError(message, hint=rule.hint or "calls listed so far are kept; run it again")


@contextmanager
def _desk(settings: Settings, account: str | None, *, dry_run: bool) -> Iterator[tuple[Desk, str]]:
    chosen = settings.account(account)
    database = open_for_import(settings.catalog_path)
    try:
        desk = Desk(
            database=database,
            account=chosen,
            readiness=settings.readiness,
            clock=system_clock,
            dry_run=dry_run,
        )
        yield desk, chosen.name
    finally:
        database.close()


class _Said:
    """Says what happens: rejected rows and notes on stderr, the result on stdout."""

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._rejected: list[Rejected] = []

    def rejected(self, row: Rejected) -> None:
        """Report a row that cannot be used; the first few at once, the rest as a count."""
        self._rejected.append(row)
        if len(self._rejected) <= _REJECTED_SHOWN:
            click.echo(f"{row.file}:{row.line}: {row.reason}", err=True)

    def note(self, text: str) -> None:
        """Say something a person should know."""
        click.echo(f"note: {text}", err=True)

    def told(
        self, rows: Iterable[NewCall | Rejected | UnreadTimes], file: str
    ) -> Iterator[NewCall | Rejected]:
        """Pass on the rows of a file, and say what stands between them."""
        for row in rows:
            if isinstance(row, UnreadTimes):
                self.unread(file, row)
            else:
                yield row

    def unread(self, file: str, times: UnreadTimes) -> None:
        """Say that times were not understood: their calls are kept, and dates asked for."""
        self.note(
            f"{file}: {times.count:,} times cannot be read, the first is {times.first}; their "
            "calls are kept without them. The provider exports YYYY-MM-DD HH:MM:SS"
        )

    def page(self, report: Report) -> None:
        """Show on a terminal how far a listing is."""
        if sys.stderr.isatty():
            click.echo(f"\r{report.rows:,} calls listed", err=True, nl=False)

    def report(self, report: Report, noun: str, *, dry_run: bool) -> None:
        """Print what came of it."""
        hidden = len(self._rejected) - _REJECTED_SHOWN
        if hidden > 0:
            click.echo(f"... and {hidden:,} more rows rejected", err=True)
        if self._quiet:
            return
        if self._as_json:
            print_json(report)
            return
        would = " (dry run: nothing was changed)" if dry_run else ""
        click.echo(
            f"{report.rows:,} {noun}: {report.new:,} calls new, {report.known:,} already known, "
            f"{report.rejected:,} rows rejected{would}"
        )


def _days_ago(text: str) -> int | None:
    """Read ``today``, ``yesterday`` and ``3 days ago``; None for anything else."""
    if text in _DAYS:
        return _DAYS[text]
    match = _AGO.fullmatch(text)
    return int(match[1]) if match else None


def parse_moment(text: str, zone: ZoneInfo, *, end: bool) -> datetime:
    """Read a moment in the account's zone; a day alone means its start, or as an end its last.

    Raises:
        InputError: it is no moment.
    """
    if (days_ago := _days_ago(text)) is not None:
        day = system_clock().astimezone(zone) - timedelta(days=days_ago)
        text = day.strftime("%Y-%m-%d")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no moment",
            hint="write 2026-11-01, '2026-11-01 09:30:00', '3 days ago' or yesterday",
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    if end and _DATE.fullmatch(text):
        moment += timedelta(days=1) - timedelta(seconds=1)
    return moment
