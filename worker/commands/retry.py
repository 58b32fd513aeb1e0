"""``callvault retry``: puts settled calls back."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import click
import msgspec

from archive.call import State
from archive.catalog.database import written
from archive.catalog.story import Standing, has_reason, put_back, standings
from archive.errors import Exit, InputError
from archive.reasons import MEANINGS
from worker.commands.options import account_option, json_option, print_json
from worker.commands.report import parse_day
from worker.completion import complete_day, complete_reason
from worker.opening import open_to_look
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from archive.catalog.database import Tx

_RETRIED: Final = (State.FAILED, State.LOST, State.ABSENT, State.EXCLUDED)
_ONLY: Final = "only known calls that failed, were lost, absent or left out can be retried"


@click.command()
@click.argument("sids", nargs=-1, metavar="[SID]...")
@click.option("--failed", is_flag=True, help="All that failed.")
@click.option("--lost", is_flag=True, help="All that were lost.")
@click.option("--absent", is_flag=True, help="All that had no recording.")
@click.option("--excluded", is_flag=True, help="All that a rule left out: they are wanted now.")
@click.option(
    "--reason",
    shell_complete=complete_reason,
    help="Only those with this reason, as the report names it.",
)
@click.option(
    "--day",
    shell_complete=complete_day,
    help="Only calls of a day: YYYY-MM-DD, yesterday, 'unknown'.",
)
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
    excluded: bool,
    reason: str | None,
    day: str | None,
    account: str | None,
    as_json: bool,
) -> int:
    """Have calls looked at once more that failed, were lost, had no recording or were left out.

    Name them by Sid, by state, by reason or by day; the next run of the workers does the rest.
    """
    settings = load_settings(config, os.environ)
    asked = (failed, lost, absent, excluded)
    chosen = [state for state, on in zip(_RETRIED, asked, strict=True) if on]
    if not (sids or chosen or reason or day):
        raise InputError(
            "retry which calls?",
            hint="say --failed, --lost, --absent, --excluded, --reason R, --day D, or Sids",
        )
    choice = _Choice(
        accounts=[settings.account(account).name] if account else list(settings.accounts),
        # A rule's word is taken back only where that was meant: by state, by rule, or by Sid.
        states=chosen or [*_RETRIED[:3], *([State.EXCLUDED] if reason or sids else [])],
        reason=reason,
        day=None if day is None else parse_day(settings, account, day),
    )
    database = open_to_look(settings)
    try:
        count, left = written(database, lambda tx: _put_back(tx, choice, sids, database.clock()))
    finally:
        database.close()
    for line in left:
        click.echo(line, err=True)
    if as_json:
        print_json({"retried": count})
    else:
        click.echo(f"{count:,} calls are to be looked at again")
        if not count:
            click.echo(_ONLY, err=True)
    return Exit.COMPLETE


class _Choice(msgspec.Struct, frozen=True):
    """Which calls are meant: what is given together narrows, and None stands for all."""

    accounts: list[str]
    states: list[State]
    reason: str | None
    day: str | None

    def takes(self, one: Standing) -> bool:
        return (
            one.state in self.states
            and self.reason in {None, one.reason}
            and self.day in {None, one.day}
        )


def _put_back(
    tx: Tx, choice: _Choice, sids: tuple[str, ...], now: datetime
) -> tuple[int, list[str]]:
    """Put the chosen calls back; return how many, and a line for each named Sid that was not.

    Raises:
        InputError: no call can have the reason, or Sids are named and none could be put back.
    """
    if choice.reason is not None:
        _check_reason(tx, choice.reason)
    left = list(_left(choice, sids, standings(tx, accounts=choice.accounts, sids=sids)))
    count = put_back(
        tx,
        accounts=choice.accounts,
        states=choice.states,
        reason=choice.reason,
        day=choice.day,
        sids=sids or None,
        now=now,
    )
    if sids and not count:
        told = "".join(f"\n  {line}" for line in left)
        raise InputError(f"none of the named calls can be retried:{told}", hint=_ONLY)
    return count, left


def _check_reason(tx: Tx, reason: str) -> None:
    if reason in MEANINGS or has_reason(tx, reason):
        return
    near = get_close_matches(reason, MEANINGS)
    raise InputError(
        f"there is no reason {reason[:80]!a}",
        hint=f"did you mean: {', '.join(near)}" if near else "'callvault report' names them",
    )


def _left(choice: _Choice, sids: tuple[str, ...], found: list[Standing]) -> Iterator[str]:
    """Yield a line for each named Sid that is not put back, with its reason."""
    by_sid: dict[str, list[Standing]] = {}
    for one in found:
        by_sid.setdefault(one.sid, []).append(one)
    for sid in dict.fromkeys(sids):
        stands = by_sid.get(sid, [])
        if any(choice.takes(one) for one in stands):
            continue
        where = ", ".join(sorted({f"{one.state}: {one.reason}".strip(": ") for one in stands}))
        name = sid if sid.isprintable() else ascii(sid)
        yield f"{name[:80]} is {f'left as it is ({where})' if stands else 'not known'}"
