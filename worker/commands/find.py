"""``callvault find``: calls and their files, by what their rows know."""

from __future__ import annotations

import csv
import os
import re
import sys
from contextlib import closing
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from archive.call import Source, State
from archive.catalog.find import Found, Wanted
from archive.catalog.find import find as find_calls
from archive.errors import Exit, InputError
from archive.flags import FLAGS
from worker.commands.moments import parse_moment
from worker.commands.options import (
    account_option,
    in_its_colour,
    json_option,
    print_json,
    warn_of_root,
)
from worker.completion import complete_direction, complete_moment, complete_reason, complete_status
from worker.opening import open_to_look
from worker.places import root_here
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from archive.accounts import Account
    from archive.catalog.database import Tx

_NUMBER: Final = re.compile(r"\+?[0-9]+")
_ACTS: Final = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS: Final = tuple(name for name in Found.__struct_fields__ if name != "recordings")


@click.command()
@click.option("--number", help="Who called or was called; compared by its last 10 digits.")
@click.option("--exophone", help="The ExoPhone; compared by its last 10 digits.")
@click.option("--sid", help="The call of this Sid.")
@click.option(
    "--from",
    "start",
    shell_complete=complete_moment,
    help="Calls that began at this moment or later.",
)
@click.option(
    "--to",
    "end",
    shell_complete=complete_moment,
    help="Calls that began up to this moment, or on this day.",
)
@click.option("--state", type=click.Choice([s.value for s in State]), help="Where it stands.")
@click.option("--reason", shell_complete=complete_reason, help="Why it stands there.")
@click.option(
    "--direction", shell_complete=complete_direction, help="Such as inbound or outbound-dial."
)
@click.option(
    "--status", shell_complete=complete_status, help="The provider's word, such as completed."
)
@click.option("--group", help="The team that a dashboard report names.")
@click.option("--min-duration", "least_s", type=int, help="Seconds that it lasted at least.")
@click.option("--max-duration", "most_s", type=int, help="Seconds that it lasted at most.")
@click.option("--flag", type=click.Choice(sorted(FLAGS)), help="A flag of one of its recordings.")
@click.option("--source", type=click.Choice([s.value for s in Source]), help="Who told of it.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many calls.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a line a recording.")
@click.option("--paths", is_flag=True, help="Print only the paths of recordings.")
@click.option("-0", "--null", is_flag=True, help="With --paths: end each with a NUL.")
@account_option
@json_option
@click.pass_obj
def find(
    config: Path | None,
    /,
    *,
    account: str | None,
    start: str | None,
    end: str | None,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    paths: bool,
    null: bool,
    **fields: Any,  # noqa: ANN401 - the fields of Wanted that are named as their options
) -> int:
    """Print the calls that fit all that is asked for, earliest first."""
    if as_json + as_csv + paths > 1 or (null and not paths):
        raise InputError(
            "these options exclude each other", hint="choose one of --json, --csv, --paths [-0]"
        )
    settings = load_settings(config, os.environ)
    accounts = [settings.account(account)] if account else list(settings.accounts.values())
    database = open_to_look(settings)
    try:
        with database.read() as tx:
            warn_of_root(tx, settings)
            wanted = [(one, _wanted(start, end, one.zone, fields)) for one in accounts]
            with closing(_of_all(tx, wanted)) as found:
                calls = islice(found, limit)
                if as_json:
                    for call in calls:
                        print_json(call)
                elif as_csv:
                    _print_csv(calls)
                elif paths:
                    here = root_here(tx, settings)
                    _print_paths(calls, settings.archive.root, here, "\0" if null else "\n")
                elif not _print_table(calls, {one.name: one.zone for one in accounts}):
                    click.echo("no call fits", err=True)
    finally:
        database.close()
    return Exit.COMPLETE


def _of_all(tx: Tx, wanted: list[tuple[Account, Wanted]]) -> Generator[Found, None, None]:
    for account, what in wanted:
        with closing(find_calls(tx, account.name, account.zone, what)) as found:
            yield from found


def _wanted(start: str | None, end: str | None, zone: ZoneInfo, fields: dict[str, Any]) -> Wanted:
    # A day as the end includes its last second, so what is excluded begins a second later.
    last = parse_moment(end, zone, end=True) + timedelta(seconds=1) if end else None
    return Wanted(start=parse_moment(start, zone, end=False) if start else None, end=last, **fields)


def _print_table(calls: Iterable[Found], zones: dict[str, ZoneInfo]) -> int:
    """Print calls for people, and return how many there were."""
    count = 0
    for count, call in enumerate(calls, start=1):  # noqa: B007 - what it is at the end counts
        zone = zones[call.account]
        began = f"{call.began_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if call.began_at else "-"
        seconds = "-" if call.duration_s is None else f"{call.duration_s} s"
        stands = shown(f"{call.state} {call.reason}".strip())
        words = [call.sid, f"{began:<19}", f"{call.from_number or '-':>14}"]
        words += [f"{call.to_number or '-':>14}", f"{seconds:>7}", call.status or "-"]
        click.echo(f"{shown('  '.join(words))}  {in_its_colour(State(call.state), stands)}")
        for one in call.recordings:
            click.echo(shown(f"  {one.path}{f'  {one.flag}' if one.flag else ''}"))
    return count


def _print_csv(calls: Iterable[Found]) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow([*_COLUMNS, "path", "bytes", "format", "seconds", "flag", "root"])
    for call in calls:
        known = msgspec.to_builtins(call)
        row = [known[name] for name in _COLUMNS]
        for one in known["recordings"] or [{}]:
            out.writerow([cell(value) for value in (*row, *(one.values() or [""] * 6))])


def _print_paths(calls: Iterable[Found], root: Path, here: int, end: str) -> None:
    for call in calls:
        for one in (one for one in call.recordings if one.root == here):
            # As bytes: a path goes through a pipe to the letter, whatever the terminal's encoding.
            click.echo(os.fsencode(f"{root.absolute() / one.path}{end}"), nl=False)


def shown(text: str) -> str:
    """Return text of which nothing acts on a terminal: an export wrote some of it."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def cell(value: object) -> str:
    """Return a cell of CSV that no spreadsheet takes for a formula.

    One that could be one gets an apostrophe in front. A number with its + is none, and stays as it
    is, so that it can be looked for.
    """
    text = "" if value is None else shown(str(value))
    return f"'{text}" if text.startswith(_ACTS) and not _NUMBER.fullmatch(text) else text
