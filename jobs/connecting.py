"""Connections to Redis, wherever its address says that it is: all with the same bounds.

arq and redis-py each have a way to sentinels of their own. arq's drops timeouts, retries and
certificates (python-arq/arq pull request 506); redis-py's tries an address again as often as a
command may be, before it asks the sentinels for another. So what asks the sentinels is redis-py's,
and when it is asked is decided here: before each try to connect.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import ExponentialBackoff
from redis.exceptions import BusyLoadingError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from archive.errors import QueueError

if TYPE_CHECKING:
    from jobs.address import Address, Place

_TIMEOUT_S: Final = 5
_SENTINEL_TIMEOUT_S: Final = 1
"""A sentinel that is silent holds everybody up, and another one knows the same."""
_CLIENT: Final = re.compile(r"<redis\.[^ ]*?\(host=([^,]*),port=(\d+),[^ ]*> - ")
"""How redis-py writes which sentinel it was that said something."""


def connections(address: Address, *, retries: int) -> ConnectionPool:
    """Return a pool of connections; each is made when it is first needed.

    A connection that drops is made again up to ``retries`` times, with waits of up to a second.

    Raises:
        QueueError: a file of certificates that the address names cannot be used.
    """
    _check_files(address)
    options: dict[str, Any] = {
        "db": address.db,
        "username": address.user or None,
        "password": address.password or None,
        "socket_timeout": _TIMEOUT_S,
        "socket_connect_timeout": _TIMEOUT_S,
        "health_check_interval": 30,
        "retry": Retry(ExponentialBackoff(cap=1, base=0.05), retries),
        "retry_on_error": [OSError, RedisConnectionError, RedisTimeoutError, BusyLoadingError],
    }
    if address.path:
        return ConnectionPool(UnixDomainSocketConnection, path=address.path, **options)
    options |= {"socket_keepalive": True, **_tls_options(address)}
    if address.service:
        kind = _MasterOverTls if address.tls else _Master
        return ConnectionPool(kind, watch=Watch(address), **options)
    [(host, port)] = address.hosts
    options |= {"host": host, "port": port}
    return ConnectionPool(SSLConnection if address.tls else Connection, **options)


def _tls_options(address: Address) -> dict[str, Any]:
    """Return what TLS is made with: 1.2 or newer, and the host's name checked.

    redis-py by itself believes any name. Without a file of ours the machine's authorities are
    believed, or those of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.
    """
    if not address.tls:
        return {}
    return {
        "ssl_check_hostname": True,
        "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        "ssl_ca_certs": address.ca_file or None,
        "ssl_certfile": address.certificate_file or None,
        "ssl_keyfile": address.key_file or None,
    }


def _check_files(address: Address) -> None:
    """Look at the files now: redis-py would meet them at each connection, and not name them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file, load in (
        (address.ca_file, context.load_verify_locations),
        (address.certificate_file, partial(context.load_cert_chain, keyfile=address.key_file)),
    ):
        try:
            if file:
                load(file)
        except OSError as error:
            raise QueueError(
                f"reading the certificates in {file}: {error.strerror or error}",
                hint="[queue] url names it; it has to be there, in PEM and ours to read, and so "
                "has its key, if it has one",
            ) from error


class Watch:
    """Asks the sentinels who is the master; ``place`` is where it was when last asked."""

    def __init__(self, address: Address) -> None:
        self.place: Place | None = None
        self._service = address.service
        self._asking: asyncio.Task[Place] | None = None
        self._sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py's own
            address.hosts,
            sentinel_kwargs={
                "username": address.sentinel_user or None,
                "password": address.sentinel_password or None,
                "socket_timeout": _SENTINEL_TIMEOUT_S,
                "socket_connect_timeout": _SENTINEL_TIMEOUT_S,
                "ssl": address.tls,
                **_tls_options(address),
            },
        )

    async def find(self) -> Place:
        """Ask where the master is; who asks meanwhile gets the same answer.

        Raises:
            redis.exceptions.ConnectionError: no sentinel answers, or none knows a master that
                lives. A failover is such a time.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Place:
        try:
            host, port = await self._sentinel.discover_master(self._service)
        except MasterNotFoundError as error:
            raise MasterNotFoundError(_CLIENT.sub(r"\1:\2: ", str(error))) from None
        finally:
            # Asked now and then: no connection is kept, so there is none to be closed in the end.
            for one in self._sentinel.sentinels:
                await one.connection_pool.disconnect()
        self.place = (str(host), int(port))
        return self.place


class _Master(Connection):
    """A connection to whatever server is the master when it is made."""

    def __init__(self, *, watch: Watch, **options: Any) -> None:  # noqa: ANN401 - redis-py's own
        self._watch = watch
        super().__init__(**options)

    async def connect(self) -> None:
        """Connect, if it is not: also one that idles at a former master is made anew."""
        if self.is_connected and self._watch.place != (self.host, self.port):
            await self.disconnect()
        await super().connect()  # type: ignore[no-untyped-call]  # the same

    async def _connect(self) -> None:
        self.host, self.port = await self._watch.find()
        await super()._connect()  # type: ignore[no-untyped-call]  # the same

    async def read_response(self, *words: Any, **options: Any) -> Any:  # noqa: ANN401 - the same
        """Read an answer. That of a master that is one no more counts as a connection lost."""
        try:
            return await super().read_response(*words, **options)
        except ReadOnlyError as error:
            await self.disconnect()
            raise RedisConnectionError(f"no master any more: {error}") from error


class _MasterOverTls(_Master, SSLConnection):
    """The same, with TLS."""
