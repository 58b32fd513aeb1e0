"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.addresses import is_address, is_public

# From the IANA special-purpose registries (RFC 6890) and the multicast ones.
FORBIDDEN_4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
FORBIDDEN_6 = [
    IPv6Network(text)
    for text in (
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/32",
        "2001:db8::/32",
        "4000::/2",
        "8000::/2",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
]
PUBLIC_4 = ["8.8.8.8", "52.219.0.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1"]


def inside(networks: list[IPv4Network]) -> st.SearchStrategy[IPv4Address]:
    """Any address of some networks, their ends more often than chance has it."""
    return st.sampled_from(networks).flatmap(
        lambda network: st.integers(
            int(network.network_address), int(network.broadcast_address)
        ).map(IPv4Address)
    )


def carried(address: IPv4Address) -> list[IPv6Address]:
    """Return the IPv6 addresses that lead to an IPv4 one: mapped, NAT64, 6to4."""
    number = int(address)
    return [
        IPv6Address(int(IPv6Address("::ffff:0:0")) + number),
        IPv6Address(int(IPv6Address("64:ff9b::")) + number),
        IPv6Address(int(IPv6Address("2002::")) + (number << 80) + 1),
    ]


@given(inside(FORBIDDEN_4))
def test_no_private_address_is_public_however_it_is_carried(address: IPv4Address) -> None:
    """By itself, or inside an IPv6 address in any spelling."""
    assert not is_public(str(address))
    for disguise in carried(address):
        assert not is_public(str(disguise))
        assert not is_public(disguise.exploded)


@given(
    st.sampled_from(FORBIDDEN_6).flatmap(
        lambda network: st.integers(
            int(network.network_address), int(network.broadcast_address)
        ).map(IPv6Address)
    )
)
def test_no_address_of_a_network_that_is_nobodys_or_ones_own_is_public(
    address: IPv6Address,
) -> None:
    """Unique local, link-local, site-local, multicast, documentation, Teredo, not given out."""
    assert not is_public(str(address))


@pytest.mark.parametrize("address", PUBLIC_4)
def test_public_addresses_are_public(address: str) -> None:
    """Up to the borders of the others, and carried in IPv6, as networks without IPv4 need it."""
    assert is_public(address)
    assert all(is_public(str(disguise)) for disguise in carried(IPv4Address(address)))


@pytest.mark.parametrize("address", ["2606:4700::1111", "2a05:d018::1", "2404:6800:4009::200e"])
def test_given_out_ipv6_addresses_are_public(address: str) -> None:
    """What is routed today."""
    assert is_public(address)


@given(st.text(max_size=40))
def test_what_is_no_address_is_not_public(text: str) -> None:
    """Nothing that is not understood is let through."""
    assert is_address(text) or not is_public(text)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "2130706433", "0x7f.1", "2606::1%eth0"])
def test_odd_spellings_are_not_public(text: str) -> None:
    """Nor are addresses of a link of this machine."""
    assert not is_public(text)
