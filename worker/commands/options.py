"""What several commands share: options, and how a balance is said."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from archive.call import State
from archive.catalog import balance, counts, pauses, troubles
from archive.catalog.forecast import risks
from archive.catalog.held import read_held
from archive.forecast import sum_of
from archive.waits import waiting_text
from worker.completion import complete_account
from worker.opening import open_to_look
from worker.screen import BAD, GOOD, WARNING, painted
from worker.troubled import all_troubles, missing_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.balance import Balance
    from archive.catalog.database import Tx
    from archive.catalog.pauses import Paused
    from archive.catalog.troubles import Trouble
    from archive.forecast import Risk
    from archive.waits import Held
    from jobs.purging import Purged
    from worker.settings import Settings

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
account_option = click.option(
    "--account", shell_complete=complete_account, help="The account, if there are several."
)
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Only count; change nothing in the catalog."
)
dates_option = click.option(
    "--dates",
    type=click.Choice(["dmy", "mdy"]),
    help="What comes first in dates such as 03/04/2026: day or month. Default: the file tells.",
)
rejected_option = click.option(
    "--rejected",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where rejected rows are kept. Default: a new file in the state folder's 'rejected'.",
)
progress_option = click.option(
    "--progress/--no-progress", default=None, help="Show a progress bar. Default: on a terminal."
)

_MEANING: Final = {
    State.EXPECTED: "still to be looked at",
    State.LEASED: "being worked on",
    State.ARCHIVED: "proved and on disk",
    State.ABSENT: "there never was a recording",
    State.EXCLUDED: "left out by a rule",
    State.LOST: "there was one; the provider no longer has it",
    State.FAILED: "a person has to look",
    State.PURGED: "recordings deleted from the archive",
}


_COLOURS: Final = {
    State.ARCHIVED: GOOD,
    State.LOST: BAD,
    State.FAILED: BAD,
    State.LEASED: WARNING,
    State.EXPECTED: WARNING,
}
"""Of what is done, wrong, and under way; what needs no look has none."""


def in_its_colour(state: State, text: str) -> str:
    """Return text about a state in the colour of that state."""
    colour = _COLOURS.get(state)
    return painted(text, colour) if colour else text


@contextmanager
def _read(settings: Settings) -> Iterator[tuple[Tx, datetime]]:
    database = open_to_look(settings)
    try:
        with database.read() as tx:
            yield tx, database.clock()
    finally:
        database.close()


def _chosen(settings: Settings, account: str | None) -> list[Account]:
    return [one for name, one in settings.accounts.items() if account in {None, name}]


def read_balance(
    settings: Settings, *, account: str | None = None, day: str | None = None
) -> tuple[Balance, list[Paused]]:
    """Return the balance of the catalog's calls, with what holds work up.

    All calls are told by the counts that are kept, those of a day (empty: of unknown date) by rows.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    others = f"account:{account}" if account else None
    with _read(settings) as (tx, _):
        held = [
            paused
            for paused in pauses.pauses(tx)
            if others is None or not paused.scope.startswith("account:") or paused.scope == others
        ]
        counted = (
            balance.balance(tx, account=account, day=day)
            if day is not None
            else counts.quick_balance(tx, account)
        )
        return counted, held


def print_json(document: object) -> None:
    """Print one line of JSON, in UTF-8 whatever the terminal's encoding (RFC 8259, 8.1)."""
    click.echo(msgspec.json.encode(document))


def paused_text(held: list[Paused]) -> str | None:
    """Return why work is held up, None if it is not."""
    return "; ".join(f"{p.scope}: {p.reason} ({p.detail})" for p in held) or None


def warn_where_root_is_missing(settings: Settings) -> None:
    """Do as `warn_of_root` does, for who does not read the catalog otherwise.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    with _read(settings) as (tx, _):
        warn_of_root(tx, settings)


def read_troubles(settings: Settings) -> tuple[list[Trouble], int]:
    """Return what keeps work from going on, and how many worker processes beat.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    with _read(settings) as (tx, now):
        return all_troubles(tx, settings, now), troubles.beating(tx, now)


def warn_of_root(tx: Tx, settings: Settings) -> None:
    """Say on stderr that the files which a command tells of are not there."""
    if missing := missing_root(tx, settings):
        click.echo(f"warning: {missing}; see callvault doctor", err=True)


def read_risks(settings: Settings, *, account: str | None = None) -> list[Risk]:
    """Return what of each account, or of one, the provider will delete before its turn.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    with _read(settings) as (tx, now):
        return risks(tx, _chosen(settings, account), now, settings.backfill)


def read_held_back(settings: Settings, *, account: str | None = None) -> list[Held]:
    """Return of which accounts calls wait for the hours of a backfill.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    with _read(settings) as (tx, now):
        return read_held(tx, _chosen(settings, account), settings.backfill, now)


def read_waiting(settings: Settings, *, account: str | None = None) -> str:
    """Say what calls that are due later wait for, but for the hours of a backfill.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    accounts = _chosen(settings, account)
    with _read(settings) as (tx, now):
        found = balance.waits(tx, [one.name for one in accounts], now)
    return waiting_text(found, (), zone=accounts[0].zone)


def status_document(
    counted: Balance,
    held: list[Paused],
    met: list[Trouble],
    workers: int,
    at_risk: Sequence[Risk] = (),
    in_hours: Sequence[Held] = (),
) -> dict[str, Any]:
    """Return the promised fields of ``status --json``."""
    return {
        "known": counted.known,
        **{state.value: counted.states[state] for state in State},
        "recordings": counted.recordings,
        "bytes": counted.bytes,
        "balanced": not counted.faults,
        "paused": paused_text(held),
        "workers": workers,
        "troubles": met,
        "at_risk": sum_of(at_risk),
        "waiting_for_hours": in_hours,
    }


def balance_lines(counted: Balance, *, reasons: bool) -> list[str]:
    """Return the balance as lines of text; states without calls are left out."""
    lines = [f"{counted.known:>12,}  known"]
    for state in State:
        if not counted.states[state]:
            continue
        name = in_its_colour(state, f"{state.value:<9}")
        lines.append(f"{counted.states[state]:>12,}  {name} {_MEANING[state]}")
        if reasons:
            found = counted.reasons[state].items()
            lines.extend(f"{'':>14}{count:>10,}  {reason}" for reason, count in found)
    lines.append(f"{counted.recordings:>12,}  recordings, {human_bytes(counted.bytes)}")
    if reasons:
        lines += [f"{'':>14}{n:>10,}  flagged {flag}" for flag, n in counted.flagged.items()]
    if counted.faults:
        lines.extend(
            f"{painted('THE BOOKS DO NOT BALANCE', BAD, bold=True)}: {fault}"
            for fault in counted.faults
        )
    else:
        lines.append("the books balance: every known call is in exactly one line above")
    return lines


def of_nothing(counted: Balance) -> list[str]:
    """Return what is to be said of a catalog, or an account, of which no call is known."""
    if counted.known or counted.faults:
        return []
    said = "make some known by callvault enqueue, poll or web"
    return [f"{painted('NO CALL IS KNOWN YET', WARNING, bold=True)}: {said}"]


def counted(count: int, word: str) -> str:
    """Return a number with its word: 1 recording, 2 recordings."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def say_of_files(purged: Purged) -> None:
    """Say which files of former purges went, and what could not be removed, with its cause."""
    if purged.former:
        click.echo(f"{counted(purged.former, 'file')} of calls that were purged before, removed")
    if purged.elsewhere:
        of = counted(purged.elsewhere, "recording")
        click.echo(f"files of {of} are in other hosts' roots; a purge there removes them")
    if not purged.left:
        return
    of = counted(purged.left, "recording")
    click.echo(f"files of {of} could not be removed yet; the next run tries again:", err=True)
    for stuck in purged.stuck:
        click.echo(f"  {ascii(stuck.path)[1:-1]}: {stuck.cause}", err=True)


def human_bytes(size: float) -> str:
    """Write a number of bytes for people: ``12.3 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:  # noqa: PLR2004 - the step of SI units
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.2f} TB"


def say_balance(settings: Settings, *, as_json: bool) -> Balance:
    """Print the balance at the end of a run, with reasons, and return it."""
    counted, held = read_balance(settings)
    if as_json:
        at_risk = read_risks(settings)
        in_hours = read_held_back(settings)
        print_json(status_document(counted, held, *read_troubles(settings), at_risk, in_hours))
        return counted
    for line in (*balance_lines(counted, reasons=True), *of_nothing(counted)):
        click.echo(line)
    click.echo(f"recordings are in {settings.archive.root}")
    return counted


def states_text(counted: Balance) -> str:
    """Return how many calls stand where, in one line."""
    found = ((state.value, counted.states[state]) for state in State)
    return ", ".join(f"{count:,} {name}" for name, count in found if count)
