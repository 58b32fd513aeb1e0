"""Polling as a command or a service does it: all accounts, until told to stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from archive.entry import FOR_ALL
from jobs.following import keep_polling, leave_to_the_log
from jobs.leader import POLLING, Leader
from jobs.poller import Poller
from worker.asking import open_asking
from worker.build import REAL
from worker.places import host_name
from worker.pulse import Rounds
from worker.secrets import usable_accounts
from worker.service import Service

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from archive.accounts import Account
    from archive.entry import Entry
    from jobs.following import Troubled
    from jobs.poller import Round
    from worker.asking import Asking
    from worker.build import Effects
    from worker.settings import Settings


POLLING_PART: Final = "polling"
"""The part of a service that is ready when the listing can be asked."""


def _tell_nobody(_: Round) -> None:
    """Keep it to the catalog."""


class PollStatus:
    """Shows as the service's status how each account is polled: its last round or what keeps it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lines: dict[str, str] = {}

    def made(self, done: Round) -> None:
        """Take in a round that was made to its end, or not begun as the account is paused."""
        if done.paused:
            # The detail is the provider's words: those are for `status`.
            text = f"PAUSED: {done.paused.partition(' (')[0]}"
        else:
            text = f"{done.listed:,} calls listed, {done.new:,} new"
            text += f"; TROUBLE: {done.alarm}" if done.alarm else ""
        self._show(done.account, text)

    def troubled(self, account: str, why: str) -> None:
        """Take in that a round failed."""
        self._show(account, f"TROUBLE: {why}")

    def _show(self, account: str, text: str) -> None:
        self._lines[account] = text
        # Rounds are rare: none of them may be passed over, for the next one may be long in coming.
        whole = "; ".join(f"{name}: {line}" for name, line in sorted(self._lines.items()))
        self._service.say(whole, at_once=True)


def pollers_of(
    settings: Settings,
    asking: Asking,
    accounts: Iterable[Account],
    effects: Effects = REAL,
    *,
    entry: Entry = FOR_ALL,
) -> list[Poller]:
    """Return a poller for each account."""
    return [
        Poller(
            api=asking.apis[account.name],
            catalog=asking.catalog,
            poll=settings.poll,
            readiness=settings.readiness,
            clock=asking.clock,
            dice=effects.dice,
            host=host_name(settings),
            entry=entry,
        )
        for account in accounts
    ]


async def follow(
    settings: Settings,
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    *,
    accounts: Iterable[Account] | None = None,
    every: timedelta | None = None,
    queue_url: str | None = None,
    tell: Callable[[Round], None] = _tell_nobody,
    troubled: Troubled = leave_to_the_log,
    effects: Effects = REAL,
    entry: Entry = FOR_ALL,
    service: Service | None = None,
) -> None:
    """Poll until ``stopping``, on one host of the cluster at a time.

    ``accounts`` are all that have a key and token if None, ``every`` is that of the settings.
    ``queue_url`` is that of a queue which somebody keeps already. ``service`` learns when polling
    can begin, and that it moves. ``tell`` and ``troubled`` are those of `keep_polling`.

    Raises:
        CredentialsError: one of ``accounts``, or of all, has no key or token.
        SettingsError: a variable names a proxy or certificates that cannot be used.
        CatalogError, QueueError: the catalog or the queue cannot be opened.
    """
    if accounts is None:
        usable, _ = usable_accounts(settings.accounts, environment)
        accounts = usable.values()
    chosen = list(accounts)
    service = service or Service()
    rounds = Rounds()
    service.watch(rounds.facts)
    effects = replace(effects, stirred=rounds.stir)
    async with open_asking(
        settings, environment, chosen, queue_url=queue_url, effects=effects
    ) as asking:
        service.has(POLLING_PART)
        await keep_polling(
            pollers_of(settings, asking, chosen, effects, entry=entry),
            Leader(asking.pool, POLLING),
            stopping,
            every=settings.poll.every if every is None else every,
            tell=tell,
            troubled=troubled,
            asking=rounds.going_on,
        )
