"""Who asks: `web.client`."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.client import client_address, is_within, read_network

PROXY = read_network("10.0.0.0/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        # Nobody but a trusted proxy is believed.
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        # What the client itself wrote stands on the left, and does not count.
        ("10.0.0.1", ["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["192.0.2.66", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["nonsense"], None),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, ["198.51.100.1"], None),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    """Each proxy adds whom it heard from on the right."""
    found = client_address(peer, forwarded, [PROXY])
    assert (None if expected is None else ip_address(expected)) == found


@given(st.lists(st.text(max_size=30), max_size=5))
def test_no_header_makes_an_untrusted_peer_somebody_else(forwarded: list[str]) -> None:
    """Whatever it says."""
    assert ip_address("203.0.113.7") == client_address("203.0.113.7", forwarded, [PROXY])


def test_networks_of_both_kinds_are_told_apart() -> None:
    """An IPv6 address is in no IPv4 network."""
    networks = [read_network("203.0.113.7"), read_network("2001:db8::/32")]
    assert is_within(ip_address("203.0.113.7"), networks)
    assert is_within(ip_address("2001:db8::1"), networks)
    assert not is_within(ip_address("203.0.113.8"), networks)
    assert not is_within(ip_address("::1"), [PROXY])
