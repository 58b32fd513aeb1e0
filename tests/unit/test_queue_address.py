"""The queue's address: every form of URL is read, written and refused as it should be."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.address import Address, read_address, write_address

_NAMES = st.text("abcXYZ019.-_", min_size=1, max_size=12)
_WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF).filter(str.isprintable), max_size=12
)
_HOSTS = st.tuples(
    st.one_of(_NAMES, st.sampled_from(["::1", "2001:db8::7", "fe80::1%eth0"])),
    st.integers(1, 65_535),
)


def of(**facts: Any) -> Address:  # noqa: ANN401 - its fields
    """Return an address."""
    return Address(**facts)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", of(hosts=(("h", 6379),))),
        ("redis://", of(hosts=(("localhost", 6379),))),
        ("redis://h/", of(hosts=(("h", 6379),))),
        ("redis://h:7/3", of(hosts=(("h", 7),), db=3)),
        ("redis://h/1?db=2", of(hosts=(("h", 6379),), db=2)),
        ("redis://[::1]:7", of(hosts=(("::1", 7),))),
        ("redis://[fe80::1%25eth0]", of(hosts=(("fe80::1%eth0", 6379),))),
        ("redis://:pa%40ss@h", of(hosts=(("h", 6379),), password="pa@ss")),
        ("redis://u:a:b@h", of(hosts=(("h", 6379),), user="u", password="a:b")),
        ("redis://u:a@b@h", of(hosts=(("h", 6379),), user="u", password="a@b")),
        ("redis://u:%C3%BC+%25@h", of(hosts=(("h", 6379),), user="u", password="ü+%")),
        ("rediss://h?ssl_ca_certs=/a.pem", of(tls=True, hosts=(("h", 6379),), ca_file="/a.pem")),
        ("unix:///run/v.sock", of(path="/run/v.sock")),
        ("unix:///a%20b%3F?db=1", of(path="/a b?", db=1)),
        ("unix://u:p@/run/v.sock", of(path="/run/v.sock", user="u", password="p")),
        (
            "unix://u@/v.sock?password=a+b%26",
            of(path="/v.sock", user="u", password="a+b&"),
        ),
        (
            "redis+sentinel://u:p@a,b:7,[::1]:8/calls/2?sentinel_username=s&sentinel_password=q",
            of(
                hosts=(("a", 26379), ("b", 7), ("::1", 8)),
                service="calls",
                db=2,
                user="u",
                password="p",
                sentinel_user="s",
                sentinel_password="q",
            ),
        ),
        (
            "rediss+sentinel://a/calls",
            of(tls=True, hosts=(("a", 26379),), service="calls"),
        ),
    ],
)
def test_every_form_of_url_is_read(url: str, expected: Address) -> None:
    """Servers, sockets and sentinels, with users, passwords and databases."""
    assert expected == read_address(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://h", "redis://"),
        ("redis:/h", "no URL"),
        ("redis://u:hush#hush@h", "%23"),
        ("redis://u:hush/hush@h", "%2F"),
        ("redis://u:hush?hush@h", "has not"),
        ("redis://h:hush", "HOST:PORT"),
        ("redis://h:0", "port"),
        ("redis://h:70000", "port"),
        ("redis://::1", "IPv6"),
        ("redis://a,b", "sentinel"),
        ("redis://h/hush", "database"),
        ("redis://h?db=-1", "database"),
        ("redis://h?socket_timeout=1", "has not"),
        ("rediss://h?ssl_cert_reqs=none", "has not"),
        ("rediss://h?ssl_check_hostname=false", "has not"),
        ("redis://h?ssl_ca_certs=/a", "has not"),
        ("redis://h?sentinel_password=hush", "has not"),
        ("rediss://h?ssl_certfile=/a", "belong together"),
        ("redis://u:hu%00sh@h", "character"),
        ("redis://u:hu%ffsh@h", "UTF-8"),
        ("unix://run/v.sock", "whole path"),
        ("unix://", "whole path"),
        ("redis+sentinel://a,b", "service"),
        ("redis+sentinel://a,b/ca%20lls", "service"),
        ("redis+sentinel://a,,b/calls", "host"),
        ("redis+sentinel:///calls", "host"),
        ("redis+sentinel://a/calls/x", "database"),
    ],
)
def test_what_is_no_address_is_refused_in_words(url: str, words: str) -> None:
    """Nothing is passed over or repeated, and checks of certificates cannot be switched off."""
    with pytest.raises(ValueError, match=words) as caught:
        read_address(url)
    assert "hush" not in str(caught.value)


def test_an_address_does_not_show_itself() -> None:
    """Not in an error either that somebody makes of it."""
    assert "hush" not in f"{read_address('redis://u:hush@h')!r}"


@given(
    tls=st.booleans(),
    hosts=st.lists(_HOSTS, min_size=1, max_size=3),
    service=st.one_of(st.just(""), _NAMES),
    db=st.integers(0, 99),
    words=st.lists(_WORDS, min_size=4, max_size=4),
)
def test_what_is_written_is_read_as_the_same(
    *, tls: bool, hosts: list[tuple[str, int]], service: str, db: int, words: list[str]
) -> None:
    """Whatever is in a user's name or a password."""
    user, password, sentinel_user, sentinel_password = words
    address = of(
        tls=tls,
        hosts=tuple(hosts if service else hosts[:1]),
        service=service,
        db=db,
        user=user,
        password=password,
        sentinel_user=sentinel_user if service else "",
        sentinel_password=sentinel_password if service else "",
    )
    assert address == read_address(write_address(address))


@given(path=_WORDS, user=_WORDS, password=_WORDS, db=st.integers(0, 99))
def test_a_socket_is_read_as_it_was_written(path: str, user: str, password: str, db: int) -> None:
    """Whatever is in its path."""
    address = of(path=f"/{path}", user=user, password=password, db=db)
    assert address == read_address(write_address(address))


@given(st.text(string.printable, max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Nothing else is raised, and what is an address is written again."""
    try:
        address = read_address(f"redis+sentinel://{text}")
    except ValueError:
        return
    assert address == read_address(write_address(address))
