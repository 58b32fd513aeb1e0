"""``callvault retry``: puts settled calls back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from archive.call import State
from archive.catalog.database import Database
from archive.catalog.story import put_back
from archive.clock import system_clock
from archive.errors import Exit, InputError
from worker.commands.options import account_option, json_option, print_json
from worker.commands.report import parse_day
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

_RETRIED: Final = (State.FAILED, State.LOST, State.ABSENT)


@click.command()
@click.argument("sids", nargs=-1, metavar="[SID]...")
@click.option("--failed", is_flag=True, help="All that failed.")
@click.option("--lost", is_flag=True, help="All that were lost.")
@click.option("--absent", is_flag=True, help="All that had no recording.")
@click.option("--reason", help="Only those with this reason, as the report names it.")
@click.option("--day", help="Only calls of a day: YYYY-MM-DD, yesterday, 'unknown'.")
@account_option
@json_option
@click.pass_obj
def retry(
    config: Path | None,
    *,
    sids: tuple[str, ...],
    failed: bool,
    lost: bool,
    absent: bool,
    reason: str | None,
    day: str | None,
    account: str | None,
    as_json: bool,
) -> int:
    """Have calls looked at once more that failed, were lost or had no recording.

    Name them by Sid, by state, by reason or by day; the next run of the workers does the rest.
    """
    settings = load_settings(config, os.environ)
    chosen = [state for state, on in zip(_RETRIED, (failed, lost, absent), strict=True) if on]
    if not (sids or chosen or reason or day):
        raise InputError("retry which calls?", hint="say --failed, --reason R, --day D or Sids")
    accounts = [settings.account(account).name] if account else list(settings.accounts)
    database = Database(settings.catalog_path)
    try:
        with database.write() as tx:
            count = put_back(
                tx,
                accounts=accounts,
                states=chosen or _RETRIED,
                reason=reason,
                day=None if day is None else parse_day(settings, account, day),
                sids=sids or None,
                now=system_clock(),
            )
    finally:
        database.close()
    if as_json:
        print_json({"retried": count})
    else:
        click.echo(f"{count:,} calls are to be looked at again")
        if not count:
            click.echo("only known calls that failed, were lost or absent can be retried", err=True)
    return Exit.COMPLETE
