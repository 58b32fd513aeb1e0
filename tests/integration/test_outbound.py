"""What may be connected to, and how: addresses, proxies and certificates over real connections."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from archive.accounts import Account, Credentials
from archive.api import Api, ApiTroubleError
from archive.audio import NotAudioError, look_at_head
from archive.body import BLOCK, Bounds, FetchTroubleError
from archive.fetch import Fetcher
from archive.outbound import open_session
from archive.verdicts import Symptom
from tests.integration.authority import Authority
from tests.integration.names import Names
from tests.integration.servers import serving
from tests.integration.tunnel import tunnelling
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from aiohttp.abc import AbstractResolver

    from tests.integration.servers import Seen

SID = "0123456789abcdefghijklmnopqrst7m"
SMALL = b"not looked at here"
NAME = "recordings.example"
KEYED = aiohttp.encode_basic_auth(KEY, TOKEN)


class NoLimit:
    """A limiter that lets everybody through at once."""

    async def acquire(self, *_: Any) -> None:  # noqa: ANN401 - whatever it is told
        """Let through."""

    async def hold(self, *_: Any) -> None:  # noqa: ANN401 - whatever it is told
        """Hold nobody."""

    async def observe(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - whatever it is told
        """Learn nothing."""


class Way:
    """An API and a fetcher that share a session, as a worker has them."""

    def __init__(self, session: aiohttp.ClientSession, account: Account, part: Path) -> None:
        self.session = session
        self._account = account
        self._part = part

    async def ask(self) -> Symptom | None:
        """Ask the API for a call; return what was wrong, or None."""
        api = Api(
            session=self.session,
            account=self._account,
            credentials=Credentials(KEY, TOKEN),
            limiter=NoLimit(),
            clock=lambda: datetime.now(UTC),
        )
        try:
            await api.by_sids([SID], None)
        except ApiTroubleError as trouble:
            _holds_no_secret(trouble)
            return trouble.symptom
        return None

    async def fetch(self, **bounds: Any) -> bytes | Symptom:  # noqa: ANN401 - a fetcher's own
        """Fetch a recording; return its body, or what was wrong."""
        try:
            return await self.fetched(**bounds)
        except FetchTroubleError as trouble:
            _holds_no_secret(trouble)
            assert not self._part.exists()
            return trouble.symptom

    async def fetched(self, **bounds: Any) -> bytes:  # noqa: ANN401 - a fetcher's own
        """Fetch a recording from the first recording host.

        Raises:
            FetchTroubleError: it brought no whole body.
        """
        fetcher = Fetcher(
            session=self.session,
            account=self._account,
            credentials=Credentials(KEY, TOKEN),
            window=timedelta(minutes=15),
            **bounds,
        )
        scheme = self._account.api_base.partition("://")[0]
        url = f"{scheme}://{self._account.recording_hosts[0]}/a.mp3"
        found = await fetcher.fetch(url, self._part, age=None)
        return found.body or b""


def _holds_no_secret(error: BaseException | None) -> None:
    while error is not None:
        assert "p:ss" not in repr(error) + str(error)
        assert "p%3Ass" not in repr(error) + str(error)
        error = error.__cause__


@asynccontextmanager
async def way_to(
    tmp_path: Path,
    host: str,
    *,
    scheme: str = "https",
    named: str | None = None,
    environment: Mapping[str, str] | None = None,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[Way]:
    """Open a session to one host, which is the API's and the recordings'.

    ``named`` is what the settings name instead, where they name another one.
    """
    wanted, known = (
        Account(name="main", sid="acme1", api_base=f"{scheme}://{text}", recording_hosts=(text,))
        for text in (host, named or host)
    )
    async with open_session(
        accounts=[known],
        environment=environment or {},
        connections=4,
        resolver=resolver or Names(localhost="127.0.0.1"),
    ) as session:
        yield Way(session, wanted, tmp_path / "lease.sid.part")


async def answer(request: web.Request) -> web.Response:
    """Answer as the API and as a recording host."""
    return web.json_response({"Calls": []}) if "Calls" in request.path else web.Response(body=SMALL)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody but these tests believes."""
    return Authority(tmp_path_factory.mktemp("authority"))


def port_of(server: Seen) -> str:
    """Return a server's port."""
    return server.host.rpartition(":")[2]


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - looked at, not listened on
        *("127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "224.0.0.1"),
        *("::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"),
    ],
)
async def test_a_name_that_leads_to_no_public_address_is_not_connected_to(
    tmp_path: Path, address: str
) -> None:
    """Neither for the API nor for a recording, though a server would answer there."""
    async with serving(answer) as server:
        host = f"{NAME}:{port_of(server)}"
        names = Names(recordings_example=address)
        async with way_to(tmp_path, host, resolver=names) as way:
            assert await way.ask() is Symptom.API_FORBIDDEN_ADDRESS
            assert await way.fetch() is Symptom.FETCH_FORBIDDEN_ADDRESS

    assert server.requests == []


async def test_an_address_in_a_url_is_looked_at_as_well(tmp_path: Path) -> None:
    """No resolver is asked for it: this machine, not named by the settings, is not asked."""
    async with (
        serving(answer) as server,
        way_to(tmp_path, server.host, scheme="http", named=NAME) as way,
    ):
        assert await way.ask() is Symptom.API_FORBIDDEN_ADDRESS
        assert await way.fetch() is Symptom.FETCH_FORBIDDEN_ADDRESS

    assert server.requests == []


async def test_this_machine_is_asked_where_the_settings_name_it(tmp_path: Path) -> None:
    """By name or by address, but on that port only, and only where the name leads to it."""
    async with serving(answer) as server:
        port = port_of(server)
        for host in (f"localhost:{port}", f"127.0.0.1:{port}"):
            async with way_to(tmp_path, host, scheme="http") as way:
                assert (await way.ask(), await way.fetch()) == (None, SMALL)
        elsewhere = Names(localhost="10.0.0.1")
        async with way_to(tmp_path, f"localhost:{port}", scheme="http", resolver=elsewhere) as way:
            assert await way.fetch() is Symptom.FETCH_FORBIDDEN_ADDRESS
        async with way_to(tmp_path, f"localhost:{port}", scheme="http", named="localhost:1") as way:
            assert await way.fetch() is Symptom.FETCH_FORBIDDEN_ADDRESS

    assert len(server.requests) == 4


async def test_a_name_that_does_not_exist_is_told_apart(tmp_path: Path) -> None:
    """DNS has a name of its own."""
    async with way_to(tmp_path, NAME) as way:
        assert await way.ask() is Symptom.API_DNS
        assert await way.fetch() is Symptom.FETCH_DNS


# --- Proxies --------------------------------------------------------------------------------------


async def tunnelled(tmp_path: Path, authority: Authority) -> None:
    """Ask and fetch through a proxy with a password, and look at what each side has seen."""
    async with (
        serving(answer, tls=authority.server(NAME)) as server,
        tunnelling(server.host) as tunnel,
    ):
        environment = {
            "HTTPS_PROXY": f"http://user:p%3Ass@{tunnel.host}",
            "SSL_CERT_FILE": str(authority.file),
        }
        async with way_to(tmp_path, NAME, environment=environment) as way:
            assert (await way.ask(), await way.fetch()) == (None, SMALL)

    assert {f"CONNECT {NAME}:443 HTTP/1.1"} == set(tunnel.asked)
    asked = aiohttp.encode_basic_auth("user", "p:ss")
    for head in tunnel.heads:
        assert f"Proxy-Authorization: {asked}\r\n" in head
        assert KEYED not in head
    expected = [KEYED, KEYED]
    assert expected == server.authorizations()
    assert all("Proxy-Authorization" not in request.headers for request in server.requests)


async def test_a_proxy_tunnels_and_sees_no_key(tmp_path: Path, authority: Authority) -> None:
    """The proxy gets its own password, the host the key; no name is resolved here."""
    await tunnelled(tmp_path, authority)


def test_a_proxy_tunnels_on_the_loop_that_workers_run_on(
    tmp_path: Path, authority: Authority
) -> None:
    """TLS inside of a tunnel is uvloop's own code."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(tunnelled(tmp_path, authority))


async def test_no_proxy_goes_round_it(tmp_path: Path) -> None:
    """What is excepted is asked directly, and looked at as without a proxy."""
    async with tunnelling() as tunnel:
        environment = {"HTTPS_PROXY": f"http://{tunnel.host}", "NO_PROXY": ".example"}
        names = Names(recordings_example="10.0.0.1")
        async with way_to(tmp_path, NAME, environment=environment, resolver=names) as way:
            assert await way.fetch() is Symptom.FETCH_FORBIDDEN_ADDRESS

    assert tunnel.heads == []


async def test_this_machine_is_not_asked_through_a_proxy(tmp_path: Path) -> None:
    """Whatever the environment says."""
    async with serving(answer) as server, tunnelling() as tunnel:
        everything = dict.fromkeys(("HTTP_PROXY", "ALL_PROXY"), f"http://{tunnel.host}")
        async with way_to(tmp_path, server.host, scheme="http", environment=everything) as way:
            assert (await way.ask(), await way.fetch()) == (None, SMALL)

    assert tunnel.heads == []


async def test_a_proxy_that_refuses_is_no_answer_of_the_provider(tmp_path: Path) -> None:
    """407 of the proxy is not 401 of the API, and its password stands in no error."""
    async with tunnelling(status=407) as tunnel:
        environment = {"https_proxy": f"http://user:p%3Ass@{tunnel.host}"}
        async with way_to(tmp_path, NAME, environment=environment) as way:
            assert await way.ask() is Symptom.API_UNREACHABLE
            with pytest.raises(FetchTroubleError, match="the proxy answered 407") as caught:
                await way.fetched()

    assert caught.value.symptom is Symptom.FETCH_UNREACHABLE
    _holds_no_secret(caught.value)


async def test_a_proxy_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nobody listens: the proxy is out of reach, not the provider."""
    environment = {"https_proxy": "http://user:p%3Ass@127.0.0.1:9"}
    async with way_to(tmp_path, NAME, environment=environment) as way:
        assert await way.ask() is Symptom.API_UNREACHABLE
        with pytest.raises(FetchTroubleError, match=r"the proxy 127\.0\.0\.1 cannot be"):
            await way.fetched()


async def test_a_proxy_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    """A connection has a time to be made in, the proxy's answer included."""
    async with tunnelling(status=None) as tunnel:
        environment = {"https_proxy": f"http://{tunnel.host}"}
        async with way_to(tmp_path, NAME, environment=environment) as way:
            bounds = Bounds(connect=timedelta(milliseconds=100))
            assert await way.fetch(bounds=bounds) is Symptom.FETCH_TIMEOUT


# --- Certificates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_an_authority_of_ones_own_is_believed(
    tmp_path: Path, authority: Authority, variable: str
) -> None:
    """As a file or as a folder."""
    where = authority.file
    if variable == "SSL_CERT_DIR":
        where = authority.as_folder(tmp_path / "authorities")
    async with serving(answer, tls=authority.server("localhost")) as server:
        host = f"localhost:{port_of(server)}"
        async with way_to(tmp_path, host, environment={variable: str(where)}) as way:
            assert (await way.ask(), await way.fetch()) == (None, SMALL)


@pytest.mark.parametrize(
    ("name", "is_expired", "is_believed", "words"),
    [
        ("localhost", False, False, "unable to get local issuer"),
        ("other.example", False, True, "not valid for 'localhost'"),
        ("localhost", True, True, "certificate has expired"),
    ],
)
async def test_a_certificate_that_does_not_fit_is_named(
    tmp_path: Path,
    authority: Authority,
    name: str,
    words: str,
    *,
    is_expired: bool,
    is_believed: bool,
) -> None:
    """Of an unknown authority, of another host, or of the past: nothing is sent, the key least."""
    environment = {"SSL_CERT_FILE": str(authority.file)} if is_believed else {}
    async with serving(answer, tls=authority.server(name, expired=is_expired)) as server:
        host = f"localhost:{port_of(server)}"
        async with way_to(tmp_path, host, environment=environment) as way:
            assert await way.ask() is Symptom.API_TLS
            with pytest.raises(FetchTroubleError, match=words) as caught:
                await way.fetched()

    assert caught.value.symptom is Symptom.FETCH_TLS
    assert server.requests == []


async def test_a_certificate_is_looked_at_behind_a_proxy_too(
    tmp_path: Path, authority: Authority
) -> None:
    """A proxy that reads TLS is not believed unless its authority is."""
    async with (
        serving(answer, tls=authority.server(NAME)) as server,
        tunnelling(server.host) as tunnel,
        way_to(tmp_path, NAME, environment={"HTTPS_PROXY": tunnel.host}) as way,
    ):
        assert await way.ask() is Symptom.API_TLS
        assert await way.fetch() is Symptom.FETCH_TLS

    assert server.requests == []


async def test_a_server_without_tls_is_named(tmp_path: Path) -> None:
    """Plain HTTP where TLS should be says nothing that could be believed."""
    async with serving(answer) as server:
        host = f"localhost:{port_of(server)}"
        async with way_to(tmp_path, host) as way:
            assert await way.ask() is Symptom.API_TLS
            assert await way.fetch() is Symptom.FETCH_TLS


# --- Bounds ---------------------------------------------------------------------------------------


async def test_headers_have_a_bound(tmp_path: Path) -> None:
    """One that is too long, or too many of them, is no answer."""
    for headers in ({"X-Long": "x" * 10_000}, {f"X-{n}": "x" for n in range(200)}):

        async def talk(_: web.Request, headers: Mapping[str, str] = headers) -> web.Response:
            return web.Response(body=SMALL, headers=headers)

        async with (
            serving(talk) as server,
            way_to(tmp_path, server.host, scheme="http") as way,
        ):
            assert await way.ask() is Symptom.API_NONSENSE
            assert await way.fetch() is Symptom.FETCH_ODD_STATUS


async def test_what_is_compressed_is_not_unfolded(tmp_path: Path) -> None:
    """It is not asked for; of the API it is nonsense, and a recording comes as it is: no audio."""
    bomb = gzip.compress(bytes(50 * BLOCK))

    async def squeeze(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serving(squeeze) as server, way_to(tmp_path, server.host, scheme="http") as way:
        assert await way.ask() is Symptom.API_NONSENSE
        body = await way.fetched()

    assert bomb == body
    with pytest.raises(NotAudioError):
        look_at_head(body, len(body))
    expected = ["identity", "identity"]
    assert expected == [seen.headers["Accept-Encoding"] for seen in server.requests]


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_recording_without_an_end_is_left(tmp_path: Path, *, has_length: bool) -> None:
    """It is not begun if it says how long it is, and else not ended; no part is left."""

    async def go_on(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if has_length:
            response.content_length = 2**60
        await response.prepare(request)
        while True:
            await response.write(bytes(BLOCK))

    async with serving(go_on) as server, way_to(tmp_path, server.host, scheme="http") as way:
        assert await way.fetch(bounds=Bounds(largest=3 * BLOCK)) is Symptom.BODY_ENDLESS
