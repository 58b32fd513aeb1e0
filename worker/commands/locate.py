"""``callvault locate``: on which host a call's recordings lie, and whether they are whole here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click
import msgspec

from archive.catalog import roots
from archive.errors import Exit, InputError
from worker.commands.options import json_option, print_json
from worker.opening import open_to_look
from worker.places import stand_at_root
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from archive.catalog.database import Tx
    from archive.catalog.roots import Located, Place


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recording lies.

    ``here`` says that this host has its root. ``intact`` is None where it has not; else it tells
    whether the file is there, with the length that it should have.
    """

    account: str
    sid: str
    object: str
    root: int
    path: str
    bytes: int
    sha256: str
    here: bool
    file: str | None
    intact: bool | None
    places: tuple[Place, ...]


@click.command()
@click.argument("sids", nargs=-1, required=True, metavar="SID…")
@json_option
@click.pass_obj
def locate(config: Path | None, *, sids: tuple[str, ...], as_json: bool) -> int:
    """Say where the recordings of calls lie: host, root and path.

    Of those in this host's root it is seen whether they are there, and as long as they should be.
    What is in them is for: callvault verify.
    """
    settings = load_settings(config, os.environ)
    root = settings.archive.root
    database = open_to_look(settings)
    try:
        stand_at_root(settings, database)
        with database.read() as tx:
            here = tx.root
            known = roots.places(tx)
            found = {sid: roots.locate(tx, sid) for sid in dict.fromkeys(sids)}
            _check_known(tx, found)
    finally:
        database.close()
    spots = {sid: [_spot(one, root, here, known) for one in all_] for sid, all_ in found.items()}
    for sid, all_ in spots.items():
        if as_json:
            for spot in all_:
                print_json(spot)
        else:
            _say(sid, all_, database.clock())
    broken = any(spot.intact is False for all_ in spots.values() for spot in all_)
    return Exit.PERMANENT_LOSSES if broken else Exit.COMPLETE


def _check_known(tx: Tx, found: dict[str, list[Located]]) -> None:
    for sid, recordings in found.items():
        if not recordings and not tx.rows("accounts_of", sid=sid):
            raise InputError(
                f"no call {sid!r} is known", hint="make it known: callvault enqueue sids"
            )


def _spot(one: Located, root: Path, here: int, known: dict[int, tuple[Place, ...]]) -> Spot:
    is_here = one.root == here
    file = root / one.path
    return Spot(
        account=one.account,
        sid=one.sid,
        object=one.object_name,
        root=one.root,
        path=one.path,
        bytes=one.bytes,
        sha256=one.sha256,
        here=is_here,
        file=str(file) if is_here else None,
        intact=_is_intact(file, one.bytes) if is_here else None,
        places=known.get(one.root, ()),
    )


def _is_intact(file: Path, size: int) -> bool:
    try:
        return file.is_file() and file.stat().st_size == size
    except OSError:
        return False


def _say(sid: str, spots: Sequence[Spot], now: datetime) -> None:
    if not spots:
        click.echo(f"{sid}: no recording; see why with: callvault explain {sid}")
    for spot in spots:
        if spot.here:
            state = "here" if spot.intact else "NOT WHOLE: see callvault verify"
            click.echo(f"{spot.file}  {state}, {spot.bytes:,} bytes")
            continue
        click.echo(f"{spot.path}  in root {spot.root}, {spot.bytes:,} bytes")
        for place in spot.places:
            click.echo(f"  {place.host}:{place.path}/{spot.path}  {_seen(place, now)}")
        if not spot.places:
            click.echo("  no host has had this root before it since roots are noted")


def _seen(place: Place, now: datetime) -> str:
    return f"a worker was started there {max(0, (now - place.seen_at).days)} days ago"
