"""``callvault rebuild``: a new catalog from the archive's own files."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from archive.catalog import balance
from archive.catalog.database import open_database
from archive.clock import system_clock
from archive.errors import CallvaultError, CatalogError, Exit, InputError, StoreError
from archive.rebuild import Rebuilder
from worker.commands.options import (
    human_bytes,
    json_option,
    print_json,
    progress_option,
    status_document,
)
from worker.logs import configure_logging
from worker.meter import Meter
from worker.screen import wants_bar
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from archive.catalog.balance import Balance
    from archive.rebuild import Rebuilt

_SUFFIX = ".rebuild"
_COMPANIONS = ("-wal", "-shm")


@click.command()
@click.option(
    "--trust-sidecars",
    is_flag=True,
    help="Believe a sidecar or manifest whose recording has the right length; read no recording.",
)
@progress_option
@json_option
@click.pass_obj
def rebuild(
    config: Path | None, *, trust_sidecars: bool, progress: bool | None, as_json: bool
) -> int:
    """Make a new catalog from manifests, sidecars and recordings, when the old one is lost.

    It refuses where there is a catalog that knows calls. Nothing in the archive is changed.
    """
    settings = load_settings(config, os.environ)
    shows_bar = wants_bar(progress)
    configure_logging(settings.log, quiet=shows_bar)
    _refuse_a_catalog_in_use(settings.catalog_path)
    with Meter("rebuilding", total=None, shows_bar=shows_bar) as meter:
        found, counted = _rebuild(settings, meter, trust_sidecars=trust_sidecars)
    if as_json:
        print_json({**msgspec.structs.asdict(found), "status": status_document(counted, [], [], 0)})
    else:
        _print(settings, found, counted)
    return _code(found, counted)


def _refuse_a_catalog_in_use(path: Path) -> None:
    """Check that no catalog is in the way.

    Raises:
        InputError: there is one that knows calls, or cannot be read.
    """
    if not path.exists():
        return
    hint = f"move it away first, with its companions: {path.name}-wal and {path.name}-shm"
    try:
        database = open_database(path)
        try:
            with database.read() as tx:
                calls = balance.balance(tx).known
        finally:
            database.close()
    except CatalogError as error:
        raise InputError(f"a catalog is in the way: {error.message}", hint=hint) from error
    if calls:
        raise InputError(f"the catalog {path} exists and knows {calls:,} calls", hint=hint)


def _rebuild(settings: Settings, meter: Meter, *, trust_sidecars: bool) -> tuple[Rebuilt, Balance]:
    path = settings.catalog_path
    unfinished = path.with_name(path.name + _SUFFIX)
    # What a rebuild that was interrupted left is no catalog.
    for suffix in ("", *_COMPANIONS):
        with suppress(FileNotFoundError):
            Path(f"{unfinished}{suffix}").unlink()
    database = open_database(unfinished)
    try:
        found = Rebuilder(
            database=database,
            root=settings.archive.root,
            accounts=settings.accounts,
            readiness=settings.readiness,
            clock=system_clock,
            trust_sidecars=trust_sidecars,
            notice=lambda where, why: click.echo(f"{where}: {why}", err=True),
            progress=meter.add,
        ).run()
        with database.read() as tx:
            counted = balance.balance(tx)
        if counted.faults:
            raise CallvaultError(f"the new books do not balance: {'; '.join(counted.faults)}")
        if not database.is_in_its_place():
            raise CatalogError(f"{unfinished} was removed or replaced: is another rebuild running?")
    except OSError as error:
        raise StoreError(f"reading the archive: {error}") from error
    finally:
        database.close()
    _put_in_place(unfinished, path)
    return found, counted


def _put_in_place(unfinished: Path, path: Path) -> None:
    try:
        for suffix in _COMPANIONS:
            # Of the lost catalog. SQLite would take them for the new one's.
            former = Path(f"{path}{suffix}")
            if former.exists():
                former.rename(f"{former}.former")
        unfinished.replace(path)
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise CatalogError(f"putting the new catalog to {path}: {error.strerror}") from error


def _print(settings: Settings, found: Rebuilt, counted: Balance) -> None:
    lines: list[tuple[int, str]] = [
        (found.manifests, f"manifests, with {found.calls:,} calls"),
        (found.only_files, "calls that only their files told of"),
        (found.recordings, f"recordings, {human_bytes(found.bytes)}"),
        (found.bad_lines, "lines of manifests that cannot be used"),
        (found.missing, "recordings missing: their calls are expected again"),
        (found.damaged, "recordings damaged: their calls are expected again"),
        (found.strange, "files that are no recording of a call, or a second copy"),
    ]
    for count, words in lines:
        if count or words.startswith(("manifests", "recordings,")):
            click.echo(f"{count:>12,}  {words}")
    click.echo(
        f"the new catalog {settings.catalog_path} knows {counted.known:,} calls; it balances"
    )
    if strangers := sorted(_accounts_of(settings) - set(settings.accounts)):
        click.echo(f"not in the settings: {', '.join(strangers)}", err=True)
    if counted.unsettled:
        click.echo(f"{counted.unsettled:,} calls are to be looked at: callvault work --drain")


def _accounts_of(settings: Settings) -> set[str]:
    database = open_database(settings.catalog_path)
    try:
        with database.read() as tx:
            return set(balance.accounts_with_calls(tx))
    finally:
        database.close()


def _code(found: Rebuilt, counted: Balance) -> Exit:
    if found.missing or found.damaged or found.bad_lines:
        return Exit.PERMANENT_LOSSES
    return Exit.WORK_REMAINS if counted.unsettled else Exit.COMPLETE
