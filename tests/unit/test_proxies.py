"""Which proxy a URL is asked through."""

from __future__ import annotations

from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # not in typeshed

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import SettingsError
from archive.proxies import proxy_for

URL = "https://recordings.exotel.com/a.mp3"
PROXY = "http://proxy.example:3128"
OTHER = "http://other.example:3128"
LABELS = st.sampled_from(["a", "b", "example", "com", "xa"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
ENTRIES = st.tuples(st.sampled_from(["", "."]), HOSTS, st.sampled_from(["", " "])).map("".join)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": OTHER}, PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": OTHER}, None),
        ({"https_proxy": "", "ALL_PROXY": PROXY}, PROXY),
        ({"HTTP_PROXY": OTHER}, None),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"ALL_PROXY": OTHER, "HTTPS_PROXY": PROXY}, PROXY),
        ({"all_proxy": PROXY, "ALL_PROXY": OTHER}, PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, PROXY),
        ({"HTTPS_PROXY": "https://u:p@proxy.example:3129"}, "https://u:p@proxy.example:3129"),
        ({"HTTPS_PROXY": f" {PROXY} "}, PROXY),
        ({"HTTPS_PROXY": PROXY, "REQUEST_METHOD": "GET"}, PROXY),
    ],
)
def test_the_variable_that_applies_names_the_proxy(
    environment: dict[str, str], expected: str | None
) -> None:
    """That of the scheme, in lower case first, also an empty one; else that for all."""
    assert expected == proxy_for(URL, environment)


def test_plain_http_has_a_variable_of_its_own() -> None:
    """Which is not believed in capitals where a visitor of a web server may have set it."""
    url = "http://recordings.exotel.com/a.mp3"
    assert proxy_for(url, {"HTTP_PROXY": PROXY, "HTTPS_PROXY": OTHER}) == PROXY
    assert proxy_for(url, {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}) is None
    assert proxy_for(url, {"http_proxy": PROXY, "REQUEST_METHOD": "GET"}) == PROXY


@pytest.mark.parametrize(
    ("exceptions", "is_excepted"),
    [
        ("recordings.exotel.com", True),
        ("RECORDINGS.Exotel.com", True),
        ("exotel.com", True),
        (".exotel.com", True),
        ("*.exotel.com", True),
        ("com", True),
        ("other.example, exotel.com", True),
        ("other.example exotel.com", True),
        ("*", True),
        ("exotel.com:443", True),
        ("exotel.com:8443", False),
        ("tel.com", False),
        ("a.recordings.exotel.com", False),
        ("other.example", False),
        ("*, other.example", False),
        (",, .", False),
        ("", False),
    ],
)
def test_no_proxy_excepts_names_with_what_is_below_them(
    exceptions: str, *, is_excepted: bool
) -> None:
    """A port narrows it; the asterisk counts alone."""
    expected = None if is_excepted else PROXY
    assert expected == proxy_for(URL, {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions})
    assert expected == proxy_for(URL, {"https_proxy": PROXY, "no_proxy": exceptions})


@pytest.mark.parametrize(
    ("host", "exceptions", "is_excepted"),
    [
        ("52.219.0.1", "52.219.0.1", True),
        ("52.219.0.1:8443", "52.219.0.1:8443", True),
        ("52.219.0.1", "219.0.1", False),
        ("52.219.0.1", "52.219.0.1:8443", False),
        ("[2606:4700::1111]", "2606:4700:0::1111", True),
        ("[2606:4700::1111]", "[2606:4700::1111]", True),
        ("[2606:4700::1111]:8443", "[2606:4700::1111]:8443", True),
        ("[2606:4700::1111]", "[2606:4700::1111]:8443", False),
        ("[2606:4700::1111]", "1111", False),
    ],
)
def test_no_proxy_excepts_whole_addresses(host: str, exceptions: str, *, is_excepted: bool) -> None:
    """In any spelling, and no end of one."""
    expected = None if is_excepted else PROXY
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}
    assert expected == proxy_for(f"https://{host}/a.mp3", environment)


@given(host=HOSTS, entries=st.lists(ENTRIES, max_size=4))
def test_no_proxy_means_what_it_means_to_python(host: str, entries: list[str]) -> None:
    """Of any names, ``urllib.request`` excepts the same."""
    exceptions = ",".join(entries)
    expected = None if proxy_bypass_environment(host, {"no": exceptions}) else PROXY
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}
    assert expected == proxy_for(f"https://{host}/a.mp3", environment)


@given(st.text(max_size=30), HOSTS)
def test_no_list_of_exceptions_is_too_odd_to_read(exceptions: str, host: str) -> None:
    """Whatever stands in it, the answer is the proxy or none."""
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": exceptions}
    assert proxy_for(f"https://{host}/", environment) in {None, PROXY}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "localhost."])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_asked_directly(scheme: str, host: str) -> None:
    """A proxy would take it for itself."""
    environment = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), PROXY)
    assert proxy_for(f"{scheme}://{host}:8080/", environment) is None


@pytest.mark.parametrize(
    "value",
    ["socks5://user:secret@h:1080", "ftp://h:21", "http://", "http://h:port", "http://[h", "://h"],
)
def test_a_proxy_that_cannot_be_used_is_an_error(value: str) -> None:
    """Going without it would show what was to be hidden; its password is not told."""
    with pytest.raises(SettingsError) as caught:
        proxy_for(URL, {"ALL_PROXY": value})
    assert "ALL_PROXY" in str(caught.value)
    assert "secret" not in str(caught.value)
