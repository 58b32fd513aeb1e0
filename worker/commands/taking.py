"""Taking exports in: what ``callvault enqueue cdr`` and ``callvault run`` do with files."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.call import Source
from archive.clock import system_clock
from archive.entry import FOR_ALL
from archive.errors import InputError
from jobs.ahead import read_ahead
from jobs.cdr import read_cdr
from jobs.day_order import DayOrder
from jobs.inputs import inputs_of
from jobs.intake import Desk, Report, prepared
from jobs.rejected import RejectedFile, place_of
from worker.commands.importing import importing
from worker.commands.noted import note_of_run
from worker.commands.preflight import Ahead, forecast
from worker.commands.saying import ROWS, Said, counted, unread_times
from worker.opening import open_to_work, rehearsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archive.accounts import Account
    from archive.entry import Entry
    from archive.readiness import Readiness
    from worker.commands.saying import Found
    from worker.settings import Settings

_LARGE: Final = 8 * 2**20
"""From this size on, a process that reads ahead pays; it takes a quarter of a second to start."""


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
    rejected: Path | None = None,
) -> None:
    """Read CDR exports into the catalog and say what came of it.

    Raises:
        InputError: a file cannot be read; what was read of it, and the others, are kept.
    """
    said = Said(as_json=as_json, quiet=quiet)
    inputs = inputs_of(files)
    total, order = Report(), DayOrder(dates) if dates else None
    place = place_of(settings.queue.state / "rejected", system_clock())
    kept = RejectedFile(rejected or place)
    kept.check()
    bad = len(inputs.refused)
    count = len(inputs.files) + bad
    for text in inputs.notes:
        said.note(text)
    for error in inputs.refused:
        said.refuse(error, aloud=count > 1)
    ahead = None
    with (
        open_desk(settings, account, dry_run=dry_run) as (desk, name),
        importing(wanted=progress) as shown,
        kept,
    ):
        said.kept = kept if rejected or not dry_run else None
        for file in inputs.files:
            chosen, refused = settings.accounts[name], len(said.refused)
            make = partial(_rows_of, Path(file), chosen, settings.readiness, order, entry)
            with read_ahead(make) if _is_large(file) else nullcontext(make()) as found:
                rows = said.told(shown.rows(found, file), aloud=count > 1)
                taken = desk.take_prepared(rows, Source.CDR, said.rejected)
            total.add(taken)
            bad += len(said.refused) > refused
            if count > 1 and (taken.rows or len(said.refused) == refused):
                said.file(file, taken)
        if dry_run:
            now, chosen = system_clock(), settings.accounts[name]
            ahead = Ahead(forecast(desk, settings, chosen, now), chosen, now)
    if total.rows or not said.refused:
        note_of_run(counted(total, ROWS))
        said.report(total, ROWS, dry_run=dry_run, ahead=ahead)
    _raise_refused(said, files=count, bad=bad)


def _raise_refused(said: Said, *, files: int, bad: int) -> None:
    """Say what could not be read; the error of a single file is raised as it is."""
    refused = said.refused
    if files == 1:
        for error in refused[:-1]:
            said.error(error)
    if refused and files == 1:
        raise refused[-1]
    if refused:
        raise InputError(
            f"{bad} of {files} files could not be read whole; see above for each.",
            hint="The others are done. What is known already is not added again, so all can be "
            "named again.",
        )


def _rows_of(
    path: Path,
    account: Account,
    readiness: Readiness,
    order: DayOrder | None,
    entry: Entry,
) -> Iterator[Found]:
    """Yield the rows of an export as they are taken in, and between them what is to be said."""
    said: list[InputError | str] = []
    rows = read_cdr(
        path,
        zone=account.zone,
        order=order,
        now=system_clock(),
        on_note=said.append,
        on_unread=lambda name, times: said.append(unread_times(name, times)),
        on_refused=said.append,
    )
    try:
        for row in prepared(rows, account, readiness, system_clock, entry):
            if said:
                yield from said
                said.clear()
            yield row
    except InputError as error:
        # Raised, it would cost the rows that wait for their transaction.
        said.append(error)
    yield from said


def _is_large(file: str) -> bool:
    try:
        return Path(file).stat().st_size >= _LARGE
    except (OSError, ValueError):
        return False  # reading it says what is wrong with it


@contextmanager
def open_desk(
    settings: Settings, account: str | None, *, dry_run: bool
) -> Iterator[tuple[Desk, str]]:
    """Open the catalog to take calls of an account in; yields its name as well."""
    chosen = settings.account(account)
    with (
        rehearsed(settings, dry_run=dry_run) as used,
        closing(open_to_work(used, for_import=True)) as database,
    ):
        desk = Desk(
            database=database,
            account=chosen,
            readiness=settings.readiness,
            clock=system_clock,
            dry_run=dry_run,
        )
        yield desk, chosen.name
