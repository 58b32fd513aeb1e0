"""The way out: the one HTTP session, and what it may connect to.

Two seams of aiohttp hold the rules, so that no request site can forget them. A middleware sees
each request: it chooses the proxy, and refuses a URL whose host is itself an address that is not
public, since the resolver is not asked for those. The resolver sees each name when it is connected
to, and drops such addresses from the answer; what it returns is what is connected to, so a name
that changes its mind gains nothing. Of a proxy that the user named only its own address is ours to
reach, and it may lie anywhere; what lies behind it the proxy decides.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from archive.addresses import is_address, is_public
from archive.hosts import is_loopback
from archive.proxies import VARIABLES, proxy_for
from archive.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from aiohttp.client_middlewares import ClientHandlerType, ClientMiddlewareType

    from archive.accounts import Account

_LONGEST_LINE: Final = 8190
_MOST_HEADERS: Final = 100
_DNS_S: Final = 60
_PORTS: Final = {"https": 443, "http": 80}

Authority: TypeAlias = tuple[str, int]
"""A host name or address, and a port."""


class ForbiddenAddressError(ConnectionError):
    """A host is, or resolves to, no public address. The text names the host and the address."""


class Reach(msgspec.Struct, frozen=True):
    """What may be connected to besides public addresses.

    ``loopback``: what the settings themselves name as this machine (the sandbox). ``proxies``: what
    the environment names as a proxy. ``named``: hosts that the user named for reports; like a proxy
    they may lie anywhere.
    """

    loopback: frozenset[Authority] = frozenset()
    proxies: frozenset[Authority] = frozenset()
    named: frozenset[Authority] = frozenset()

    def allows(self, host: str, port: int, address: str) -> bool:
        """Tell whether an address of a host may be connected to."""
        asked = (host.lower(), port)
        if asked in self.proxies or asked in self.named or is_public(address):
            return True
        return asked in self.loopback and is_loopback(address)


def reach_of(accounts: Iterable[Account], environment: Mapping[str, str]) -> Reach:
    """Return what the settings and the environment allow.

    Raises:
        SettingsError: a proxy variable holds no proxy that can be used.
    """
    # A host that is in no NO_PROXY, so that each variable that can apply is looked at.
    configured = {name: text for name, text in environment.items() if name.lower() != "no_proxy"}
    proxies = (proxy_for(f"{scheme}://any.invalid", configured) for scheme in _PORTS)
    return Reach(
        loopback=frozenset(_loopback_of(accounts)),
        proxies=frozenset(_authority(proxy) for proxy in proxies if proxy),
    )


def _loopback_of(accounts: Iterable[Account]) -> Iterator[Authority]:
    for account in accounts:
        entries = (*account.recording_hosts, *account.storage_hosts)
        # An entry has no scheme, so without a port it may mean either.
        urls = [f"{scheme}://{entry}" for entry in entries for scheme in _PORTS]
        for host, port in map(_authority, (account.api_base, *urls)):
            if is_loopback(host):
                yield host, port


def _authority(url: str) -> Authority:
    parts = urlsplit(url)
    return parts.hostname or "", _PORTS[parts.scheme] if parts.port is None else parts.port


class PublicResolver(AbstractResolver):
    """Resolves names as another resolver does, and leaves out what may not be connected to."""

    def __init__(self, inner: AbstractResolver, reach: Reach) -> None:
        self._inner = inner
        self._reach = reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises:
            ForbiddenAddressError: it has addresses, and none that may be connected to.
            OSError: it cannot be resolved.
        """
        found = await self._inner.resolve(host, port, family)
        kept = [one for one in found if self._reach.allows(host, port, one["host"])]
        if found and not kept:
            raise _forbidden(host, found[0]["host"])
        return kept

    async def close(self) -> None:
        """Close the other resolver."""
        await self._inner.close()


def _forbidden(host: str, address: str) -> ForbiddenAddressError:
    found = "is" if host == address else f"resolves to {address},"
    return ForbiddenAddressError(f"{host} {found} no public address")


def gate(reach: Reach, environment: Mapping[str, str]) -> ClientMiddlewareType:
    """Return the middleware that each request passes: its proxy is chosen, its host looked at."""
    settings = {name: environment[name] for name in VARIABLES if name in environment}

    async def pass_gate(
        request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        proxy = proxy_for(str(request.url), settings)
        if proxy is not None:
            _send_through(request, URL(proxy))
        else:
            _check_literal(request.url, reach)
        return await handler(request)

    return pass_gate


def _send_through(request: aiohttp.ClientRequest, proxy: URL) -> None:
    """Set a request's proxy. Its password goes into the proxy's header alone.

    A URL with a password in it would stand in the texts of aiohttp's errors.
    """
    headers: CIMultiDict[str] = CIMultiDict()
    if proxy.raw_user is not None:
        words = aiohttp.encode_basic_auth(unquote(proxy.raw_user), proxy.password or "")
        # In a tunnel the header goes with CONNECT; without one the proxy reads the request's own.
        (headers if request.is_ssl() else request.headers)[hdrs.PROXY_AUTHORIZATION] = words
    request.update_proxy(proxy.with_user(None), None, headers)


def _check_literal(url: URL, reach: Reach) -> None:
    host = url.host or ""
    if is_address(host) and not reach.allows(host, url.port or 0, host):
        raise _forbidden(host, host)


@asynccontextmanager
async def open_session(
    *,
    accounts: Iterable[Account],
    environment: Mapping[str, str],
    connections: int,
    resolver: AbstractResolver | None = None,
    answered: Callable[[], None] | None = None,
    named: Iterable[str] = (),
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the session for the provider's API and recordings.

    Args:
        accounts: whose hosts are asked.
        environment: where proxies and private certificate authorities stand.
        connections: how many there may be at once.
        resolver: what names are resolved by; the machine's own unless it is given.
        answered: called when an answer has begun to come.
        named: URLs that the user gave himself, which may be asked wherever they lie.

    Raises:
        SettingsError: a variable names a proxy or certificates that cannot be used.
    """
    own = frozenset((host.lower(), port) for host, port in map(_authority, named))
    reach = msgspec.structs.replace(reach_of(accounts, environment), named=own)
    public = PublicResolver(resolver or aiohttp.DefaultResolver(), reach)
    connector = aiohttp.TCPConnector(
        limit=connections,
        resolver=public,
        ssl=tls_context(environment),
        ttl_dns_cache=_DNS_S,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        middlewares=(gate(reach, environment),),
        trace_configs=[_told_of_answers(answered)] if answered else None,
        # Bytes are stored as they come: what is compressed on the way is not asked for.
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "callvault"},
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
        max_headers=_MOST_HEADERS,
    )
    try:
        async with session:
            yield session
    finally:
        await public.close()


def _told_of_answers(answered: Callable[[], None]) -> aiohttp.TraceConfig:
    """Return what has a session call that when an answer has begun to come."""

    async def on_answer(*_: object) -> None:
        answered()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(on_answer)
    return trace


def check_environment(accounts: Iterable[Account], environment: Mapping[str, str]) -> None:
    """See whether a session can be opened, before anything is begun.

    Raises:
        SettingsError: a variable names a proxy or certificates that cannot be used.
    """
    reach_of(accounts, environment)
    tls_context(environment)


class Failure(StrEnum):
    """Why a request brought no answer, as far as it matters to what follows."""

    FORBIDDEN_ADDRESS = "forbidden address"
    DNS = "dns"
    TLS = "tls"
    NO_HTTP = "no http"
    UNREACHABLE = "unreachable"


class Named(NamedTuple):
    """A failure, and what a person is told of it: never a URL's query, never a password."""

    failure: Failure
    words: str


# A connection that is cut while TLS is being set up says nothing of certificates.
_CUT: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def name_failure(error: Exception) -> Named:
    """Name what kept a request from an answer. Of timeouts the caller knows more."""
    if forbidden := _forbidden_cause(error):
        return Named(Failure.FORBIDDEN_ADDRESS, str(forbidden))
    failure, words = Failure.UNREACHABLE, type(error).__name__
    match error:
        case aiohttp.ClientConnectorDNSError():
            failure, words = Failure.DNS, f"the name {error.host} cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            failure, words = Failure.TLS, _words_of_certificate(error.certificate_error)
        case aiohttp.ClientSSLError() if not isinstance(error.os_error, _CUT):
            reason = getattr(error.os_error, "reason", None) or "no reason given"
            failure, words = Failure.TLS, f"TLS failed: {reason}"
        case aiohttp.ClientProxyConnectionError():
            words = f"the proxy {error.host} cannot be connected to"
        case aiohttp.ClientHttpProxyError():
            words = f"the proxy answered {error.status}"
        case aiohttp.ClientResponseError():
            failure, words = Failure.NO_HTTP, "no HTTP, or headers that are too long"
    return Named(failure, words)


def _words_of_certificate(error: Exception) -> str:
    return f"the certificate does not fit: {getattr(error, 'verify_message', '') or error}"


def _forbidden_cause(error: BaseException | None) -> ForbiddenAddressError | None:
    """Find what the resolver or the gate said inside of what aiohttp made of it."""
    while error is not None and not isinstance(error, ForbiddenAddressError):
        error = error.__cause__
    return error
