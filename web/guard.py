"""What a callback has to show before its body is read."""

from __future__ import annotations

import hmac
from base64 import b64decode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Secrets:
    """The accounts' secrets. Comparing takes the same time whatever is wrong, or how much."""

    def __init__(self, by_account: Mapping[str, str]) -> None:
        self._by_account = {name: secret.encode() for name, secret in by_account.items()}

    def __repr__(self) -> str:
        return "Secrets(***)"

    def has(self, account: str) -> bool:
        """Tell whether there is such an account; for the log, and never for an answer."""
        return account in self._by_account

    def opens(self, account: str, shown: str | None) -> bool:
        """Tell whether ``shown`` is the account's secret."""
        # An unknown account is compared, too: how long it takes tells nobody which there are.
        secret = self._by_account.get(account)
        right = hmac.compare_digest((shown or "").encode(errors="replace"), secret or b"\0")
        return right and secret is not None


def basic_password(authorization: str | None) -> str | None:
    """Return the password of an ``Authorization: Basic`` header (RFC 7617), whoever the user is."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        return None
    _, colon, password = text.partition(":")
    return password if colon else None


class Rate:
    """Lets so many pass in a second, and as many at once after a pause."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at = 0.0

    def lets_pass(self, now_s: float) -> bool:
        """Take one, if there is one at this time of a clock that never goes back."""
        passed = max(0.0, now_s - self._at)
        self._at = now_s
        self._left = min(self._per_second, self._left + passed * self._per_second)
        if self._left < 1:
            return False
        self._left -= 1
        return True
