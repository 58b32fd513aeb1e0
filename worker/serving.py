"""The web server as a process runs it: built, served until told to stop, and ended well."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from archive.call import Source
from archive.catalog import balance
from archive.catalog.hearings import begin_listening
from archive.clock import system_clock
from archive.errors import CatalogError, CredentialsError, InputError
from archive.tallies import Tallies
from jobs.callbacks import sid_in
from jobs.spool import Kept, Spool
from jobs.taking import Taker
from web.app import Parts, UnusableError, create_app
from web.client import read_network
from web.gate import CONNECTION_S, Gate
from web.guard import Rate, Secrets
from web.plain import PlainHandler
from worker.metrics import SPOOL, Metrics, Reader
from worker.opening import open_shared
from worker.places import host_name
from worker.pulse import Facts, Pulse
from worker.secrets import WEBHOOK, webhook_secret_for
from worker.service import Service
from worker.tallying import keep_tallying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.catalog.intake import Intake
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from worker.settings import Settings

RECEIVING: Final = "receiving"
"""The part of a service that is ready when callbacks are answered."""
_PATIENCE_S: Final = 2.0
_LAST_TAKE_S: Final = 10.0
_ANSWER_S: Final = 10.0
_BACKLOG: Final = 1_024
_log = structlog.get_logger()


def secrets_of(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the webhook's secret of each account that has one.

    Raises:
        CredentialsError: one of them cannot be a secret.
    """
    accounts = settings.accounts
    told = {
        name: webhook_secret_for(account, environment, only_account=len(accounts) == 1)
        for name, account in accounts.items()
    }
    return {name: secret for name, secret in told.items() if secret}


def _check_secrets(secrets: Mapping[str, str], settings: Settings) -> None:
    if secrets:
        return
    variable = WEBHOOK if len(settings.accounts) == 1 else f"{WEBHOOK}_NAME"
    raise CredentialsError(
        "there is no secret that callbacks could show",
        hint=f"set {variable} in the environment, or give the unit a credential of that name in "
        f"lower case with '-' ({WEBHOOK} by itself is for one account only); make one with: "
        "openssl rand -hex 24",
    )


class Receiver:
    """Keeps callbacks in the spool, and tells how it is about them."""

    def __init__(
        self, spool: Spool, catalog: Catalog, taker: Taker, clock: Clock = system_clock
    ) -> None:
        self._spool = spool
        self._catalog = catalog
        self._taker = taker
        self._clock = clock

    async def keep(self, account: str, fields: Mapping[str, str]) -> None:
        """Keep a callback: see `web.app.Keep`."""
        if sid_in(fields) is None:
            raise UnusableError("it names no call")
        await self._spool.keep(Kept(self._clock(), account, dict(fields)))

    async def health(self) -> dict[str, object]:
        """Tell whether callbacks are kept, and taken into the catalog."""
        try:
            await asyncio.wait_for(self._catalog.read(balance.has_recordings), _PATIENCE_S)
        except (CatalogError, TimeoutError):
            catalog = "cannot be read"
        else:
            catalog = "ok"
        since = self._taker.troubled_since
        return {
            "ready": catalog == "ok" and since is None,
            "catalog": catalog,
            "waiting_since": None if since is None else since.isoformat(timespec="seconds"),
            "spool_bytes": self._spool.size,
        }


async def serve(
    settings: Settings,
    environment: Mapping[str, str],
    stopping: asyncio.Event,
    *,
    on_ready: Callable[[str], None] | None = None,
    connection_s: float = CONNECTION_S,
    clock: Clock = system_clock,
    service: Service | None = None,
) -> None:
    """Receive callbacks, and answer for health and metrics, until ``stopping``.

    ``on_ready`` is told the address once requests are answered, ``service`` that they are,
    and whether callbacks reach the catalog. In the end what was answered is in the catalog, or lies
    in the spool for the next time.

    Raises:
        CredentialsError: there is no secret.
        InputError: the port cannot be had.
        StoreError: the spool cannot be written to, or another process has it.
        CatalogError: the catalog cannot be opened.
    """
    secrets = secrets_of(settings, environment)
    _check_secrets(secrets, settings)
    wanted = settings.web
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listen(wanted.host, wanted.port))
        catalog = await open_shared(settings)
        stack.push_async_callback(catalog.close)
        clock = catalog.clock if clock is system_clock else clock
        folder = settings.queue.state / SPOOL
        spool = await Spool.open(folder, most_bytes=wanted.spool)
        stack.push_async_callback(spool.close)
        tallies = Tallies()
        await stack.enter_async_context(
            keep_tallying(tallies, catalog, host=host_name(settings), clock=clock)
        )
        metrics = Metrics(Reader(settings, clock), catalog, clock, tallies)
        stack.push_async_callback(metrics.close)
        pulse = Pulse()

        def taken(intake: Intake) -> None:
            pulse.stir()
            metrics.taken(intake)

        taker = Taker(
            spool=spool,
            catalog=catalog,
            accounts=settings.accounts,
            readiness=settings.readiness,
            clock=clock,
            tell=taken,
        )
        service = service or Service()
        service.watch(
            lambda: Facts(
                moved=pulse.take() or taker.troubled_since is not None, held=spool.size > 0
            )
        )
        stack.push_async_callback(_take_the_rest, taker)
        taking = asyncio.create_task(taker.keep_taking())
        stack.push_async_callback(_end, taking)
        receiver = Receiver(spool, catalog, taker, clock)
        app = create_app(
            Parts(
                keep=receiver.keep,
                health=receiver.health,
                metrics=metrics.exposition,
                count=metrics.count,
                secrets=Secrets(secrets),
                rate=Rate(wanted.per_second),
                most_bytes=wanted.body,
                allow=tuple(map(read_network, wanted.allow)),
                metrics_allow=tuple(map(read_network, wanted.metrics_allow)),
                trusted_proxies=tuple(map(read_network, wanted.trusted_proxies)),
            )
        )
        runner = web.AppRunner(app, shutdown_timeout=_ANSWER_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        loop = asyncio.get_running_loop()
        handler = partial(
            PlainHandler,
            runner.server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type] # aiohttp takes it for none; untyped there
            keepalive_timeout=0,
        )
        server = await loop.create_server(
            Gate(handler, connection_s=connection_s), sock=listener, backlog=_BACKLOG
        )
        stack.callback(server.close)
        address = _address(listener)
        await _begin_listening(catalog, tuple(secrets), clock())
        _log.info("receiving callbacks", address=address, accounts=", ".join(secrets))
        if closed := [name for name in settings.accounts if name not in secrets]:
            _log.warning("accounts without a secret receive none", accounts=", ".join(closed))
        service.has(RECEIVING)
        if on_ready is not None:
            on_ready(address)
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({stopped, taking}, return_when=asyncio.FIRST_COMPLETED)
        await _end(stopped)
        if taking.done() and not taking.cancelled():
            taking.result()  # it goes on for ever, unless something unforeseen ended it


async def _begin_listening(catalog: Catalog, accounts: Iterable[str], now: datetime) -> None:
    def note(tx: Tx) -> None:
        for account in accounts:
            begin_listening(tx, account, Source.WEBHOOK, now)

    # A catalog that is locked just now holds up no callback: then it is noted a little later.
    with suppress(CatalogError, TimeoutError):
        await asyncio.wait_for(catalog.write(note), _PATIENCE_S)


async def _take_the_rest(taker: Taker) -> None:
    with suppress(TimeoutError):  # what is left lies in the spool for the next time
        await asyncio.wait_for(taker.take_all(), _LAST_TAKE_S)


async def _end(task: asyncio.Task[object]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"listening on {host} port {port}: {words}", hint="set [web] host and port"
        ) from error
    listener.settimeout(0)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
