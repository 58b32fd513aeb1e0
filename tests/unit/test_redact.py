"""What must not be told is cut out in every form it may come in; what a reader looks for stays."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.redact import MOST, clean, clean_fields

SECRET = "c2VjcmV0OnNlY3JldA"
SIGNATURE = "3f9a7c" * 10
SIGNED = (
    "https://s3.example/bucket/a.mp3?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    f"&X-Amz-Credential=AKIA%2F20260210%2Fs3&X-Amz-Signature={SIGNATURE}"
)
_WORDS = st.text(st.characters(exclude_characters="0123456789"), max_size=8)

FORMS = {
    "alone": "{}",
    "in a text": "GET {} failed",
    "quoted": "'{}'",
    "in JSON": '{{"url": "{}"}}',
    "in brackets": "<{}>, and more",
    "after an equals sign": "url={}",
}


@pytest.mark.parametrize("around", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("times", [0, 1, 2], ids=["plain", "encoded", "encoded twice"])
def test_a_signature_is_cut_out_of_a_url_in_any_form(around: str, times: int) -> None:
    """As a URL has it, and percent-encoded once or twice, as a query within a query is."""
    url = SIGNED
    for _ in range(times):
        url = quote(url, safe="")
    assert SIGNATURE in around.format(url)
    assert SIGNATURE not in clean(around.format(url))


@pytest.mark.parametrize(
    "text",
    [
        f"X-Amz-Signature={SIGNATURE}",
        f"x-amz-security-token%3D{SIGNATURE}",
        f'{{"X-Amz-Signature": "{SIGNATURE}"}}',
        f'{{\\"X-Amz-Signature\\": \\"{SIGNATURE}\\"}}',
        f"AWSAccessKeyId={SIGNATURE}&Expires=1",
        f"Signature={SIGNATURE}",
        f"https:\\/\\/h.example\\/a.mp3?Signature={SIGNATURE}",
        f"x-goog-signature={SIGNATURE}",
        f"password={SIGNATURE}",
        f"{{'token': '{SIGNATURE}'}}",
        f"api_key={SIGNATURE}",
        f"POST /hook/main/{SIGNATURE} HTTP/1.1",
        f"https://calls.example/hook/main/{SIGNATURE}?CallSid=1",
        f"redis://:pa/{SIGNATURE}@h.example:6379/0",
        f"http://proxy:{SIGNATURE}@proxy.example:3128",
        f"http%3A%2F%2Fproxy%3A{SIGNATURE}%40proxy.example",
        f"Authorization: Basic {base64.b64encode(SIGNATURE.encode()).decode()}",
        f"authorization=Basic%20{SIGNATURE}",
        f"Bearer   {SIGNATURE}",
    ],
)
def test_what_stands_beside_a_name_that_says_so_is_cut_out(text: str) -> None:
    """Parts of signed URLs without the URL, passwords, tokens, a webhook's secret in its path."""
    told = clean(text)
    assert SIGNATURE not in told
    assert base64.b64encode(SIGNATURE.encode()).decode() not in told


@pytest.mark.parametrize(
    "name", ["Authorization", "password", "api_key", "EXOTEL_API_TOKEN", "Set-Cookie", "secret"]
)
def test_a_field_whose_name_says_that_it_is_secret_is_cut_out_whole(name: str) -> None:
    """In a record itself and in what a field holds; a count of tokens is none."""
    assert clean_fields({name: "short"}) == {name: "…"}
    assert clean({name: ["a", "b"]}) == {name: "…"}
    assert clean_fields({name: 3}) == {name: 3}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40), _WORDS)
def test_a_known_secret_is_cut_out_wherever_it_stands(secret: str, word: str) -> None:
    """Whatever it looks like: the last net knows it by its value."""
    assert secret not in clean(f"{word}{secret}{word}", [secret]).replace("…", "\0")
    assert secret not in clean_fields({f"a {secret}": 1}, [secret])


NUMBERS = (
    "9812345678",
    "09812345678",
    "919812345678",
    "+919812345678",
    "00919812345678",
    "+91 98123 45678",
    "+91-98123-45678",
    "+91 981 234 5678",
    "98123 45678",
    "98123-45678",
    "0 98123 45678",
    "91-98123-45678",
    "981-234-5678",
    "080-12345678",
    "022 1234 5678",
    "0484-1234578",
    "+1 415 555 0178",
    "+14155550178",
)
PLACES = {
    "alone": "{}",
    "in a text": "call from {} failed",
    "in brackets": "({})",
    "in JSON": '{{"From":"{}"}}',
    "in JSON in JSON": '"{{\\"From\\":\\"{}\\"}}"',
    "after its name": "From={}, ok",
    "after a colon": "From:{}",
    "in a path": "https://api.example/v1/Numbers/{}/calls.json",
    "in a SIP address": "sip:{}@h.example",
    "in a list": "{},{}",
    "on a new line": "a\n{}\nb",
    "as repr writes a new line": "a\\n{}\\nb",
    "in a sentence's end": "it was {}.",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_telephone_number_is_cut_out_however_it_is_written(number: str, place: str) -> None:
    """All but two digits, so that calls can be told apart and nobody be called."""
    told = clean(place.format(number, number))
    digits = "".join(c for c in number if c.isdigit())
    left = "".join(c for c in told.replace("v1/", "") if c.isdigit())
    assert len(left) <= 2 * place.count("{}")
    assert digits[:-2] not in left


@pytest.mark.parametrize("number", ["+919812345678", "+91 98123 45678"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_percent_encoded_telephone_number_is_cut_out(number: str, times: int) -> None:
    """As it stands in a URL's path or a form."""
    text = number
    for _ in range(times):
        text = quote(text, safe="")
    for written in (f"/Numbers/{text}/x", f"From%3D{text}%26", f"a%22{text}%22"):
        assert "98123" not in clean(written), written


@given(st.from_regex(r"\A\+?[0-9]{10,14}\Z"), _WORDS.filter(str.isspace) | st.just(""))
def test_any_number_of_ten_to_fourteen_digits_is_cut_out(number: str, gap: str) -> None:
    """With or without a plus sign, alone or between spaces."""
    told = clean(f"{gap}{number}{gap}")
    assert told.strip() == f"…{number[-2:]}"


@given(st.from_regex(r"\A[0-9a-f]{32}\Z"))
def test_a_sid_stays(sid: str) -> None:
    """Call Sids, leases and MD5s: 32 hexadecimal digits, digits alone among them."""
    for text in (sid, f"{sid}_1.mp3", f"main/2026/02/10/12/{sid}.mp3", f"Sid={sid},{sid}"):
        assert text == clean(text)


@given(st.from_regex(r"\A[0-9a-f]{64}\Z"))
def test_a_hash_stays(sha256: str) -> None:
    """SHA-256 in 64 digits."""
    assert f"sha256 {sha256} is not it" == clean(f"sha256 {sha256} is not it")


@given(st.uuids())
def test_a_uuid_stays(uuid: object) -> None:
    """Its parts may be of digits alone."""
    assert str(uuid) == clean(str(uuid))


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds the zone
)
def test_dates_and_times_stay(moment: datetime) -> None:
    """As ISO 8601, as the provider writes them, and as a range."""
    iso, plain = moment.isoformat(), f"{moment:%Y-%m-%d %H:%M:%S}"
    for text in (iso, plain, f"{plain} to {plain}", f"from {moment:%Y-%m-%d} on", f"{plain};{iso}"):
        assert text == clean(text)


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_counts_of_bytes_stay(came: int, promised: int) -> None:
    """As a shortened download tells of them, with and without thousands parted."""
    for text in (f"{came} of {promised} bytes", f"{came:,} of {promised:,}", f"{came} bytes"):
        assert text == clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "1772118444.76627_1.mp3",
        "https://h.example/exotelrecordings/acme1/1772118444.76627_1.mp3",
        "127.0.0.1:8080",
        "2001:db8::1234:5678",
        "took 0.12345678901234 s",
        "3 of 5 workers, 100 200 300 calls",
        "host-0a1b2c3d",
        "v1/Accounts/acme1/Calls.json",
        "no callbacks are received: there is no secret for them",
        "the token of the account",
    ],
)
def test_what_a_reader_looks_for_stays(text: str) -> None:
    """Names of objects, addresses, durations, counts, and words that only sound secret."""
    assert text == clean(text)


class Odd:
    """Something that cannot be written."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no")


def test_what_cannot_be_written_is_named() -> None:
    """A fault of what is logged is no reason to end anybody."""
    assert clean(Odd()) == "<Odd that cannot be written: RuntimeError>"


def test_a_long_text_loses_its_middle_between_words() -> None:
    """Journald breaks long lines apart, and a half secret would be known to nobody."""
    told = clean(f"begin {'x' * 30 + ' '} ".join(["word"] * 3000) + " end")
    assert len(told) < MOST
    assert told.startswith("word")
    assert told.endswith(" end")
    assert len(clean("x" * 10 * MOST)) < 3


@given(
    st.recursive(
        st.just(SIGNED) | st.binary(max_size=3) | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.sets(st.just(SIGNED), max_size=1)
            | st.dictionaries(st.text(max_size=3) | st.just(SIGNED), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_whatever_is_logged_becomes_json_without_secrets(value: object) -> None:
    """However deep it lies, as a value or as a key."""
    assert SIGNATURE not in json.dumps(clean(value))
