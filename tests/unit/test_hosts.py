"""Which URLs are asked, and which of them get the account's key."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from archive.accounts import Account
from archive.hosts import (
    Access,
    UntrustedUrlError,
    access_for,
    is_loopback,
    is_signed,
    object_name,
    own_recording,
)

ACCOUNT = Account(
    name="main",
    sid="acme1",
    recording_hosts=(
        "recordings.exotel.com",
        "Recordings.Mum1.Exotel.com",
        "127.0.0.1:8080",
        "rec.example:8443/own/recordings",
    ),
    storage_hosts=(
        "s3-ap-southeast-1.amazonaws.com/exotelrecordings",
        "exotelrecordings.s3.amazonaws.com",
    ),
)
GOOD = "https://recordings.exotel.com/exotelrecordings/acme1/a.mp3"
S3 = "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/acme1/a.mp3"


def access(url: str) -> Access | None:
    """Return how a URL may be fetched; None if it may not be."""
    try:
        return access_for(url, ACCOUNT)
    except UntrustedUrlError:
        return None


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "https://recordings.exotel.com:443/a.mp3",
        "https://RECORDINGS.exotel.COM/a.mp3",
        "https://recordings.mum1.exotel.com/a.mp3",
        "https://recordings.exotel.com/a.mp3?RecordingFormat=mp3",
        "https://recordings.exotel.com/a.mp3#Signature=x",
        "http://127.0.0.1:8080/a.mp3",
        "https://rec.example:8443/own/recordings/a.mp3",
    ],
)
def test_recording_hosts_get_the_key_with_unsigned_urls(url: str) -> None:
    """Upper case, the default port and another query change nothing; a fragment is never sent."""
    assert access(url) is Access.WITH_CREDENTIALS


@pytest.mark.parametrize(
    "url",
    [
        S3,
        "https://exotelrecordings.s3.amazonaws.com/anything.mp3",
        f"{S3}?X-Amz-Signature=1",
        f"{GOOD}?X-Amz-Credential=a&x-amz-signature=",
        f"{GOOD}?Expires=1&Signature=b",
    ],
)
def test_storage_hosts_and_signed_urls_get_no_key(url: str) -> None:
    """S3 refuses two kinds of authorisation at once, and has no business knowing the key."""
    assert access(url) is Access.PLAIN


@pytest.mark.parametrize(
    "url",
    [
        "http://recordings.exotel.com/a.mp3",
        "http://127.0.0.1/a.mp3",
        "http://127.0.0.1:8081/a.mp3",
        "ftp://recordings.exotel.com/a.mp3",
        "file:///etc/passwd",
        "//recordings.exotel.com/a.mp3",
        "recordings.exotel.com/a.mp3",
        "https:///a.mp3",
        "",
        "https://recordings.exotel.com./a.mp3",
        "https://recordings.exotel.com:8443/a.mp3",
        "https://recordings.exotel.com:x/a.mp3",
        "https://recordings.exotel.com:0/a.mp3",
        "http://127.0.0.1:0/a.mp3",
        "https://[x",
        "https://recordings.exotel.com:99999/a.mp3",
        "https://recordings.exotel.com.evil.example/a.mp3",
        "https://evilrecordings.exotel.com/a.mp3",
        "https://exotel.com/a.mp3",
        "https://me@recordings.exotel.com/a.mp3",
        "https://recordings.exotel.com@evil.example/a.mp3",
        "https://evil.example#@recordings.exotel.com/a.mp3",
        "https://evil.example?@recordings.exotel.com/a.mp3",
        "https://evil.example\\@recordings.exotel.com/a.mp3",
        "https://recordings.exotel.com\\.evil.example/a.mp3",
        "https://[::1]/a.mp3",
        "https://[::ffff:127.0.0.1]:8080/a.mp3",
        "https://[recordings.exotel.com]/a.mp3",
        "https://[",
        "https://2130706433:8080/a.mp3",
        "http://127.1:8080/a.mp3",
        "https://recordings.exotel.com/\N{FULLWIDTH FULL STOP}",
        "https://recordings\N{FULLWIDTH FULL STOP}exotel.com/a.mp3",
        "https://recordings.exotel.com/a\r\nHost: evil.example",
        "https://recordings.exotel.com/" + "a" * 4096,
        "https://s3-ap-southeast-1.amazonaws.com/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings-evil/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/EXOTELRECORDINGS/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com//exotelrecordings/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/../evil/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/%2e%2E/evil/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings/.%2e/evil/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings%2f..%2fevil/a.mp3",
        "https://s3-ap-southeast-1.amazonaws.com/exotelrecordings\\..\\evil/a.mp3",
        "https://rec.example:8443/own/a.mp3",
        "https://rec.example/own/recordings/a.mp3",
    ],
)
def test_no_other_url_is_asked_at_all(url: str) -> None:
    """Another host, port, scheme or path, however it is dressed up."""
    assert access(url) is None


AUTHORITIES = [
    "recordings.exotel.com",
    "RECORDINGS.EXOTEL.COM",
    "127.0.0.1:8080",
    "s3-ap-southeast-1.amazonaws.com",
    "evil.example",
    "[::1]",
    "localhost",
]
JOINTS = [
    "@",
    ":",
    ".",
    "\\",
    "/",
    "//",
    "#",
    "?",
    "%2f",
    "%40",
    ":443",
    ":8080",
    " ",
    "\t",
    "[",
    "]",
]
PIECES = ["exotelrecordings", "exotelrecordings-evil", "..", "%2e%2e", ".", "a.mp3", "Signature=1"]
DRESSED = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["https://", "http://", "HTTPS://", "https:", "ftp://", "//", ""]),
        st.lists(st.sampled_from(AUTHORITIES + JOINTS), min_size=1, max_size=5).map("".join),
        st.sampled_from(["/", "?", "#", "\\", ""]),
        st.lists(st.sampled_from(JOINTS + PIECES), max_size=6).map("".join),
    ),
)
SPOILT = st.builds(
    lambda url, at, junk: url[:at] + junk + url[at:],
    st.sampled_from([GOOD, S3, "http://127.0.0.1:8080/a.mp3"]),
    st.integers(0, 60),
    st.text(max_size=4) | st.sampled_from(JOINTS + PIECES),
)


@given(DRESSED | SPOILT | st.text(max_size=60))
@settings(max_examples=500)
def test_whatever_is_asked_goes_where_the_lists_say(url: str) -> None:
    """Read as the HTTP client reads it: TLS or this machine, a listed host, port and path."""
    how = access(url)
    if how is None:
        return
    seen = URL(url, encoded=True)
    assert (seen.user, seen.password) == (None, None)
    assert seen.scheme == "https" or (seen.scheme, seen.host) == ("http", "127.0.0.1")
    where = f"{seen.host}:{seen.port}"
    keyed = {"recordings.exotel.com:443", "127.0.0.1:8080"}
    assert where in keyed | {"s3-ap-southeast-1.amazonaws.com:443"}
    if where not in keyed:
        assert f"{seen.raw_path}/".startswith("/exotelrecordings/")
    assert not re.search(r"(^|/)\.\.?(/|$)", unquote(seen.raw_path))
    if how is Access.WITH_CREDENTIALS:
        assert where in keyed
        keys = {key.lower() for key in seen.query}
        assert keys.isdisjoint({"signature", "x-amz-signature", "x-amz-credential"})


def test_a_refusal_never_shows_the_query() -> None:
    """It may be a signature, and the text goes into the log."""
    with pytest.raises(UntrustedUrlError) as caught:
        access_for("https://evil.example/a.mp3?Signature=made-up", ACCOUNT)
    assert "evil.example" in str(caught.value)
    assert "made-up" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/x/1772118444.76627_1.mp3?Signature=s", "1772118444.76627_1.mp3"),
        ("https://h/x/a%20b.mp3", "a b.mp3"),
        ("https://h/x/a%2Fb.mp3", "b.mp3"),
        ("https://h/x/", "recording"),
        ("https://h", "recording"),
        ("https://h/" + "a" * 300, "a" * 255),
        ("https://[x", "recording"),
    ],
)
def test_an_objects_name_is_the_file_name_without_the_query(url: str, expected: str) -> None:
    """Bounded, and never empty, even of what is no URL; it need not be the Sid."""
    assert expected == object_name(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/x/a%1b%5B2Jb.mp3", "a%1B[2Jb.mp3"),
        ("https://h/x/a%00.mp3", "a%00.mp3"),
        ("https://h/x/a%C2%9Bb.mp3", "a%C2%9Bb.mp3"),
        ("https://h/x/a%E2%80%AE3pm.mp3", "a%E2%80%AE3pm.mp3"),
        ("https://h/x/a\x1bb.mp3", "a%1Bb.mp3"),
        ("https://h/x/a\ud800b.mp3", "a%ED%A0%80b.mp3"),
        ("https://h/x/caf%C3%A9.mp3", "caf\u00e9.mp3"),
        ("https://h/" + "%1b" * 100, "%1B" * 85),
    ],
)
def test_what_an_objects_name_may_do_to_a_terminal_stays_encoded(url: str, expected: str) -> None:
    """Escapes, NUL, the other controls, and what turns the direction of writing."""
    assert expected == object_name(url)


@given(st.text(max_size=300))
def test_an_objects_name_can_be_shown_whatever_the_url_holds(name: str) -> None:
    """Encoded or as it is: printable, bounded, never empty."""
    for sent in (name, quote(name, errors="surrogatepass")):
        found = object_name(f"https://h/x/{sent}")
        assert found.isprintable()
        assert 0 < len(found) <= 255


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/%"), min_size=1))
def test_nothing_of_an_objects_name_is_lost(name: str) -> None:
    """So two recordings of a call whose names differ are two; only a long name is cut."""
    found = object_name(f"https://h/x/{quote(name)}")
    if len(found) < 255:
        assert name == unquote(found)


def test_a_signature_counts_in_the_query_alone() -> None:
    """In any case and also when it is empty, but not in the path; what is no URL has none."""
    assert is_signed("https://h/a?X-AMZ-SIGNATURE=")
    assert not is_signed("https://[x?Signature=1")
    assert not is_signed("https://h/Signature=1?Signatures=2")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.evil.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - looked at, not listened on
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_like_it(host: str, *, expected: bool) -> None:
    """Plain HTTP goes nowhere else."""
    assert expected == is_loopback(host)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (GOOD, GOOD),
        (S3, S3),
        (f"{S3}?X-Amz-Signature=1", S3),
        (f"{GOOD}#x", GOOD),
        ("https://exotelrecordings.s3.amazonaws.com/acme1/a.mp3",) * 2,
        ("http://127.0.0.1:8080/exotelrecordings/acme1/a_2.mp3",) * 2,
    ],
)
def test_the_accounts_own_recordings_are_taken_without_their_query(url: str, expected: str) -> None:
    """A signature is never stored, and would not live until it is needed."""
    assert expected == own_recording(url, ACCOUNT)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "null",
        "https://evil.example/exotelrecordings/acme1/a.mp3",
        "http://recordings.exotel.com/exotelrecordings/acme1/a.mp3",
        "https://recordings.exotel.com/exotelrecordings/acme2/a.mp3",
        "https://recordings.exotel.com/exotelrecordings/acme1/",
        "https://recordings.exotel.com/exotelrecordings/acme1",
        "https://recordings.exotel.com/a.mp3",
        "https://recordings.exotel.com/other/acme1/a.mp3",
        "https://recordings.exotel.com/exotelrecordings/acme1/sub/a.mp3",
        "https://recordings.exotel.com/exotelrecordings/acme2%2f..%2facme1/a.mp3",
        "https://recordings.exotel.com/exotelrecordings/acme1/..%2fa.mp3",
        "https://recordings.exotel.com//exotelrecordings/acme1/a.mp3",
        "https://user@recordings.exotel.com/exotelrecordings/acme1/a.mp3",
        "https://rec.example:8443/own/recordings/acme1/a.mp3",
    ],
)
def test_no_other_url_is_taken_for_the_accounts_own(url: str) -> None:
    """Another account's path, another host, a path that climbs: it is somebody's text, no more."""
    assert own_recording(url, ACCOUNT) is None


@given(DRESSED | SPOILT | st.text(max_size=60))
def test_what_is_taken_for_the_accounts_own_may_be_fetched(url: str) -> None:
    """Whatever stood in the export: a listed host, the account's path, and no query."""
    taken = own_recording(url, ACCOUNT)
    if taken is not None:
        assert access(taken) is not None
        assert "?" not in taken
        assert unquote(taken).rpartition("/")[0].endswith("/acme1")
        assert taken == own_recording(taken, ACCOUNT)
