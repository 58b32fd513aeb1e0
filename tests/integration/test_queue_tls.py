"""The queue behind TLS: whose certificates are believed, and for which name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from archive.errors import QueueError
from jobs.queue import check_queue
from tests.integration.authority import Authority
from tests.integration.tls_door import tls_door
from tests.redises import PASSWORD, SERVICE, bare_server, watched_servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.redises import Server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that this machine does not know."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without TLS."""
    with bare_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


async def test_a_private_authority_is_believed_where_it_is_named(
    server: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the URL or by the usual variable; without either it is not, and that is said."""
    async with tls_door(server.port, authority.server("localhost")) as port:
        await check_queue(f"rediss://localhost:{port}?ssl_ca_certs={authority.file}", retries=0)
        with pytest.raises(QueueError, match="a certificate that is not believed") as caught:
            await check_queue(f"rediss://localhost:{port}", retries=0)
        assert "ssl_ca_certs" in caught.value.hint
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        await check_queue(f"rediss://localhost:{port}", retries=0)


@pytest.mark.parametrize("expired", [False, True])
async def test_a_certificate_of_another_name_or_time_is_not_believed(
    server: Server, authority: Authority, *, expired: bool
) -> None:
    """A good one of another host's is as bad as one that has expired."""
    shown = authority.server("localhost" if expired else "redis.example", expired=expired)
    async with tls_door(server.port, shown) as port:
        url = f"rediss://localhost:{port}?ssl_ca_certs={authority.file}"
        with pytest.raises(QueueError, match="a certificate that is not believed"):
            await check_queue(url, retries=0)


async def test_a_file_of_certificates_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """Before anything is connected to: one that is not there, and one that holds no certificate."""
    (tmp_path / "none.pem").write_text("no certificate\n")
    for name, words in (("gone.pem", "No such file"), ("none.pem", "none.pem")):
        for option in (f"ssl_ca_certs={tmp_path}/{name}", f"ssl_certfile={tmp_path}/{name}"):
            key = f"&ssl_keyfile={tmp_path}/key.pem" if "certfile" in option else ""
            with pytest.raises(QueueError, match=words) as caught:
                await check_queue(f"rediss://localhost?{option}{key}")
            assert name in caught.value.message


async def test_sentinels_and_the_master_they_name_are_both_spoken_to_with_tls(
    authority: Authority, tmp_path: Path
) -> None:
    """With one authority for all; a master with another name's certificate is not believed."""
    with watched_servers(tmp_path, password=PASSWORD) as watched:
        master, sentinel = watched.master.port, watched.sentinels[0].port
        for name, is_good in (("localhost", True), ("redis.example", False)):
            async with tls_door(master, authority.server(name)) as there:
                # The sentinel's master is the one with TLS, at a name that certificates can have.
                changed = {
                    b"$9\r\n127.0.0.1\r\n$4\r\nport\r\n$5\r\n%d" % master: (
                        b"$9\r\nlocalhost\r\n$4\r\nport\r\n$5\r\n%d" % there
                    )
                }
                shown = authority.server("localhost")
                async with tls_door(sentinel, shown, changed=changed) as port:
                    where = f":{quote(PASSWORD, safe='')}@localhost:{port}/{SERVICE}"
                    url = f"rediss+sentinel://{where}?ssl_ca_certs={authority.file}"
                    if is_good:
                        await check_queue(url, retries=0)
                        continue
                    with pytest.raises(QueueError, match="a certificate that is not believed"):
                        await check_queue(url, retries=0)
