"""What ``callvault adopt`` does, and how it is said."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Final

import click
import msgspec

from archive.belonging import Wanted
from archive.catalog.processes import Beat
from archive.clock import system_clock
from archive.errors import Exit, InputError
from jobs.adopt import (
    ADOPTED,
    ALREADY,
    AMBIGUOUS,
    BUSY,
    DAMAGED,
    DIFFERS,
    LEFT_OUT,
    NOT_AUDIO,
    UNKNOWN,
    UNREADABLE,
    Adopted,
    Adopter,
)
from worker.build import open_store
from worker.commands.options import human_bytes, print_json
from worker.opening import check_catalog, open_shared
from worker.places import host_name
from worker.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from archive.accounts import Account
    from worker.meter import Meter
    from worker.settings import Settings

_WORDS: Final = {
    ADOPTED: "taken in",
    ALREADY: "archived already, the same bytes",
    UNKNOWN: "no known Sid in the name",
    AMBIGUOUS: "several known Sids in the name",
    BUSY: "left to a worker that is archiving the call",
    DIFFERS: "left alone: another recording of the call is archived",
    NOT_AUDIO: "no audio, left alone",
    DAMAGED: "damaged, left alone: the provider may still have it whole",
    LEFT_OUT: "of a call that is left out or deleted",
    UNREADABLE: "cannot be read or put in place",
}
_TOLD: Final = ("files", "bytes", "passed_over")
_LATER: Final = frozenset({UNKNOWN, BUSY})
_WRONG: Final = frozenset({AMBIGUOUS, DIFFERS, NOT_AUDIO, DAMAGED, UNREADABLE})


def check(settings: Settings, folder: Path) -> None:
    """See whether a folder can be taken in.

    Raises:
        InputError: it is no folder, or lies in the archive.
        CatalogError: there is no catalog.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", hint="name the folder with the recordings")
    here, root = folder.resolve(), settings.archive.root.resolve()
    if here.is_relative_to(root) or root.is_relative_to(here):
        raise InputError(
            f"{folder} and the archive's root {root} lie in one another",
            hint="what lies in the archive is looked at by: callvault verify",
        )
    check_catalog(settings)


async def run(
    settings: Settings,
    account: Account,
    folder: Path,
    meter: Meter,
    *,
    copies: bool,
    dry_run: bool,
) -> Adopted:
    """Take in what lies in a folder."""
    catalog = await open_shared(settings, Wanted.LOOK)
    try:
        store = await open_store(settings, catalog)
        return await Adopter(
            catalog=catalog,
            store=store,
            account=account,
            sign=Beat(
                process=f"adopt-{host_name(settings)}-{secrets.token_hex(4)}",
                host=host_name(settings),
                pid=os.getpid(),
                version=VERSION,
                started_at=system_clock(),
                recordings=0,
                bytes=0,
            ),
            clock=catalog.clock,
            copies=copies,
            dry_run=dry_run,
            min_free=settings.archive.min_free,
            notice=_tell,
            progress=meter.add,
        ).run(folder)
    finally:
        await catalog.close()


def _tell(file: Path, outcome: str, detail: str) -> None:
    if outcome not in {ADOPTED, ALREADY}:
        click.echo(f"{outcome}: {file}" + (f" ({detail})" if detail else ""), err=True)


def _print(adopted: Adopted, *, dry_run: bool) -> None:
    note = " (dry run: nothing was changed)" if dry_run else ""
    click.echo(f"{adopted.files:>12,}  files looked at{note}")
    for outcome, count in adopted.outcomes.items():
        if count or outcome == ADOPTED:
            size = f", {human_bytes(adopted.bytes)}" if outcome == ADOPTED else ""
            click.echo(f"{count:>12,}  {_WORDS[outcome]}{size}")
    if adopted.passed_over:
        click.echo(f"{adopted.passed_over:>12,}  other files passed over")
    if adopted.outcomes[UNKNOWN]:
        click.echo("a call must be known first: callvault enqueue cdr EXPORT", err=True)


def told(adopted: Adopted, *, dry_run: bool, as_json: bool) -> Exit:
    """Say what came of it, and return the exit code."""
    if as_json:
        known = msgspec.structs.asdict(adopted)
        print_json({**{name: known[name] for name in _TOLD}, **adopted.outcomes})
    else:
        _print(adopted, dry_run=dry_run)
    if any(adopted.outcomes[outcome] for outcome in _WRONG):
        return Exit.PERMANENT_LOSSES
    if any(adopted.outcomes[outcome] for outcome in _LATER):
        return Exit.WORK_REMAINS
    return Exit.COMPLETE
