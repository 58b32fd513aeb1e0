"""Who may fetch what: Basic auth, and presigned URLs that need no memory.

Basic auth takes the API key as user and the token as password. A presigned URL carries its own
proof, so the stand-in stores none of those it gave out.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from urllib.parse import urlencode

_ALGORITHM = "AWS4-HMAC-SHA256"
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


class Login(Enum):
    """What an Authorization header is worth."""

    MISSING = auto()
    WRONG = auto()
    GOOD = auto()


class Signature(Enum):
    """What the signature of a URL is worth."""

    MISSING = auto()
    WRONG = auto()
    EXPIRED = auto()
    GOOD = auto()


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one key and token that are accepted."""

    key: str
    token: str = field(repr=False)

    def check(self, authorization: str | None) -> Login:
        """Judge an Authorization header (None: there was none)."""
        if authorization is None:
            return Login.MISSING
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return Login.WRONG
        wanted = f"{self.key}:{self.token}".encode()
        good = scheme.lower() == "basic" and hmac.compare_digest(given, wanted)
        return Login.GOOD if good else Login.WRONG


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs the paths of recordings for a while, with the names S3 gives the parameters."""

    secret: str = field(repr=False)

    def sign(self, path: str, now: datetime, life: timedelta) -> str:
        """Give the query string that opens a path from ``now`` for as long as ``life``."""
        second = now.astimezone(UTC).replace(microsecond=0)
        # Whole seconds are S3's measure. Lives of a test may be shorter, hence the fraction.
        expires = (now - second + life).total_seconds()
        fields = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Date": second.strftime(_DATE_FORMAT),
            "X-Amz-Expires": f"{expires:.3f}".removesuffix(".000"),
            "X-Amz-SignedHeaders": "host",
        }
        return urlencode({**fields, "X-Amz-Signature": self._proof(path, fields)})

    def check(self, path: str, query: Mapping[str, str], now: datetime) -> Signature:
        """Judge the query string of a request for a path."""
        given = query.get("X-Amz-Signature")
        if given is None:
            return Signature.MISSING
        if not hmac.compare_digest(given.encode(), self._proof(path, query).encode()):
            return Signature.WRONG
        # The signature is ours, so what it covers is well formed.
        begun = datetime.strptime(query["X-Amz-Date"], _DATE_FORMAT).replace(tzinfo=UTC)
        life = timedelta(seconds=float(query["X-Amz-Expires"]))
        return Signature.GOOD if now < begun + life else Signature.EXPIRED

    def _proof(self, path: str, fields: Mapping[str, str]) -> str:
        signed = (path, fields.get("X-Amz-Date", ""), fields.get("X-Amz-Expires", ""))
        return hmac.digest(self.secret.encode(), "\n".join(signed).encode(), "sha256").hex()
