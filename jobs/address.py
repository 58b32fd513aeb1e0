"""The address of a Redis or Valkey, read from a URL, or refused in words that repeat no password.

::

    redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]      rediss://… with TLS
    unix://[USER[:PASSWORD]@]/path/to.sock[?db=DB]
    redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…]/SERVICE[/DB]
    rediss+sentinel://… with TLS to the sentinels and to what they name

Read here and not by redis-py, whose URLs know no sentinels, pass over what they do not understand,
and let a query switch the checks of certificates off.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

import msgspec

Place = tuple[str, int]
"""A host and a port."""

_URL: Final = re.compile(
    r"(?P<scheme>[a-z+]+)://(?:(?P<user>[^/?#]*)@)?(?P<hosts>[^/?#@]*)"
    r"(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.ASCII,
)
_HOST: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%25[\w.-]+)?)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_SERVICE: Final = re.compile(r"[\w.-]+", re.ASCII)
_PORT: Final = 6379
_SENTINELS_PORT: Final = 26379
_HIGHEST_PORT: Final = 65_535
_MOST_DB: Final = 1_000_000
_FIELDS: Final = {
    "db": "db",
    "username": "user",
    "password": "password",
    "sentinel_username": "sentinel_user",
    "sentinel_password": "sentinel_password",
    "ssl_ca_certs": "ca_file",
    "ssl_certfile": "certificate_file",
    "ssl_keyfile": "key_file",
}
"""What may stand in the query, by the names that redis-py has for it."""
_OF_TLS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_OF_SENTINELS: Final = frozenset({"sentinel_username", "sentinel_password"})
_QUOTED: Final = "one of @ : / ? # % in a password is written as %40 %3A %2F %3F %23 %25"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a Redis is, and as whom it is spoken to.

    ``hosts`` are the sentinels where ``service`` is given, else the server; empty where ``path``
    is a socket. The files are of a private authority, and of a certificate of our own. Never
    printed: see ``__repr__``.
    """

    tls: bool = False
    hosts: tuple[Place, ...] = ()
    path: str = ""
    service: str = ""
    db: int = 0
    user: str = ""
    password: str = ""
    sentinel_user: str = ""
    sentinel_password: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    def __repr__(self) -> str:
        return "Address(***)"


def read_address(url: str) -> Address:
    """Read a URL.

    Raises:
        ValueError: it is none of a Redis; the message says what is wrong and repeats nothing that
            may be a password.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"no URL that can be read; {_QUOTED}")
    scheme = match["scheme"]
    if scheme not in {"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel"}:
        raise ValueError(
            '"embedded", or a URL that begins with redis://, rediss://, unix://, '
            "redis+sentinel:// or rediss+sentinel://"
        )
    user, _, password = (match["user"] or "").partition(":")
    found: dict[str, object] = {"user": _text(user), "password": _text(password)}
    options = _options(match["query"] or "", scheme)
    path, hosts = match["path"] or "", match["hosts"]
    if scheme == "unix":
        found |= _socket(hosts, path)
    elif scheme.endswith("+sentinel"):
        found |= _watched(hosts, path)
    else:
        found |= _server(hosts, path)
    merged = {"tls": scheme.startswith("rediss"), **found, **options}
    return msgspec.convert(merged, Address)


def _text(quoted: str) -> str:
    try:
        text = unquote(quoted, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("bytes behind a '%' that are no UTF-8") from None
    if not text.isprintable():
        raise ValueError("a character that no user, password or path has")
    return text


def _options(query: str, scheme: str) -> dict[str, object]:
    allowed = {
        name
        for name in _FIELDS
        if (scheme.startswith("rediss") or name not in _OF_TLS)
        and (scheme.endswith("+sentinel") or name not in _OF_SENTINELS)
    }
    options: dict[str, object] = {}
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        if name not in allowed:
            known = ", ".join(sorted(allowed))
            raise ValueError(f"an option after the '?' that {scheme}:// has not; it has {known}")
        # A plus is a plus: passwords have them.
        options[_FIELDS[name]] = _db(value) if name == "db" else _text(value)
    if bool(options.get("certificate_file")) != bool(options.get("key_file")):
        raise ValueError("ssl_certfile and ssl_keyfile belong together")
    return options


def _db(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text, re.ASCII) or int(text) > _MOST_DB:
        raise ValueError("a database is a number, such as 0")
    return int(text)


def _socket(hosts: str, path: str) -> dict[str, object]:
    if hosts or not path:
        raise ValueError("unix:// has the socket's whole path behind it: unix:///run/valkey.sock")
    return {"path": _text(path)}


def _server(hosts: str, path: str) -> dict[str, object]:
    places = _places(hosts or "localhost", _PORT)
    if len(places) > 1:
        raise ValueError("one host; several are for sentinels: redis+sentinel://")
    found: dict[str, object] = {"hosts": places}
    if db := path.strip("/"):
        found["db"] = _db(db)
    return found


def _watched(hosts: str, path: str) -> dict[str, object]:
    service, _, db = path.removeprefix("/").rstrip("/").partition("/")
    if not _SERVICE.fullmatch(service):
        raise ValueError(
            "the service that the sentinels watch is missing: redis+sentinel://HOST,HOST/SERVICE"
        )
    found: dict[str, object] = {"hosts": _places(hosts, _SENTINELS_PORT), "service": service}
    if db:
        found["db"] = _db(db)
    return found


def _places(hosts: str, port: int) -> tuple[Place, ...]:
    return tuple(_place(host, port) for host in hosts.split(","))


def _place(text: str, port: int) -> Place:
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError(f"a host that is none: HOST, HOST:PORT or [IPv6]:PORT; {_QUOTED}")
    number = port if match["port"] is None else int(match["port"])
    if not 0 < number <= _HIGHEST_PORT:
        raise ValueError("a port from 1 to 65535")
    return (unquote(match["six"]) if match["six"] else match["name"], number)


def write_address(address: Address) -> str:
    """Write an address as a URL that is read as the same."""
    secure = "rediss" if address.tls else "redis"
    user = quote(address.user, safe="")
    if address.password:
        user += f":{quote(address.password, safe='')}"
    who = f"{user}@" if user else ""
    places = ",".join(f"{_host(host)}:{port}" for host, port in address.hosts)
    if address.path:
        written = f"unix://{who}{quote(address.path)}"
    elif address.service:
        written = f"{secure}+sentinel://{who}{places}/{address.service}"
    else:
        written = f"{secure}://{who}{places}"
    options = [
        f"{name}={quote(str(value), safe='')}"
        for name, field in _FIELDS.items()
        if name not in {"username", "password"} and (value := getattr(address, field))
    ]
    return f"{written}?{'&'.join(options)}" if options else written


def _host(host: str) -> str:
    return f"[{host.replace('%', '%25')}]" if ":" in host else host
