"""``callvault catalog``: tidying, backups and checks of the catalog."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from archive.catalog import counts, upkeep
from archive.catalog.backup import make_backup
from archive.catalog.copying import Moved, move
from archive.catalog.database import SERVER_SCHEMES, name_of, open_database, written
from archive.clock import system_clock
from archive.errors import CallvaultError, CatalogError, Exit, InputError
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import (
    counted,
    human_bytes,
    json_option,
    print_json,
    say_of_files,
)
from worker.commands.roots import join, list_roots
from worker.logs import configure_logging
from worker.opening import check_catalog, open_to_look
from worker.places import host_name
from worker.redact import clean_text
from worker.sections import has_password
from worker.settings import load_settings

if TYPE_CHECKING:
    from worker.tidying import Tidied

_BACKUPS: Final = "backups"
_SHOWN: Final = 20
_BOUND_S: Final = 30 * 60
"""The longest that rows are dropped in one run; what is left then is for the next."""


@click.group()
def catalog() -> None:
    """Tidy the catalog, back it up, check it. All of it while workers run."""


@catalog.command(cls=Noted)
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would go; change nothing.")
@json_option
@click.pass_obj
def tidy(config: Path | None, *, dry_run: bool, as_json: bool) -> int:
    """Drop what is no longer kept, and remove what killed processes have left.

    No call, no sighting and no recording is touched, unless [archive] purge is "automatic".
    """
    settings = load_settings(config, os.environ)
    configure_logging(settings.log)
    check_catalog(settings)
    from worker.tidying import tidy_all  # noqa: PLC0415 - it loads much that backups do not need

    until = time.monotonic() + _BOUND_S
    done = asyncio.run(
        tidy_all(
            settings,
            clock=system_clock,
            go_on=lambda: time.monotonic() < until,
            rest=lambda: time.sleep(0.01),
            dry_run=dry_run,
        )
    )
    if as_json:
        print_json(done)
    else:
        _say_tidied(done, dry_run=dry_run)
    note_of_run(
        f"{counted(done.rows.looks, 'look')} dropped, {counted(done.files, 'file')} removed, "
        f"{counted(done.purged.recordings, 'recording')} purged"
        + (f"; not purged: {done.why_not_purged}" if done.why_not_purged else "")
    )
    if done.why_not_purged:
        return Exit.FATAL
    # A dry run leaves nothing undone that it was to do.
    finished = done.rows.finished and (dry_run or not done.purged.left)
    return Exit.COMPLETE if finished else Exit.WORK_REMAINS


def _say_tidied(done: Tidied, *, dry_run: bool) -> None:
    counts = (
        (done.rows.looks, "looks at settled calls"),
        (done.rows.hearings, "times in which a source was heard"),
        (done.rows.runs, "runs of commands"),
        (done.rows.troubles, "troubles that are over"),
        (done.rows.tallies, "hours of tallies, put together to days"),
        (done.parts, "part files of batches that are no more"),
        (done.temporary, "temporary files of processes that are no more"),
        (done.rejected, "files of rejected rows"),
        (done.purged.recordings, f"recordings, {human_bytes(done.purged.bytes)}"),
        (
            done.purged.left if dry_run else 0,
            "recordings of former purges, whose files may be there",
        ),
    )
    for count, what in counts:
        if count:
            click.echo(f"{count:>12,}  {what}")
    if done.why_not_purged:
        click.echo(f"nothing is purged by age: {done.why_not_purged}", err=True)
        click.echo("look with 'callvault purge --dry-run', then purge by hand", err=True)
    if dry_run:
        much = "that much" if any(count for count, _ in counts) else "nothing"
        click.echo(f"{much} would go (dry run: nothing was changed)")
        return
    say_of_files(done.purged)
    vacuum = "was written anew" if done.vacuumed else f"not written anew: {done.why_not_vacuumed}"
    size = f"{human_bytes(done.size.bytes)}, {human_bytes(done.size.free)} of it free"
    click.echo(f"the catalog has {size}; {vacuum}")
    if not done.rows.finished:
        click.echo("the time was over before all was dropped; the next run goes on", err=True)


@catalog.command(cls=Noted, at_end=True)
@click.argument("target", required=False, type=click.Path(path_type=Path), metavar="[FILE|FOLDER]")
@click.option(
    "--keep", type=click.IntRange(min=1), help="Remove all but the newest so many in the folder."
)
@json_option
@click.pass_obj
def backup(config: Path | None, *, target: Path | None, keep: int | None, as_json: bool) -> int:
    """Copy the catalog while others write to it, and check the copy.

    Into a new file, or a new file in a folder; without either, in 'backups' beside the catalog.
    """
    settings = load_settings(config, os.environ)
    check_catalog(settings)
    path = settings.catalog_path
    if target is None:
        target = path.parent / _BACKUPS
        target.mkdir(mode=0o700, exist_ok=True)
    done = make_backup(
        path,
        target,
        host=host_name(settings),
        now=system_clock(),
        keep=keep,
    )
    note_of_run(f"{done.bytes:,} bytes in {done.file}, {len(done.removed):,} older removed")
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.file}: {human_bytes(done.bytes)}, checked and on disk")
        for name in done.removed:
            click.echo(f"removed {name}")
    return Exit.COMPLETE


@catalog.command()
@click.option("--recount", is_flag=True, help="First count every row, and keep that as the counts.")
@json_option
@click.pass_obj
def check(config: Path | None, *, recount: bool, as_json: bool) -> int:
    """Read all of the catalog: is the file sound, do the books balance, do rows contradict?"""
    settings = load_settings(config, os.environ)
    database = open_to_look(settings)
    try:
        damage = upkeep.damage(database, _SHOWN)
        if recount and not damage:
            written(database, counts.recount)
        with database.read() as tx:
            faults = [] if damage else counts.audit(tx)
            odd = {} if damage else upkeep.contradictions(tx)
        size = upkeep.sizes_of(database)
    finally:
        database.close()
    if as_json:
        print_json({"damage": damage, "faults": faults, "contradictions": odd, "bytes": size.bytes})
    for line in (
        () if as_json else (*damage, *faults, *(f"{n:,} {what}" for what, n in odd.items()))
    ):
        click.echo(line)
    if damage:
        raise CatalogError(
            f"the catalog {name_of(settings.catalog.url)} is damaged",
            hint="keep it, and restore a backup or rebuild it: docs/how-to/restore.md",
        )
    if faults or odd:
        raise CallvaultError(
            "the catalog contradicts itself", hint="keep it as it is and report what is above"
        )
    if not as_json:
        click.echo(f"the catalog is sound: {human_bytes(size.bytes)}, and its books balance")
    return Exit.COMPLETE


@catalog.command(name="copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@json_option
def copy_catalog(source: str, target: str, *, as_json: bool) -> int:
    """Move a catalog: from a file to a PostgreSQL server, back, or anywhere else.

    FROM and TO are URLs as in [catalog] url. Workers have to be stopped, and TO has to know no
    calls. Each table is counted and checked on both sides; FROM stays as it is.
    """
    for where in (source, target):
        if not where.startswith(("sqlite:///", *SERVER_SCHEMES)):
            raise InputError(
                f"{clean_text(where)[:80]} is no URL of a catalog",
                hint="write sqlite:///relative.db, sqlite:////absolute.db or postgresql://…",
            )
        if has_password(where):
            raise InputError(
                "a password on the command line is seen by everybody on this machine",
                hint="give it by PGPASSFILE or PGPASSWORD",
            )

    def say(moved: Moved) -> None:
        if not as_json:
            click.echo(f"{moved.rows:>12,}  {moved.table}, SHA-256 {moved.sha256[:16]}…")

    with closing(open_database(source, make=False)) as old, closing(open_database(target)) as new:
        done = move(old, new, now=old.clock(), progress=say)
    if as_json:
        print_json(done)
    else:
        click.echo(f"moved to {name_of(target)}; name it in [catalog] url and start the workers")
    return Exit.COMPLETE


catalog.add_command(list_roots)
catalog.add_command(join)
