"""``callvault verify``: reads the archive's files again, and repairs what can be repaired."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from archive.catalog import balance
from archive.catalog import verify as rows
from archive.errors import Exit, InputError, StoreError
from archive.reading import Pace
from archive.repair import FLAGGED, GOES, MARKED, MOVED, REQUEUED, REWRITTEN, TAKEN, Repairer
from archive.tree import accounts_on_disk, check_root
from archive.verify import Scope, Seen, Verifier
from worker import values
from worker.commands.noted import Noted, note_of_run
from worker.commands.options import account_option, human_bytes, json_option, progress_option
from worker.commands.report import parse_day
from worker.completion import complete_day
from worker.logs import configure_logging
from worker.meter import Meter
from worker.opening import open_to_look
from worker.places import stand_at_root
from worker.screen import wants_bar
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archive.catalog.database import Database
    from archive.catalog.verify import Finding

_SHARE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)", re.ASCII)
_REMAINS: Final = frozenset({REQUEUED, MARKED, GOES})
_MENDED: Final = frozenset({MOVED, REWRITTEN, FLAGGED, TAKEN})


@click.command(cls=Noted)
@click.option("--sample", help="Read only such a share of the files, chosen by chance: 5%.")
@click.option(
    "--day",
    shell_complete=complete_day,
    help="Only a day's folder: YYYY-MM-DD, today or yesterday.",
)
@account_option
@click.option("--repair", is_flag=True, help="Move back, have fetched again, write anew.")
@click.option("--limit-rate", help="Read no more bytes a second than this: 10M, 10MiB.")
@progress_option
@json_option
@click.pass_obj
def verify(
    config: Path | None,
    *,
    sample: str | None,
    day: str | None,
    account: str | None,
    repair: bool,
    limit_rate: str | None,
    progress: bool | None,
    as_json: bool,
) -> int:
    """Read the archive's files again, and hold them against the catalog.

    Works while workers run. Without --repair nothing is changed.
    """
    settings = load_settings(config, os.environ)
    shows_bar = wants_bar(progress)
    configure_logging(settings.log, quiet=shows_bar)
    pace = Pace(None if limit_rate is None else parse_rate(limit_rate))
    database = _open(settings)
    try:
        stand_at_root(settings, database)
        scope = _scope(settings, database, sample=sample, day=day, account=account)
        with Meter("verifying", total=_total(database, scope), shows_bar=shows_bar) as meter:
            seen = Verifier(
                database=database,
                root=settings.archive.root,
                scope=scope,
                pace=pace,
                dice=random.random,
                progress=meter.add,
            ).run()
        if repair:
            Repairer(database=database, root=settings.archive.root, clock=database.clock).run()
        faults = _summary(database)["faults"]
        note_of_run(f"{seen.read:,} recordings read, {seen.bytes_read:,} bytes, {faults:,} faults")
        if as_json:
            _print_json(database, seen)
        else:
            _print(database, seen, repaired=repair)
        return _code(database)
    except BrokenPipeError:
        # Nobody reads the findings any more: no fault of the archive's.
        raise
    except OSError as error:
        raise StoreError(f"reading the archive: {error}") from error
    finally:
        database.close()


def parse_rate(text: str) -> float:
    """Read bytes a second: ``10M``, ``10MB``, ``10MiB``, ``500k``.

    Raises:
        InputError: it is not written so, or is nothing.
    """
    try:
        rate = values.parse_rate(text)
    except ValueError:
        rate = values.Rate(0)
    if not rate:
        raise InputError(f"--limit-rate {text!r} is no rate", hint="write 10M, 10MiB or 500k")
    return float(rate)


def parse_share(text: str) -> float:
    """Read a share: ``5%`` or ``0.05``.

    Raises:
        InputError: it is not written so, or not more than 0 and at most 1.
    """
    match = _SHARE.fullmatch(text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if not 0 < share <= 1:
        raise InputError(f"--sample {text!r} is no share", hint="write 5% or 0.05")
    return share


def _open(settings: Settings) -> Database:
    check_root(settings.archive.root)
    return open_to_look(settings)


def _scope(
    settings: Settings,
    database: Database,
    *,
    sample: str | None,
    day: str | None,
    account: str | None,
) -> Scope:
    chosen = None if day is None else parse_day(settings, account, day)
    if chosen == "":
        raise InputError("calls of unknown day have no folder", hint="name a day: YYYY-MM-DD")
    if account is not None:
        accounts = {settings.account(account).name}
    else:
        with database.read() as tx:
            accounts = set(balance.accounts_with_calls(tx))
        accounts.update(settings.accounts, accounts_on_disk(settings.archive.root))
    return Scope(
        accounts=tuple(sorted(accounts)),
        day=chosen,
        sample=1.0 if sample is None else parse_share(sample),
        sidecars=settings.archive.sidecar,
    )


def _total(database: Database, scope: Scope) -> int:
    below = "" if scope.day is None else f"/{scope.day.replace('-', '/')}"
    with database.read() as tx:
        return sum(rows.amount(tx, f"{name}{below}")[0] for name in scope.accounts)


def _findings(database: Database) -> Iterator[Finding]:
    last = 0
    while True:
        with database.scratch() as tx:
            page = rows.page_after(tx, last)
        if not page:
            return
        yield from page
        last = page[-1].id


def _summary(database: Database) -> dict[str, Any]:
    """Return the counts: by kind, of faults, and by what a repair came to."""
    kinds: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    faults = 0
    with database.scratch() as tx:
        for kind, is_fault, outcome, count in rows.counts(tx):
            kinds[kind] += count
            faults += count if is_fault else 0
            outcomes[outcome.partition(":")[0]] += count if outcome else 0
    return {
        "found": dict(kinds),
        "faults": faults,
        "repaired": {k: n for k, n in outcomes.items() if n},
    }


def _print_json(database: Database, seen: Seen) -> None:
    """Print one line of JSON, finding by finding: there may be millions."""
    document = {**msgspec.structs.asdict(seen), **_summary(database)}
    # Bytes: JSON is UTF-8, whatever the terminal's encoding.
    click.echo(msgspec.json.encode(document)[:-1] + b',"findings":[', nl=False)
    for number, finding in enumerate(_findings(database)):
        told = msgspec.structs.asdict(finding)
        del told["id"]
        click.echo((b"," if number else b"") + msgspec.json.encode(told), nl=False)
    click.echo("]}")


def _print(database: Database, seen: Seen, *, repaired: bool) -> None:
    for finding in _findings(database):
        words = [finding.kind, finding.path]
        words += [f"({finding.detail})"] if finding.detail else []
        words += [f"-> {finding.outcome}"] if finding.outcome else []
        click.echo("  ".join(words))
    click.echo(f"{seen.recordings:>12,}  recordings in the catalog")
    click.echo(f"{seen.on_disk:>12,}  of them on disk")
    click.echo(f"{seen.read:>12,}  read, {human_bytes(seen.bytes_read)}")
    counted = _summary(database)
    for kind, count in sorted(counted["found"].items()):
        click.echo(f"{count:>12,}  {kind}")
    if seen.elsewhere:
        click.echo(f"{seen.elsewhere:>12,}  in other hosts' roots, to be verified there")
    if not counted["faults"]:
        click.echo("all right: every file that was read is what the catalog says")
    elif not repaired:
        click.echo("to mend what can be mended: callvault verify --repair", err=True)
    if REQUEUED in counted["repaired"] or MARKED in counted["repaired"]:
        click.echo("the rest is done by: callvault work --drain")
    if GOES in counted["repaired"]:
        click.echo("files of purged calls are removed by: callvault purge")


def _code(database: Database) -> Exit:
    with database.scratch() as tx:
        outcomes = {outcome for _, fault, outcome, _ in rows.counts(tx) if fault}
    if outcomes - _REMAINS - _MENDED:
        return Exit.PERMANENT_LOSSES
    return Exit.WORK_REMAINS if outcomes & _REMAINS else Exit.COMPLETE
