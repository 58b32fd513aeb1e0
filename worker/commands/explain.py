"""``callvault explain SID``: the story of one call."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from archive.call import UNSETTLED, State
from archive.catalog.pauses import ALL, Paused, account_scope, host_scope, pauses
from archive.catalog.story import CallStory, accounts_of, read_story
from archive.catalog.tidy import LOOKS_GO
from archive.clock import system_clock
from archive.errors import Exit, InputError
from archive.flags import flag_meaning
from archive.reasons import meaning_of
from worker.commands.hours import waits_until
from worker.commands.options import account_option, human_bytes, json_option, print_json
from worker.opening import open_to_look
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

When: TypeAlias = "Callable[[datetime | None], str]"
_OF_A_HOST: Final = host_scope("")

_STANDS: Final = {
    State.EXPECTED: "It is still to be archived",
    State.LEASED: "A worker has it in hand",
    State.ARCHIVED: "It is archived",
    State.ABSENT: "There never was a recording",
    State.EXCLUDED: "It was left out by a rule",
    State.LOST: "There was a recording, and the provider no longer has it",
    State.FAILED: "It was given up and needs a person",
    State.PURGED: "Its recordings were deleted from the archive",
}


@click.command()
@click.argument("sid")
@account_option
@json_option
@click.pass_obj
def explain(config: Path | None, *, sid: str, account: str | None, as_json: bool) -> int:
    """Tell the story of a call: where it was seen, what each look found, and what happens next."""
    settings = load_settings(config, os.environ)
    story, held = _read(settings, account, sid)
    if as_json:
        print_json(story)
        return Exit.COMPLETE
    zone = settings.accounts[story.account].zone if story.account in settings.accounts else None
    now = system_clock()
    opens = waits_until(story, settings.accounts, settings.backfill, now)
    keep_looks = settings.catalog.keep_looks
    for line in tell(story, held, now, zone, keep_looks=keep_looks, opens=opens):
        click.echo(line)
    return Exit.COMPLETE


def _read(settings: Settings, account: str | None, sid: str) -> tuple[CallStory, list[Paused]]:
    database = open_to_look(settings)
    try:
        with database.read() as tx:
            names = [settings.account(account).name] if account else accounts_of(tx, sid)
            if len(names) > 1:
                raise InputError(
                    f"{sid} is known in several accounts ({', '.join(names)})",
                    hint="say which one: --account NAME",
                )
            story = read_story(tx, names[0], sid) if names else None
            if story is None:
                raise InputError(
                    f"no call {ascii(sid)[:80]} is known",
                    hint="make it known with: callvault enqueue sids SID",
                )
            return story, pauses(tx)
    finally:
        database.close()


def tell(
    story: CallStory,
    held: list[Paused],
    now: datetime,
    zone: ZoneInfo | None,
    *,
    keep_looks: timedelta,
    opens: datetime | None = None,
) -> Iterator[str]:
    """Yield the lines of a call's story, of which looks older than ``keep_looks`` may be gone.

    ``opens``: it waits for the backfill hours until then.
    """

    def when(moment: datetime | None) -> str:
        return (
            "an unknown time" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        )

    facts = story.facts
    yield f"Call {facts.sid} of {story.account}"
    told = [facts.direction, facts.status, f"{facts.duration_s} s" if facts.duration_s else ""]
    began = when(facts.began_at)
    yield f"  began {began}{''.join(f', {part}' for part in told if part)}"
    yield "Seen"
    for seen in story.sightings:
        yield f"  {when(seen.at)}  by {seen.source}"
    yield from _looked_at(story, when, now - keep_looks)
    yield "Stands"
    why = f": {meaning_of(story.reason).words}" if story.reason else ""
    yield f"  {_STANDS[story.state]}{why}."
    yield from _files(story, when)
    yield "Next"
    yield from (f"  {line}" for line in _next(story, held, now, when, opens))
    if story.state in UNSETTLED:
        if story.facts.began_at is None:
            yield "  When the call was, and so when the provider deletes it, nobody has told yet."
            return
        left = story.delete_by - now
        yield f"  The provider deletes it on {when(story.delete_by)}{_left(left)}."


def _looked_at(story: CallStory, when: When, before: datetime) -> Iterator[str]:
    dropped = looks_may_be_gone(story, before)
    if story.looks or dropped:
        yield "Looked at"
    if dropped:
        yield f"  looks from before {when(before)} are no longer kept"
    for look in story.looks:
        words = meaning_of(look.reason).words if look.reason else look.state.value
        yield f"  {when(look.at)}  {words}{f' ({look.detail})' if look.detail else ''}"


def _files(story: CallStory, when: When) -> Iterator[str]:
    for kept in story.recordings:
        yield f"  {kept.path}  {human_bytes(kept.bytes)}, sha256 {kept.sha256}"
        if kept.flag:
            yield f"    flagged {kept.flag}: {flag_meaning(kept.flag)}"
    for gone in story.purged:
        yield f"  {gone.path}  {human_bytes(gone.bytes)}, sha256 {gone.sha256}"
        yield f"    deleted on {when(gone.at)}: {gone.why}"
    for one in story.candidates:
        what = f"has the bytes of {one.same_as}" if one.same_as else "is not here"
        yield f"  {one.object_name}, told of by {one.source} on {when(one.at)}, {what}"


def looks_may_be_gone(story: CallStory, before: datetime) -> bool:
    """Tell whether the call may have been looked at before a moment from which looks are kept."""
    if story.state not in LOOKS_GO or not story.sightings:
        return False
    if any(look.at < before for look in story.looks):
        return False  # nothing was dropped yet
    return min(seen.at for seen in story.sightings) < before


def _next(
    story: CallStory,
    held: list[Paused],
    now: datetime,
    when: When,
    opens: datetime | None,
) -> Iterator[str]:
    remedy = meaning_of(story.reason).remedy
    match story.state:
        case State.EXPECTED:
            scopes = {account_scope(story.account), ALL}
            holding = [
                one for one in held if one.scope in scopes or one.scope.startswith(_OF_A_HOST)
            ]
            for paused in holding:
                yield f"Held up: {paused.scope} is paused: {paused.reason} ({paused.detail})."
            if opens is not None:
                yield f"It waits for the backfill hours, from {when(opens)} on."
                return
            moment = _moment(holding, "" if story.due <= now else when(story.due))
            yield f"It is looked at {'again ' if story.looks else ''}{moment}."
        case State.LEASED:
            yield "Its worker settles it, or it is given back when that has been silent for 45 s."
        case State.ABSENT | State.LOST | State.FAILED:
            if remedy:
                yield f"You can {remedy}."
            yield f"To have it tried again: callvault retry {story.facts.sid}"
        case _:
            yield "Nothing: this is settled."


def _moment(holding: list[Paused], due: str) -> str:
    """Say when a call is looked at; ``due`` is empty where its time has come."""
    many = len(holding) > 1
    if not holding:
        return due or "now, by any worker"
    if due:
        return f"{due}, unless {'a' if many else 'the'} pause still stands then"
    lifted = f"when the {'pauses are' if many else 'pause is'} lifted"
    if all(one.scope.startswith(_OF_A_HOST) for one in holding):
        return f"{lifted}, or before that by the workers of another host"
    return lifted


def _left(left: timedelta) -> str:
    if left < timedelta(0):
        return ", which has passed"
    return f", in {left.days} days" if left.days else f", in {left.seconds // 3600} hours"
