"""What asks the provider for calls without fetching anything: session, queue, catalog, APIs."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from archive.errors import CredentialsError, FatalError, ProviderError
from archive.tallies import Tallies
from archive.verdicts import RULES, Symptom
from jobs.queue import close_pool, open_pool
from worker.build import REAL, api_of, by_catalog, open_session
from worker.opening import open_shared
from worker.places import host_name
from worker.queues import keep_queue
from worker.tallying import keep_tallying

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from arq.connections import ArqRedis

    from archive.accounts import Account
    from archive.api import Api, ApiTroubleError
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from worker.build import Effects
    from worker.settings import Settings

_CONNECTIONS: Final = 4
_RETRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Asking:
    """An open catalog and queue, and the API of each account that is asked."""

    catalog: Catalog
    pool: ArqRedis
    apis: dict[str, Api]
    clock: Clock


@asynccontextmanager
async def open_asking(
    settings: Settings,
    environment: Mapping[str, str],
    accounts: Iterable[Account],
    *,
    queue_url: str | None = None,
    effects: Effects = REAL,
) -> AsyncIterator[Asking]:
    """Open what is needed to ask for the calls of accounts.

    ``queue_url`` is that of a queue which somebody keeps already; without it, it is kept here.

    Raises:
        CredentialsError: an account has no key or token.
        SettingsError: a variable names a proxy or certificates that cannot be used.
        CatalogError, QueueError: the catalog or the queue cannot be opened.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            open_session(settings, environment, connections=_CONNECTIONS, effects=effects)
        )
        catalog = await open_shared(settings)
        stack.push_async_callback(catalog.close)
        effects = by_catalog(effects, catalog)
        if queue_url is None:
            queue_url = await stack.enter_async_context(keep_queue(settings, environment))
        pool = open_pool(queue_url, retries=_RETRIES)
        stack.push_async_callback(close_pool, pool)
        tallies = Tallies()
        await stack.enter_async_context(
            keep_tallying(tallies, catalog, host=host_name(settings), clock=effects.clock)
        )
        apis = {
            account.name: api_of(account, settings, session, pool, environment, effects, tallies)
            for account in accounts
        }
        yield Asking(catalog, pool, apis, effects.clock)


def explained(trouble: ApiTroubleError, account: Account) -> ProviderError | FatalError:
    """Return what ends a command whose question the provider did not answer."""
    message = (
        f"asking {account.api_base} ({account.region}) for the calls of {account.name}: "
        f"{trouble.detail}"
    )
    rule = RULES[trouble.symptom]
    if trouble.symptom is Symptom.API_UNAUTHORISED:
        return CredentialsError(message, hint=rule.hint)
    if rule.fatal:
        return FatalError(message, hint=rule.hint)
    return ProviderError(message, hint=rule.hint or "calls listed so far are kept; run it again")
