"""A connection to a PostgreSQL server, and what its errors say. The URL goes to libpq as it is."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from archive.catalog.postgresql_queries import WholeNumber, YesAsNumber, rows_of
from archive.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONNECT_S: Final = 10
_DEAD_AFTER_S: Final = 30
_PASSING: Final = frozenset({"40001", "40P01"})
"""Two transactions were in each other's way, and this one was undone: it may be done again."""
_AWAY: Final = ("08", "57P")
"""The server is not there, or is being stopped or started."""
_USUAL: Final[Mapping[str, Any]] = {
    "connect_timeout": _CONNECT_S,
    # A host that is cut off is noticed, and does not hold the rows that it wrote to.
    "keepalives_idle": _DEAD_AFTER_S,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": _DEAD_AFTER_S * 1000,
    "fallback_application_name": "callvault",
    "client_encoding": "utf8",
}
_SESSION: Final = """
SET lock_timeout = {patience_ms};
SET idle_in_transaction_session_timeout = '10min';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '45s';
SET client_min_messages = warning;
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
"""
_HINTS: Final = (
    ("57P", "the server is being stopped or started: what is tried again later goes on"),
    ("08", "the server cannot be reached just now: what is tried again later goes on"),
    ("28", "check user and password: PGPASSFILE, PGPASSWORD, or the server's pg_hba.conf"),
    ("3D", "make the database first: createdb"),
    ("42501", "the user needs the rights to make and use tables in this database's schema"),
    ("53100", "the server's disk is full"),
    ("53300", "the server has no connection left: two for each process of callvault are needed"),
    ("55P03", "somebody else holds it; see who with: SELECT * FROM pg_stat_activity"),
    ("25006", "this server only reads (a standby): name the one that writes"),
    ("42", "its tables are not what this program made: has somebody changed them?"),
)
_REFUSALS: Final = (
    ("authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ('role "', "28"),
    ("does not exist", "3D"),
    ("starting up", "57P"),
    ("shutting down", "57P"),
    ("too many clients", "53300"),
)
"""Parts of what a server says that refuses a connection: libpq passes on no code."""


def connect(url: str, *, patience_s: float) -> psycopg.Connection[Any]:
    """Connect; ``patience_s`` is how long a statement waits for who holds a row.

    Raises:
        CatalogError: the URL cannot be read.
        psycopg.Error: the server cannot be reached, or refuses us.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # What is said of such a one has all of it, a password included.
        raise CatalogError(
            f"opening the catalog {name_of_url(url)}: its URL cannot be read",
            hint="write postgresql://USER@HOST:PORT/DATABASE, as libpq takes it",
        ) from None
    usual = {key: value for key, value in _USUAL.items() if key not in given}
    if "PGCONNECT_TIMEOUT" in os.environ:
        usual.pop("connect_timeout", None)
    line = psycopg.connect(
        url, autocommit=True, cursor_factory=psycopg.ClientCursor, row_factory=rows_of, **usual
    )
    try:
        line.adapters.register_loader("numeric", WholeNumber)
        line.adapters.register_dumper(bool, YesAsNumber)
        line.execute(_SESSION.format(patience_ms=int(patience_s * 1000)))
    except BaseException:
        line.close()
        raise
    return line


def name_of_url(url: str) -> str:
    """Return what a server's catalog is called: where it is, and nothing secret."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        return "postgresql://"
    if given.get("service"):
        return f"postgresql:///?service={given['service']}"
    port = f":{given['port']}" if given.get("port") else ""
    return f"postgresql://{given.get('host') or ''}{port}/{given.get('dbname') or ''}"


@contextmanager
def said_as_ours(name: str, doing: str) -> Iterator[None]:
    """Turn the driver's errors into one that says what was being done and what to look at.

    Raises:
        CatalogError: instead of any ``psycopg.Error``; without its details, which tell values.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or ""
        text = error.diag.message_primary or str(error).strip().partition("\n")[0]
        said = CatalogError(f"{doing} the catalog {name}: {text}", hint=_hint(error, state))
        said.passing = state in _PASSING
        lost = isinstance(error, psycopg.OperationalError) and not state
        said.is_away = lost or state.startswith(_AWAY)
        raise said from None


def _hint(error: psycopg.Error, state: str) -> str:
    for beginning, hint in _HINTS:
        if state.startswith(beginning):
            return hint
    if isinstance(error, psycopg.OperationalError) and not state:
        for part, code in _REFUSALS:
            if part in str(error):
                return next(hint for beginning, hint in _HINTS if code.startswith(beginning))
        return "look whether the server runs and lets us in: psql with the same URL"
    return ""
