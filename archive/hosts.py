"""Which URLs may be fetched, and which of them with the account's credentials.

A recording's URL comes from outside, and following it with the key attached would hand the key to
whoever wrote it. So: the key goes to the API base and to `recording_hosts`, with unsigned URLs
only; `storage_hosts` never see it (S3 refuses two kinds of authorisation at once, too); no other
host is asked at all.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from archive.accounts import Account

_PORTS: Final = {"https": 443, "http": 80}
_SIGNATURES: Final = frozenset({"x-amz-signature", "signature", "x-amz-credential"})
_LONGEST_URL: Final = 4096
_BUCKET: Final = "exotelrecordings"


class Access(StrEnum):
    """How a URL is to be fetched."""

    WITH_CREDENTIALS = "with credentials"
    PLAIN = "plain"


class UntrustedUrlError(ValueError):
    """A URL that is not asked. The text says why and never holds the URL's query."""


def access_for(url: str, account: Account) -> Access:
    """Decide whether a recording's URL may be fetched, and whether with the account's key.

    Raises:
        UntrustedUrlError: it may not be fetched.
    """
    parts = _split(url)
    if _listed(parts, account.recording_hosts):
        return Access.PLAIN if is_signed(url) else Access.WITH_CREDENTIALS
    if _listed(parts, account.storage_hosts):
        return Access.PLAIN
    raise UntrustedUrlError(
        f"the host {parts.netloc[:100]!r} is in neither recording_hosts nor storage_hosts"
    )


def is_signed(url: str) -> bool:
    """Tell whether a URL carries a signature of its own (RecordingUrl against presigned)."""
    try:
        query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:  # no URL at all: `access_for` says so for its one call
        return False
    return any(key.lower() in _SIGNATURES for key, _ in query)


def object_name(url: str) -> str:
    """Return the file name in a recording's URL, which is not always the Sid; bounded, no query.

    It is shown on terminals. So a character that is not printable stays percent-encoded, as ``%1B``
    for an escape: it does nothing there, and two names that differ in it stay two.
    """
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        path = ""
    name = "".join(_printable(character) for character in path.rsplit("/", 1)[-1])
    return name[:255] or "recording"


def own_recording(url: str, account: Account) -> str | None:
    """Return a URL that a source told of, without its query, if it may be the account's recording.

    It has to be on a listed host, on the account's own path: ``/exotelrecordings/{sid}/{name}``, or
    ``/{sid}/{name}`` where the bucket is in the host's name (Exotel, call recordings).
    """
    try:
        access_for(url, account)
    except UntrustedUrlError:
        return None
    parts = urlsplit(url)
    *folder, name = unquote(parts.path).split("/")
    if not name or folder not in (["", account.sid], ["", _BUCKET, account.sid]):
        return None
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _printable(character: str) -> str:
    # A lone surrogate has no UTF-8 of its own, and no output takes it.
    return character if character.isprintable() else quote(character, errors="surrogatepass")


def _split(url: str) -> SplitResult:
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or "\\" in url:
        raise UntrustedUrlError("it is too long or has characters that no URL has")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UntrustedUrlError("it is no URL") from error
    if not parts.hostname or "@" in parts.netloc:
        raise UntrustedUrlError("it has no host, or a user name in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise UntrustedUrlError("it is not https")
    if any(segment in {".", ".."} for segment in unquote(parts.path).split("/")):
        raise UntrustedUrlError("its path climbs")
    return parts


def _listed(parts: SplitResult, entries: tuple[str, ...]) -> bool:
    return any(_matches(parts, entry) for entry in entries)


def _port(parts: SplitResult) -> int:
    return _PORTS[parts.scheme] if parts.port is None else parts.port


def _matches(parts: SplitResult, entry: str) -> bool:
    """Match ``host[:port][/path]``; the path matches whole segments."""
    authority, _, path = entry.partition("/")
    host, _, port = authority.partition(":")
    default = _PORTS[parts.scheme]
    if parts.hostname != host.lower() or _port(parts) != int(port or default):
        return False
    prefix = f"/{path}".rstrip("/")
    return f"{parts.path}/".startswith(f"{prefix}/")
