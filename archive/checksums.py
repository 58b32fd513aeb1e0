"""Holding a body against what its host says of it: Content-MD5, and ETags that are checksums.

An ETag is often, but need not be, the body's MD5 (RFC 9110, 8.8.3): a host is believed to mean that
as soon as one fits, and not to once the first few do not.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final

from archive.body import FetchTroubleError
from archive.verdicts import Symptom

if TYPE_CHECKING:
    from collections.abc import Callable

_MD5: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DOUBTS: Final = 3
"""How many recordings' ETags may misfit before their host's are taken for no checksums.

Or how often one recording's may, if the same bytes come each time.
"""


def asks_for_md5(content_md5: str, etag: str) -> bool:
    """Tell whether a body's headers can be held against its MD5; else nobody asks for that."""
    return bool(content_md5) or _MD5.fullmatch(_tag(etag)) is not None


def _tag(etag: str) -> str:
    return etag.strip('"').lower()


class Checksums:
    """What is known of the hosts' checksums."""

    def __init__(self) -> None:
        self._habits: dict[str, EtagHabit] = {}

    def check(
        self, host: str, name: str, *, content_md5: str, etag: str, md5: Callable[[], str]
    ) -> None:
        """Hold a body against its headers.

        Args:
            host: the host and port that sent it.
            name: the recording's path there.
            content_md5: the header of that name, empty without one.
            etag: the same.
            md5: tells the body's MD5, in hexadecimal digits; asked only where it matters.

        Raises:
            FetchTroubleError: it is of other bytes.
        """
        if not asks_for_md5(content_md5, etag):
            return
        tag = _tag(etag)
        is_digest = _MD5.fullmatch(tag) is not None
        digest = md5()
        if content_md5 and content_md5 != base64.b64encode(bytes.fromhex(digest)).decode():
            raise FetchTroubleError(Symptom.BODY_DIGEST, "Content-MD5 is of other bytes")
        habit = self._habits.setdefault(host, EtagHabit())
        if is_digest and habit.misfits(name, digest, fits=tag == digest):
            raise FetchTroubleError(Symptom.BODY_DIGEST, "the ETag is of other bytes")


class EtagHabit:
    """Whether a host's ETags are checksums of the bodies, as far as is known."""

    def __init__(self) -> None:
        self._fitted = False
        self._doubted: dict[str, tuple[str, int]] = {}

    def misfits(self, name: str, md5: str, *, fits: bool) -> bool:
        """Take in one more ETag and the body's own MD5; return whether the body is distrusted.

        One recording alone, spoilt anew each time, must not pass for the habit of its host.
        """
        self._fitted = self._fitted or fits
        if fits or self._fitted:
            return not fits
        if name not in self._doubted and len(self._doubted) >= _DOUBTS:
            return False
        former, times = self._doubted.get(name, ("", 0))
        times = times + 1 if md5 == former else 1
        self._doubted[name] = (md5, times)
        return times <= _DOUBTS
