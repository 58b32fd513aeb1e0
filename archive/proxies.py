"""Which proxy a URL is asked through, as users of curl and of Python expect it.

The rules are those that curl and ``urllib.request`` have in common, and where only one of them has
a rule, that one: a lower-case variable goes before its upper-case twin, also when it is empty (an
empty one takes the proxy away); ``ALL_PROXY`` stands in for a missing one (curl); a proxy without a
scheme is an http one; in ``NO_PROXY`` a name covers its subdomains, with a leading dot or without,
and ``*`` alone covers everything. aiohttp could read these variables too, but reads ``~/.netrc``
with them, and would hand out what stands there as credentials.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from archive.addresses import is_address
from archive.errors import SettingsError
from archive.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_PORTS: Final = {"https": 443, "http": 80}
_CGI: Final = "REQUEST_METHOD"
VARIABLES: Final = (
    *("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"),
    *("all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    _CGI,
)
"""The variables that decide; nothing else of an environment is looked at."""


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy that a URL is to be asked through; None to ask it directly.

    This machine itself is always asked directly. The answer may hold a user and a password.

    Raises:
        SettingsError: the variable that applies holds no proxy that can be used; its value is not
            told, since it may hold a password.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if is_loopback(host):
        return None
    name, value = _configured(parts.scheme, environment)
    if not value or _is_excepted(host, _port(parts), _value("no_proxy", environment)):
        return None
    return _usable(name, value)


def _port(parts: SplitResult) -> int | None:
    return _PORTS.get(parts.scheme) if parts.port is None else parts.port


def _value(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    return (environment.get(name.upper(), "") if value is None else value).strip()


def _configured(scheme: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that applies to a scheme, and its value."""
    name = f"{scheme}_proxy"
    value = _value(name, environment)
    if scheme == "http" and _CGI in environment:
        # In a CGI script HTTP_PROXY is what a visitor sent as a "Proxy:" header (CVE-2016-1000110).
        value = environment.get(name, "").strip()
    return (name, value) if value else ("all_proxy", _value("all_proxy", environment))


def _usable(name: str, value: str) -> str:
    proxy = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(proxy)
        _ = parts.port
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if parts.scheme not in _PORTS or not parts.hostname:
        wanted = "http://[USER:PASSWORD@]HOST:PORT, or https:// (no SOCKS)"
        raise SettingsError([f"{name.upper()}: expected {wanted}"], source="the environment")
    return proxy


def _is_excepted(host: str, port: int | None, exceptions: str) -> bool:
    if exceptions == "*":
        return True
    entries = (entry for entry in re.split(r"[,\s]+", exceptions.lower()) if entry)
    return any(_covers(entry, host, port) for entry in entries)


def _covers(entry: str, host: str, port: int | None) -> bool:
    name, wanted = _authority(entry)
    if wanted and wanted != str(port):
        return False
    if is_address(host):
        # Only the whole one counts: 0.0.1 is no suffix of 10.0.0.1.
        return is_address(name) and ip_address(host) == ip_address(name)
    name = name.removeprefix("*").strip(".")
    return bool(name) and f".{host}".endswith(f".{name}")


def _authority(entry: str) -> tuple[str, str]:
    """Split ``host[:port]``, where an IPv6 address with a port stands in brackets."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""
