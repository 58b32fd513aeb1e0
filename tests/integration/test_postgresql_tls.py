"""A server that is reached over TLS by a password: as libpq's own settings say, and no other way.

The server of the tests' wheel speaks no TLS itself, so something in front of it does.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from archive.catalog.database import open_database
from archive.errors import CatalogError
from tests.integration.authority import Authority
from tests.postgresql import running_server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

_PASSWORD = "open-sesame"
_ASKS_FOR_TLS = struct.pack("!II", 8, 80877103)


class Front:
    """Speaks TLS to who asks for it as libpq does, and passes all on to a server without."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self._context = context
        self._behind = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nobody any more."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            if line.recv(8) != _ASKS_FOR_TLS:
                return
            line.sendall(b"S")
            with (
                self._context.wrap_socket(line, server_side=True) as front,
                socket.create_connection(("127.0.0.1", self._behind)) as behind,
            ):
                _pass_on(front, behind)


def _pass_on(front: ssl.SSLSocket, behind: socket.socket) -> None:
    while True:
        ready = [front] if front.pending() else select.select([front, behind], [], [])[0]
        for one, other in ((front, behind), (behind, front)):
            if one in ready:
                data = one.recv(65_536)
                if not data:
                    return
                other.sendall(data)


class Reached:
    """A server with its certificate's authority, and where it listens."""

    def __init__(self, authority: Authority, port: int) -> None:
        self.authority = authority
        self.port = port

    def url(self, **more: object) -> str:
        """Return its URL, which has no password."""
        given = {"sslmode": "verify-full", "sslrootcert": self.authority.file, **more}
        query = "&".join(f"{name}={value}" for name, value in given.items())
        host = f"localhost:{self.port}"
        return f"postgresql://callvault@{host}/postgres?hostaddr=127.0.0.1&{query}"

    def password_file(self, folder: Path, password: str = _PASSWORD) -> Path:
        """Return a file as ``PGPASSFILE`` names it."""
        file = folder / "pgpass"
        file.write_text(f"localhost:{self.port}:*:callvault:{password}\n")
        file.chmod(0o600)
        return file


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """A server that takes nobody without a password, behind TLS."""
    folder = tmp_path_factory.mktemp("authority")
    authority = Authority(folder)
    context = authority.server("localhost")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running_server() as server:
        server.demand(_PASSWORD, port=port)
        with closing(Front(context, port)) as front:
            yield Reached(authority, front.port)


def test_the_password_comes_from_a_file_and_the_server_is_who_it_says(
    reached: Reached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What libpq's users expect: PGPASSFILE, sslmode=verify-full, sslrootcert."""
    monkeypatch.setenv("PGPASSFILE", str(reached.password_file(tmp_path)))
    with closing(open_database(reached.url())) as database, database.read() as tx:
        assert tx.value("known", account=None) == 0
        assert tx.connection.pgconn.ssl_in_use


def test_the_password_comes_from_the_environment(
    reached: Reached, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own variable, or within a URL that came from there."""
    monkeypatch.setenv("PGPASSWORD", _PASSWORD)
    open_database(reached.url()).close()
    monkeypatch.delenv("PGPASSWORD")
    database = open_database(reached.url().replace("callvault@", f"callvault:{_PASSWORD}@"))
    assert _PASSWORD not in database.name
    database.close()


def test_a_wrong_password_is_said_with_where_they_come_from(
    reached: Reached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not told."""
    monkeypatch.setenv("PGPASSFILE", str(reached.password_file(tmp_path, "wrong-sesame")))
    with pytest.raises(CatalogError, match="password authentication failed") as caught:
        open_database(reached.url())
    assert "PGPASSFILE" in caught.value.hint
    assert "sesame" not in f"{caught.value} {caught.value.hint}"


def test_a_server_that_is_somebody_else_gets_no_password(
    reached: Reached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is of another authority, or for another name."""
    monkeypatch.setenv("PGPASSWORD", _PASSWORD)
    other = Authority(tmp_path)
    for url, why in (
        (reached.url(sslrootcert=other.file), "certificate verify failed"),
        (reached.url().replace("localhost", "elsewhere"), "does not match host name"),
    ):
        with pytest.raises(CatalogError, match=why) as caught:
            open_database(url)
        assert caught.value.hint
