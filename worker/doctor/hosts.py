"""Checks of the recordings' hosts: name, connection, certificate; by a proxy if there is one."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from archive.hosts import is_loopback
from archive.outbound import Failure
from archive.proxies import proxy_for
from archive.tls import tls_context
from worker.build import open_session
from worker.doctor.asking import failure_of
from worker.doctor.check import Check, Found, Group, failed, passed, warned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archive.accounts import Account
    from worker.doctor.world import World

_PATIENCE: Final = aiohttp.ClientTimeout(total=8, sock_connect=5)
_HANDSHAKE_S: Final = 3.0
_SOON: Final = timedelta(days=7)
_PORTS: Final = {"https": 443, "http": 80}
_DO: Final = {
    Failure.DNS: "check this machine's DNS: getent hosts {host}",
    Failure.TLS: "check this machine's clock and certificate authorities: openssl s_client "
    "-connect {host}:{port} -servername {host} < /dev/null",
    Failure.FORBIDDEN_ADDRESS: "see whether this DNS is to be trusted: getent hosts {host}",
}
_ELSE: Final = "see what is in between (firewall, proxy): curl -sSI {scheme}://{host}:{port}/"


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """What came of connecting to a host; ``words`` say why it could not be, with ``failure``.

    ``expires`` is the end of its certificate, None where it showed none to us.
    """

    entry: str
    words: str = ""
    do: str = ""
    status: int = 0
    expires: datetime | None = None
    proxied: bool = False


def checks(world: World) -> Iterator[Check]:
    """Return a check for each account's recording hosts."""
    for account in world.accounts:

        async def hosts(account: Account = account) -> Found:
            async with open_session(
                world.settings, world.environment, connections=8, effects=world.effects
            ) as session:
                reached = await asyncio.gather(
                    *(reach(world, session, entry) for entry in account.recording_hosts)
                )
            return judge_hosts(reached, world.effects.clock())

        yield Check(
            name="hosts", group=Group.RECORDINGS, look=hosts, account=account.name, online=True
        )


async def reach(world: World, session: aiohttp.ClientSession, entry: str) -> Reached:
    """Connect to a host of ``recording_hosts`` without credentials; any answer will do."""
    authority = entry.partition("/")[0]
    host, _, port = authority.partition(":")
    scheme = "http" if is_loopback(host) else "https"
    url = f"{scheme}://{authority}/"
    number = int(port or _PORTS[scheme])
    proxied = proxy_for(url, world.environment) is not None
    failure = Failure.UNREACHABLE
    try:
        async with session.get(url, timeout=_PATIENCE, allow_redirects=False) as response:
            status = response.status
    except TimeoutError:
        words = f"no answer within {_PATIENCE.total:g} s"
    except (aiohttp.ClientError, OSError) as error:
        failure, words = failure_of(error)
    else:
        told = scheme == "https" and not proxied
        expires = await _expires(world, host, number) if told else None
        return Reached(entry=entry, status=status, expires=expires, proxied=proxied)
    do = _DO.get(failure, _ELSE).format(host=host, port=number, scheme=scheme)
    return Reached(entry=entry, words=words, do=do, proxied=proxied)


async def _expires(world: World, host: str, port: int) -> datetime | None:
    """Return when a host's certificate ends, by a handshake of its own.

    The session has just connected there, so its address is one that may be.
    """
    with suppress(OSError, TimeoutError, ValueError, KeyError):
        async with asyncio.timeout(_HANDSHAKE_S):
            _, writer = await asyncio.open_connection(
                host, port, ssl=tls_context(world.environment), server_hostname=host
            )
            certificate = writer.get_extra_info("peercert")
            writer.close()
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return None


def judge_hosts(reached: Sequence[Reached], now: datetime) -> Found:
    """Tell whether recordings can be fetched: an account's are on one of the hosts, or on more."""
    away = [one for one in reached if one.words]
    ending = [one for one in reached if one.expires and one.expires - now < _SOON]
    said = "; ".join(_say(one, now) for one in reached)
    if away:
        do = away[0].do
        # Each region has a host of its own: an account may never need the other one.
        return failed(said, do) if len(away) == len(reached) else warned(said, do)
    if ending:
        return warned(said, "tell the provider; recordings cannot be fetched once it has ended")
    return passed(said or "no host is listed in recording_hosts")


def _say(one: Reached, now: datetime) -> str:
    if one.words:
        return f"{one.entry} cannot be reached: {one.words}"
    through = " through the proxy" if one.proxied else ""
    if one.expires is None:
        return f"{one.entry} answers{through}"
    return f"{one.entry} answers, certificate for {(one.expires - now).days} more days"
