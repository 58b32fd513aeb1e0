"""What a refused recording means."""

from __future__ import annotations

from contextlib import suppress

import pytest

from archive.body import FetchTroubleError, Pace
from archive.checksums import Checksums, EtagHabit, asks_for_md5
from archive.fetch import refusal
from archive.verdicts import Symptom

EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


@pytest.mark.parametrize("young", [False, True])
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b"Only one auth mechanism allowed", Symptom.FETCH_REFUSED),
        (401, b"", Symptom.FETCH_REFUSED),
        (403, b"Invalid IP address", Symptom.FETCH_BAD_ADDRESS),
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


def test_etags_are_believed_once_one_has_fitted() -> None:
    """After that each that does not fit is of other bytes, however many they are."""
    habit = EtagHabit()
    assert not habit.misfits("/a", "a", fits=True)
    assert all(habit.misfits(f"/{n}", "b", fits=False) for n in range(10))
    assert all(habit.misfits("/b", "b", fits=False) for _ in range(10))


def test_etags_that_never_fit_are_no_checksums() -> None:
    """The first three are doubted, so that a few spoilt bodies are not taken for a habit."""
    habit = EtagHabit()
    found = [habit.misfits(f"/{n}", "a", fits=False) for n in range(5)]
    assert found == [True, True, True, False, False]
    assert not habit.misfits("/6", "a", fits=True)
    assert habit.misfits("/7", "a", fits=False)


def test_a_recording_that_comes_alike_again_and_again_is_what_the_host_has() -> None:
    """Also the only one there is; one that comes in another way each time is spoilt."""
    habit = EtagHabit()
    found = [habit.misfits("/a", "same", fits=False) for _ in range(5)]
    assert found == [True, True, True, False, False]
    habit = EtagHabit()
    assert all(habit.misfits("/a", f"other {n}", fits=False) for n in range(20))


@pytest.mark.parametrize(
    ("content_md5", "etag", "expected"),
    [
        ("", "", False),
        ("", '"6a1f-5d3"', False),  # nginx: time and length
        ("", f'"{"a" * 32}-3"', False),  # S3, put in three pieces
        ("", f'"{"A" * 32}"', True),
        ("1B2M2Y8AsgTpgAmY7PhCfg==", "", True),
    ],
)
def test_an_md5_is_made_only_where_a_header_may_hold_one(
    content_md5: str, etag: str, *, expected: bool
) -> None:
    """Where none does, nothing is asked for it: it would be half of a large recording's hashing."""

    def md5() -> str:
        asked.append(True)
        raise FetchTroubleError(Symptom.BODY_DIGEST, "asked for")

    asked: list[bool] = []
    assert expected is asks_for_md5(content_md5, etag)
    with suppress(FetchTroubleError):
        Checksums().check("host", "/a", content_md5=content_md5, etag=etag, md5=md5)
    assert [True] * expected == asked


def test_a_download_that_drips_is_given_up() -> None:
    """Less than 1 KiB a second over half a minute; what came before that does not count."""
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.add(10_000_000)
    now[0] = 30.0
    pace.add(1)
    now[0] = 59.0
    pace.add(30 * 1024 - 1)
    now[0] = 60.0
    with pytest.raises(FetchTroubleError, match="30719 bytes in 30 s") as caught:
        pace.add(0)
    assert caught.value.symptom is Symptom.FETCH_SLOW
