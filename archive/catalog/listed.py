"""How calls enter the catalog from the provider's own listing, whose word replaces an export's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.call import Source, State
from archive.catalog.intake import add_calls
from archive.catalog.rows import facts_columns
from archive.catalog.story import put_back
from archive.entry import FOR_ALL
from archive.hosts import is_signed, own_recording

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from archive.accounts import Account
    from archive.catalog.database import Tx
    from archive.catalog.intake import Intake
    from archive.entry import Entry
    from archive.readiness import Readiness
    from archive.wire import CallAnswer


def take_listed(
    tx: Tx,
    answers: Sequence[CallAnswer],
    *,
    account: Account,
    readiness: Readiness,
    now: datetime,
    entry: Entry = FOR_ALL,
) -> Intake:
    """Take a page of the listing in: new calls, what it says of known ones, where recordings are.

    A call that was given up as absent or lost, and of which the listing tells a recording, is
    looked at once more.
    """
    # In one order, so that two who list the same calls do not wait for each other.
    answers = sorted(answers, key=lambda answer: answer.facts.sid)
    calls = [answer.facts for answer in answers]
    intake = add_calls(
        tx,
        calls,
        account=account,
        source=Source.LISTING,
        readiness=readiness,
        now=now,
        entry=entry,
    )
    tx.run_many("learn_listed", [facts_columns(facts, account, now) for facts in calls])
    told = [a.facts.sid for a in answers if a.recording_url or a.presigned_url]
    if told and intake.known:
        put_back(
            tx,
            accounts=[account.name],
            states=[State.ABSENT, State.LOST],
            reason=None,
            day=None,
            sids=told,
            now=now,
            why="reappeared",
        )
    urls = ((a.facts.sid, usable_url(a, account)) for a in answers)
    tx.run_many(
        "tell_listed_url",
        [{"account": account.name, "sid": sid, "url": url} for sid, url in urls if url],
    )
    return intake


def usable_url(answer: CallAnswer, account: Account) -> str:
    """Return where a recording can be fetched later, too: unsigned, the account's own; else ''.

    A signed URL is a secret, and soon expired: it is never written down.
    """
    url = answer.recording_url
    if not url or is_signed(url):
        return ""
    return own_recording(url, account) or ""


def drop_listed_urls(tx: Tx, account: str) -> int:
    """Forget where the listing said that recordings are: one after the other was of no use.

    All waiting calls of the account are then resolved through the API.
    """
    return tx.run("drop_waiting_urls", account=account) + tx.run(
        "drop_leased_urls", account=account
    )
