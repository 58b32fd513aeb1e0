"""What travels through the queue: a version, an account and Sids, and nothing that claims them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

VERSION: Final = 1


class Batch(msgspec.Struct, frozen=True):
    """Up to a hundred due calls of one account and month."""

    account: str
    sids: list[str]


class NewerPayloadError(Exception):
    """A payload of a newer callvault, to be left to newer workers."""


def encode_batch(batch: Batch) -> dict[str, Any]:
    """Return the argument of the job that archives this batch."""
    return {"v": VERSION, "account": batch.account, "sids": batch.sids}


def decode_batch(payload: object) -> Batch | None:
    """Read a job's argument; None if it is no batch at all.

    Raises:
        NewerPayloadError: it is of a version that this program does not know.
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("v"), int):
        return None
    if payload["v"] > VERSION:
        raise NewerPayloadError(f"payload version {payload['v']}")
    try:
        return msgspec.convert(payload, Batch)
    except msgspec.ValidationError:
        return None
