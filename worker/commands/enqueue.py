"""``callvault enqueue``: how calls become known."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click

from archive.call import Source
from archive.errors import Exit
from worker.commands.choosing import choice_options, read_entry, trust_status_option
from worker.commands.listing import by_range
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import (
    account_option,
    dates_option,
    dry_run_option,
    json_option,
    progress_option,
    rejected_option,
)
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@click.group()
def enqueue() -> None:
    """Make calls known. What is known already is counted and not added again."""


@enqueue.command(cls=Noted)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@account_option
@dates_option
@choice_options
@trust_status_option
@rejected_option
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
    rejected: Path | None,
    dry_run: bool,
    progress: bool | None,
    as_json: bool,
) -> int:
    """Read CDR exports (CSV, Excel, zip, gzip) into the catalog; '-' is standard input.

    A folder means the exports in it. The Sid alone is enough; times, numbers and status are kept
    where the export has them. A row that cannot be used is reported with its line, is written to
    a file of its own, and stops nothing; of several files, one that cannot be read stops none of
    the others.
    """
    from worker.commands.taking import take_files  # noqa: PLC0415 - --help reads no exports

    take_files(
        load_settings(config, os.environ),
        account,
        files,
        dates=dates,
        entry=read_entry(only, skip, trust_status=trust_status),
        dry_run=dry_run,
        as_json=as_json,
        progress=progress,
        rejected=rejected,
    )
    return Exit.COMPLETE


@enqueue.command(cls=Noted)
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
    # Loaded here: --help takes nothing in.
    from jobs.intake import sid_rows  # noqa: PLC0415
    from worker.commands.saying import SIDS, Said, counted  # noqa: PLC0415
    from worker.commands.taking import open_desk  # noqa: PLC0415

    settings = load_settings(config, os.environ)
    lines: Iterable[str] = sids
    if sids == ("-",):
        lines = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    said = Said(as_json=as_json)
    with open_desk(settings, account, dry_run=dry_run) as (desk, _):
        taken = desk.take_rows(sid_rows(lines, "sids"), Source.SIDS, said.rejected)
    said.report(taken, SIDS, dry_run=dry_run)
    if taken.rejected and taken.rejected == taken.rows:
        return Exit.USAGE
    note_of_run(counted(taken, SIDS))
    return Exit.COMPLETE


enqueue.add_command(by_range)
