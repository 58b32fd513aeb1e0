"""What travels through the queue is read without trust."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.payload import VERSION, Batch, NewerPayloadError, decode_batch, encode_batch


@given(st.text(), st.lists(st.text(), max_size=5))
def test_a_batch_comes_out_as_it_went_in(account: str, sids: list[str]) -> None:
    """Through JSON, as the queue carries it."""
    batch = Batch(account, sids)
    assert batch == decode_batch(json.loads(json.dumps(encode_batch(batch))))


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "x",
        {},
        {"v": "1", "account": "main", "sids": []},
        {"v": 1},
        {"v": 1, "account": "main"},
        {"v": 1, "account": 7, "sids": []},
        {"v": 1, "account": "main", "sids": "abcdef"},
        {"v": 1, "account": "main", "sids": [7]},
    ],
)
def test_what_is_no_batch_is_none(payload: object) -> None:
    """The message is dropped; the calls are still in the catalog."""
    assert decode_batch(payload) is None


def test_a_newer_payload_is_left_to_newer_workers() -> None:
    """Also where nothing else in it is understood; more fields alone are no reason."""
    with pytest.raises(NewerPayloadError, match=str(VERSION + 1)):
        decode_batch({"v": VERSION + 1})
    more = {**encode_batch(Batch("main", ["abcdef"])), "more": 1}
    assert Batch("main", ["abcdef"]) == decode_batch(more)
