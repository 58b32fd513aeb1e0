"""What may be connected to besides public addresses, and what failures are called."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from archive.accounts import Account
from archive.errors import SettingsError
from archive.outbound import (
    Failure,
    ForbiddenAddressError,
    Reach,
    check_environment,
    name_failure,
    reach_of,
)
from archive.tls import tls_context

if TYPE_CHECKING:
    from pathlib import Path

USUAL = Account(name="main", sid="acme1")
SANDBOX = Account(
    name="sandbox",
    sid="acme1",
    api_base="http://127.0.0.1:8080",
    recording_hosts=("localhost:8081", "recordings.exotel.com"),
    storage_hosts=("127.0.0.1/exotelrecordings",),
)
KEY = ConnectionKey("h.example", 443, True, True, None, None, None)  # noqa: FBT003 - aiohttp's tuple


def test_the_provider_has_no_exception() -> None:
    """With the default settings and without a proxy only public addresses are reached."""
    assert Reach() == reach_of([USUAL], {})


def test_the_settings_may_name_this_machine() -> None:
    """With its port, or with those of both schemes where none is given."""
    expected = {
        ("127.0.0.1", 8080),
        ("localhost", 8081),
        ("127.0.0.1", 443),
        ("127.0.0.1", 80),
    }
    assert expected == reach_of([USUAL, SANDBOX], {}).loopback


@pytest.mark.parametrize(
    ("host", "port", "address", "expected"),
    [
        ("localhost", 8081, "127.0.0.1", True),
        ("LOCALHOST", 8081, "::1", True),
        ("localhost", 8081, "10.0.0.1", False),
        ("localhost", 8082, "127.0.0.1", False),
        ("recordings.exotel.com", 443, "127.0.0.1", False),
        ("recordings.exotel.com", 443, "52.219.0.1", True),
        ("proxy.example", 3128, "10.0.0.1", True),
        ("proxy.example", 443, "10.0.0.1", False),
    ],
)
def test_an_exception_is_for_one_host_and_port(
    host: str, port: int, address: str, *, expected: bool
) -> None:
    """This machine may be this machine and a proxy may be anywhere; nobody else gains by it."""
    reach = reach_of([SANDBOX], {"HTTPS_PROXY": "http://u:p@Proxy.example:3128"})
    assert expected == reach.allows(host, port, address)


@given(st.sampled_from(["*", ".invalid", "any.invalid", "proxy.example"]))
def test_a_proxy_is_reached_whatever_is_excepted_from_it(exceptions: str) -> None:
    """NO_PROXY says who is asked through it, not where it is."""
    environment = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": exceptions}
    assert reach_of([USUAL], environment).proxies == {("proxy.example", 3128)}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, OSError()), Failure.DNS),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError()),
            Failure.TLS,
        ),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError()), Failure.TLS),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLEOFError()), Failure.UNREACHABLE),
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError()), Failure.UNREACHABLE),
        (aiohttp.ServerDisconnectedError(), Failure.UNREACHABLE),
        (ConnectionResetError(), Failure.UNREACHABLE),
        (ForbiddenAddressError("h is no public address"), Failure.FORBIDDEN_ADDRESS),
    ],
)
def test_failures_are_told_apart(error: Exception, expected: Failure) -> None:
    """A connection cut while TLS was being set up says nothing of certificates."""
    assert expected is name_failure(error).failure


def test_what_the_resolver_said_is_found_inside_of_what_was_made_of_it() -> None:
    """Aiohttp wraps it as a failure of DNS; its words come through."""
    try:
        try:
            raise ForbiddenAddressError("h resolves to 10.0.0.1, no public address")
        except OSError as inner:
            raise aiohttp.ClientConnectorDNSError(KEY, inner) from inner
    except aiohttp.ClientError as error:
        failure, words = name_failure(error)
    assert failure is Failure.FORBIDDEN_ADDRESS
    assert words == "h resolves to 10.0.0.1, no public address"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_authorities_that_are_not_there_are_an_error(tmp_path: Path, variable: str) -> None:
    """OpenSSL would believe nobody and keep silent; an empty variable is none."""
    with pytest.raises(SettingsError, match=variable):
        check_environment([USUAL], {variable: str(tmp_path / "nowhere")})
    check_environment([USUAL], {variable: ""})


def test_a_file_without_certificates_is_an_error(tmp_path: Path) -> None:
    """Such as the key in place of the certificate."""
    file = tmp_path / "authority.pem"
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match="holds no certificates"):
        tls_context({"SSL_CERT_FILE": str(file)})


def test_names_are_checked_and_old_versions_refused(tmp_path: Path) -> None:
    """Whatever stands in the environment."""
    for environment in ({}, {"SSL_CERT_DIR": str(tmp_path)}):
        context = tls_context(environment)
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
