"""What a refused recording means."""

from __future__ import annotations

import pytest

from archive.fetch import refusal
from archive.verdicts import Symptom

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


@pytest.mark.parametrize("young", [False, True])
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b"Only one auth mechanism allowed", Symptom.FETCH_REFUSED),
        (401, b"", Symptom.FETCH_REFUSED),
        (403, b"invalid ip", Symptom.FETCH_REFUSED),
        (403, EXPIRED, Symptom.FETCH_EXPIRED),
        (429, b"", Symptom.FETCH_TOO_MANY),
        (500, b"", Symptom.FETCH_SERVER_ERROR),
        (503, EXPIRED, Symptom.FETCH_SERVER_ERROR),
        (301, b"", Symptom.FETCH_REDIRECT),
        (304, b"", Symptom.FETCH_REDIRECT),
        (204, b"", Symptom.FETCH_ODD_STATUS),
        (206, b"", Symptom.FETCH_ODD_STATUS),
        (418, b"", Symptom.FETCH_ODD_STATUS),
    ],
)
def test_each_status_has_its_name(
    status: int, body: bytes, expected: Symptom, *, young: bool
) -> None:
    """An expired signature says so in its body; anything but 200 is no recording."""
    assert expected is refusal(status, body, young=young)


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_object_is_not_there_yet_or_gone(status: int) -> None:
    """A young call's URL is handed out before the object exists."""
    assert refusal(status, b"NoSuchKey", young=True) is Symptom.FETCH_NOT_YET
    assert refusal(status, b"NoSuchKey", young=False) is Symptom.FETCH_GONE
