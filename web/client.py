"""Who asks: the address behind trusted proxies, and whether it may ask."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Address: TypeAlias = IPv4Address | IPv6Address
    Network: TypeAlias = IPv4Network | IPv6Network


def client_address(
    peer: str | None, forwarded: Iterable[str], trusted: Iterable[Network]
) -> Address | None:
    """Return the address that a request comes from; None if it cannot be told.

    Args:
        peer: the address of the connection's other end.
        forwarded: the values of ``X-Forwarded-For``, to which each proxy adds whom it heard from.
        trusted: the proxies whose word counts. The first address from the right that is none of
            them is the client: what stands left of it may be made up.
    """
    trusted = list(trusted)
    chain = [part.strip() for value in forwarded for part in value.split(",")]
    found = _address(peer or "")
    while found is not None and chain and is_within(found, trusted):
        found = _address(chain.pop())
    return found


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def read_network(text: str) -> Network:
    """Read ``203.0.113.7``, ``203.0.113.0/24`` or an IPv6 form of these.

    Raises:
        ValueError: it is none.
    """
    return ip_network(text.strip())


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket of both families shows IPv4 clients so (RFC 4291, 2.5.5.2).
    return getattr(address, "ipv4_mapped", None) or address
