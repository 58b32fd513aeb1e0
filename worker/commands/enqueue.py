"""``callvault enqueue``: how calls become known."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from archive.call import Source
from archive.clock import system_clock
from archive.entry import FOR_ALL
from archive.errors import Exit, InputError
from jobs.ahead import read_ahead
from jobs.cdr import Rejected, UnreadTimes, read_cdr
from jobs.day_order import DayOrder
from jobs.intake import Desk, Report, open_for_import, prepared, sid_rows
from worker.commands.choosing import choice_options, read_entry, trust_status_option
from worker.commands.importing import importing
from worker.commands.listing import by_range
from worker.commands.options import (
    account_option,
    dates_option,
    dry_run_option,
    json_option,
    print_json,
    progress_option,
)
from worker.commands.preflight import Ahead, forecast
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archive.accounts import Account
    from archive.catalog.rows import NewCall
    from archive.entry import Entry
    from archive.readiness import Readiness

_REJECTED_SHOWN: Final = 20
_LARGE: Final = 8 * 2**20
"""From this size on, a process that reads ahead pays; it takes a quarter of a second to start."""


@click.group()
def enqueue() -> None:
    """Make calls known. What is known already is counted and not added again."""


@enqueue.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@account_option
@dates_option
@choice_options
@trust_status_option
@dry_run_option
@progress_option
@json_option
@click.pass_obj
def cdr(
    config: Path | None,
    *,
    files: tuple[str, ...],
    account: str | None,
    dates: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    trust_status: bool,
    dry_run: bool,
    progress: bool | None,
    as_json: bool,
) -> int:
    """Read CDR exports (CSV, also packed with gzip) into the catalog; '-' is standard input.

    The Sid alone is enough; times, numbers and status are kept where the export has them. A row
    that cannot be used is reported with its line and stops nothing; of several files, one that
    cannot be read stops none of the others.
    """
    settings = load_settings(config, os.environ)
    entry = read_entry(only, skip, trust_status=trust_status)
    take_files(
        settings,
        account,
        files,
        dates=dates,
        entry=entry,
        dry_run=dry_run,
        as_json=as_json,
        progress=progress,
    )
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


def take_files(
    settings: Settings,
    account: str | None,
    files: tuple[str, ...],
    *,
    dates: str | None,
    entry: Entry = FOR_ALL,
    dry_run: bool,
    as_json: bool,
    quiet: bool = False,
    progress: bool | None = None,
) -> None:
    """Read CDR exports into the catalog and say what came of it.

    Raises:
        InputError: a file cannot be read; what was read of it, and the others, are kept.
    """
    said = _Said(as_json=as_json, quiet=quiet)
    total = Report()
    order = DayOrder(dates) if dates else None
    refused: list[InputError] = []
    with (
        _desk(settings, account, dry_run=dry_run) as (desk, name),
        importing(wanted=progress) as shown,
    ):
        for file in files:
            chosen = settings.accounts[name]
            make = partial(_rows_of, Path(file), chosen, settings.readiness, order, entry)
            try:
                with read_ahead(make) if _is_large(file) else nullcontext(make()) as found:
                    taken = desk.take_prepared(
                        said.told(shown.rows(found, file), file), Source.CDR, said.rejected
                    )
            except InputError as error:
                if len(files) == 1:
                    raise
                refused.append(error)
                said.refused(error)
                continue
            total.rows += taken.rows
            total.new += taken.new
            total.known += taken.known
            total.rejected += taken.rejected
            for late in said.late[:]:
                said.late.clear()
                refused.append(late)
                if len(files) > 1:
                    said.refused(late)
        ahead = None
        if dry_run:
            now, chosen = system_clock(), settings.accounts[name]
            ahead = Ahead(forecast(desk, settings, chosen, now), chosen, now)
    said.report(total, "rows read", dry_run=dry_run, ahead=ahead)
    if refused and len(files) == 1:
        raise refused[0]
    if refused:
        raise InputError(
            f"{len(refused)} of {len(files)} files could not be read whole; see above for each.",
            hint="The others are done. What is known already is not added again, so all can be "
            "named again.",
        )


def _rows_of(
    path: Path,
    account: Account,
    readiness: Readiness,
    order: DayOrder | None,
    entry: Entry,
) -> Iterator[NewCall | Rejected | UnreadTimes | InputError | str]:
    """Yield the rows of an export as they are taken in, and between them what is to be said."""
    said: list[UnreadTimes | InputError | str] = []
    rows = read_cdr(
        path,
        zone=account.zone,
        order=order,
        now=system_clock(),
        on_order=said.append,
        on_unread=said.append,
    )
    ready = prepared(rows, account, readiness, system_clock, entry)
    first = list(islice(ready, 1))
    yield from said  # of the dates: it is known with the first row
    said.clear()
    yield from first
    try:
        yield from ready
    except InputError as error:
        # Raised, it would cost the rows that wait for their transaction.
        said.append(error)
    yield from said


def _is_large(file: str) -> bool:
    try:
        return Path(file).stat().st_size >= _LARGE
    except OSError:
        return False  # reading it says what is wrong with it


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
        self.late: list[InputError] = []

    def rejected(self, row: Rejected) -> None:
        """Report a row that cannot be used; the first few at once, the rest as a count."""
        self._rejected.append(row)
        if len(self._rejected) <= _REJECTED_SHOWN:
            click.echo(f"{row.file}:{row.line}: {row.reason}", err=True)

    def note(self, text: str) -> None:
        """Say something a person should know."""
        click.echo(f"note: {text}", err=True)

    def refused(self, error: InputError) -> None:
        """Say why a file was not read; the others go on."""
        click.echo(f"callvault: {error.message}\n  hint: {error.hint}", err=True)

    def told(
        self, rows: Iterable[NewCall | Rejected | UnreadTimes | InputError | str], file: str
    ) -> Iterator[NewCall | Rejected]:
        """Pass on the rows of a file, and say what stands between them."""
        for row in rows:
            if isinstance(row, UnreadTimes):
                self.unread(file, row)
            elif isinstance(row, InputError):
                self.late.append(row)
            elif isinstance(row, str):
                self.note(row)
            else:
                yield row

    def unread(self, file: str, times: UnreadTimes) -> None:
        """Say that times were not understood: their calls are kept, and dates asked for."""
        self.note(
            f"{file}: {times.count:,} times cannot be read, the first is {times.first}; their "
            "calls are kept without them. The provider exports YYYY-MM-DD HH:MM:SS"
        )

    def report(
        self, report: Report, noun: str, *, dry_run: bool, ahead: Ahead | None = None
    ) -> None:
        """Print what came of it."""
        hidden = len(self._rejected) - _REJECTED_SHOWN
        if hidden > 0:
            click.echo(f"... and {hidden:,} more rows rejected", err=True)
        if self._quiet:
            return
        if self._as_json:
            document = msgspec.to_builtins(report)
            print_json({**document, "preflight": ahead.told} if ahead else document)
            return
        would = " (dry run: nothing was changed)" if dry_run else ""
        click.echo(
            f"{report.rows:,} {noun}: {report.new:,} calls new, {report.known:,} already known, "
            f"{report.rejected:,} rows rejected{would}"
        )
        for line in ahead.lines() if ahead else ():
            click.echo(line)


enqueue.add_command(by_range)
