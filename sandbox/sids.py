"""Call Sids that look like the provider's and can be turned back into an index.

A Sid is 32 characters of ``[0-9a-z]`` and is not hexadecimal (Exotel voice API, Call details).
Nothing is stored per call here, so the Sid itself carries the index: masked, so that neighbours do
not look alike, and with a keyed check, so that a made-up Sid is unknown as it is at the provider.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import product

SID_LENGTH = 32

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = tuple("".join(pair) for pair in product(_DIGITS, repeat=2))
# The last character is never a hexadecimal digit, so that no Sid can be read as a hexadecimal one.
_LAST = "ghijklmnopqrstuvwxyz"

_BODY_LENGTH = SID_LENGTH - 1
_INDEX_BYTES = 8
_CHECK_BYTES = 12
_VALUE_BYTES = _INDEX_BYTES + _CHECK_BYTES  # 160 bits: just fits into 31 characters of base 36
_VALUE_LIMIT = 1 << (8 * _VALUE_BYTES)


def _base36(value: int) -> str:
    """Write a number below 2**160 as 31 characters of ``[0-9a-z]``."""
    pairs: list[str] = []
    for _ in range(SID_LENGTH // 2):
        value, pair = divmod(value, len(_PAIRS))
        pairs.append(_PAIRS[pair])
    return "".join(reversed(pairs))[-_BODY_LENGTH:]


@dataclass(frozen=True)
class SidCodec:
    """Turns indexes below 2**64 into Sids and back, differently for every seed."""

    seed: str

    @cached_property
    def _key(self) -> bytes:
        return blake2b(self.seed.encode(), digest_size=32, person=b"call sids").digest()

    def sid(self, index: int) -> str:
        """Give the Sid of a call: 32 characters of ``[0-9a-z]``, the last one from g to z."""
        plain = index.to_bytes(_INDEX_BYTES, "big")
        check = blake2b(plain, key=self._key, digest_size=_CHECK_BYTES).digest()
        value = (int.from_bytes(check, "big") << (8 * _INDEX_BYTES)) | (index ^ self._mask(check))
        return _base36(value) + _LAST[check[0] % len(_LAST)]

    def index(self, sid: str) -> int | None:
        """Give the index a Sid was made from; None for every text this codec did not make."""
        if len(sid) != SID_LENGTH or not sid.isascii() or not sid.isalnum():
            return None
        value = int(sid[:_BODY_LENGTH], len(_DIGITS))
        if value >= _VALUE_LIMIT:
            return None
        raw = value.to_bytes(_VALUE_BYTES, "big")
        check, masked = raw[:_CHECK_BYTES], int.from_bytes(raw[_CHECK_BYTES:], "big")
        index = masked ^ self._mask(check)
        # Making it again compares the check and refuses capitals in one step.
        return index if self.sid(index) == sid else None

    def _mask(self, check: bytes) -> int:
        mask = blake2b(check, key=self._key, digest_size=_INDEX_BYTES).digest()
        return int.from_bytes(mask, "big")
