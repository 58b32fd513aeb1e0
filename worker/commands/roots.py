"""``callvault catalog roots`` and ``join``: the roots of hosts, and putting two together."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import click
import msgspec

from archive.catalog import roots as rows
from archive.catalog.database import written
from archive.errors import Exit, InputError
from archive.roots import RootFiles
from archive.tree import check_root
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import counted, human_bytes, json_option, print_json
from worker.opening import open_to_look
from worker.places import host_name, root_here
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archive.catalog.database import Database

_PAGE: Final = 1_000


class Joined(msgspec.Struct, kw_only=True):
    """What was joined: recordings that are of this root now, and those whose files are not here."""

    root: int
    recordings: int = 0
    left: int = 0


@click.command(name="roots")
@json_option
@click.pass_obj
def list_roots(config: Path | None, *, as_json: bool) -> int:
    """List the roots that the catalog knows, where they are, and what is in them."""
    settings = load_settings(config, os.environ)
    with _open(settings) as database:
        with database.read() as tx:
            found = rows.held(tx)
        here = _number_here(settings, database)
    for root in found:
        if as_json:
            print_json({**msgspec.structs.asdict(root), "here": root.number == here})
            continue
        amount = f"{counted(root.recordings, 'recording')}, {human_bytes(root.bytes)}"
        click.echo(f"{root.number:>3}  {amount}{'  (here)' if root.number == here else ''}")
        for place in root.places:
            click.echo(
                f"     {place.host}:{place.path}  last seen {place.seen_at:%Y-%m-%d %H:%M} UTC"
            )
    return Exit.COMPLETE


@click.command(cls=Noted)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--all", "lost_too", is_flag=True, help="Also what is not here.")
@json_option
@click.pass_obj
def join(config: Path | None, *, number: int, lost_too: bool, as_json: bool) -> int:
    """Take what was in root NUMBER for this host's: its files were moved or copied here.

    A recording is taken over if its file is here, as long as it should be. With --all those that
    are not here are taken over as well: verify then finds them missing, and has them fetched again
    while the provider has them.
    """
    settings = load_settings(config, os.environ)
    check_root(settings.archive.root)
    with _open(settings) as database:
        here = written(
            database,
            lambda tx: rows.register(
                tx,
                RootFiles(settings.archive.root),
                host=host_name(settings),
                shared=settings.archive.shared,
                fresh_mark=secrets.token_hex(8),
                now=database.clock(),
            ),
        )
        with database.read() as tx:
            known = {root.number for root in rows.held(tx)}
        if number not in known or number == here:
            raise InputError(
                f"root {number} is {'this one' if number == here else 'not known'}",
                hint="see which there are: callvault catalog roots",
            )
        joined = _join(settings, database, number, here, lost_too=lost_too)
    note_of_run(f"{joined.recordings:,} recordings of root {number}, {joined.left:,} not here")
    if as_json:
        print_json(joined)
    else:
        _say(joined, number, lost_too=lost_too)
    return Exit.WORK_REMAINS if joined.left else Exit.COMPLETE


def _join(
    settings: Settings, database: Database, number: int, here: int, *, lost_too: bool
) -> Joined:
    joined, after = Joined(root=here), ""
    while page := _page(database, number, after):
        after = page[-1][0]
        found = [p for p, size in page if lost_too or _is_whole(settings.archive.root / p, size)]
        joined.left += len(page) - len(found)
        move = partial(rows.move, paths=found, old=number, new=here)
        joined.recordings += written(database, move)
    if not joined.left:
        written(database, lambda tx: rows.move_purged(tx, old=number, new=here))
    return joined


def _page(database: Database, number: int, after: str) -> list[tuple[str, int]]:
    with database.read() as tx:
        return rows.page_of(tx, number, after, _PAGE)


def _is_whole(file: Path, size: int) -> bool:
    try:
        return file.is_file() and file.stat().st_size == size
    except OSError:
        return False


def _say(joined: Joined, number: int, *, lost_too: bool) -> None:
    click.echo(f"{joined.recordings:>12,}  recordings of root {number} are of this root now")
    if joined.left:
        click.echo(f"{joined.left:>12,}  are not here, or not whole: they stay in root {number}")
    else:
        click.echo("their lists are written by the workers; look at the bytes: callvault verify")
    if lost_too:
        click.echo("what is missing is found and fetched again by: callvault verify --repair")


def _number_here(settings: Settings, database: Database) -> int:
    with database.read() as tx:
        return root_here(tx, settings)


@contextmanager
def _open(settings: Settings) -> Iterator[Database]:
    database = open_to_look(settings)
    try:
        yield database
    finally:
        database.close()
