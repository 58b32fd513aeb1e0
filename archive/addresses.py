"""Which network addresses belong to everybody, and which to a private network or to nobody.

A name is somebody else's word: it may resolve to the machine itself, to the router, to a cloud's
metadata service. What is not plainly a public address of one host is not connected to.

Source: the IANA special-purpose address registries (RFC 6890), as Python's ipaddress knows them;
RFC 6052 for IPv4 addresses inside IPv6 ones (NAT64), RFC 3056 for 6to4.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LAST_32_BITS: Final = 0xFFFF_FFFF


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Tell whether a host is written as an address, which no resolver is asked for."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def is_public(address: str) -> bool:
    """Tell whether an address may be connected to: a public one of one host, in any spelling.

    An IPv4 address that is carried in an IPv6 one (mapped, NAT64, 6to4) is judged for itself. What
    is no address is not public.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_4(parsed)
    return _is_public_6(parsed)


def _is_public_4(address: IPv4Address) -> bool:
    # `is_global` alone holds multicast for public.
    return address.is_global and not address.is_multicast


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:  # it names a link of this machine
        return False
    carried = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        carried = IPv4Address(int(address) & _LAST_32_BITS)
    if carried is not None:
        return _is_public_4(carried)
    # Asked for by what it is, not by what it is not: the rest of the space is not given out.
    return address in _GLOBAL_UNICAST and address.is_global
