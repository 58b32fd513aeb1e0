"""The provider's JSON: every documented form is understood, and nothing in it is trusted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.wire import CallAnswer, NonsenseError, Page, error_message, read_call, read_page

IST = ZoneInfo("Asia/Kolkata")
SID = "0123456789abcdef0123456789372c19"
NEXT = "/v1/Accounts/acme1/Calls.json?After=x%3D&PageSize=100"
URL = "https://recordings.exotel.com/exotelrecordings/acme1/1772118444.76627_1.mp3"
WHOLE = {
    "Sid": SID,
    "ParentCallSid": None,
    "DateCreated": "2026-02-01 09:59:58",
    "DateUpdated": "2026-02-01 10:03:00",
    "AccountSid": "acme1",
    "To": "08012345678",
    "From": "+919812345678",
    "PhoneNumberSid": "08047000000",
    "Status": "Completed",
    "StartTime": "2026-02-01 10:00:00",
    "EndTime": "2026-02-01 10:01:05",
    "Duration": "65",
    "Price": "0.350000",
    "Direction": "inbound",
    "Uri": f"/v1/Accounts/acme1/Calls/{SID}",
    "RecordingUrl": URL,
    "PreSignedRecordingUrl": f"{URL}?X-Amz-Signature=abc",
    "Details": {"ConversationDuration": 52, "Leg1Status": "completed", "Leg2Status": "Completed"},
}
FACTS = CallFacts(
    sid=SID,
    created_at=datetime(2026, 2, 1, 4, 29, 58, tzinfo=UTC),
    started_at=datetime(2026, 2, 1, 4, 30, 0, tzinfo=UTC),
    ended_at=datetime(2026, 2, 1, 4, 31, 5, tzinfo=UTC),
    duration_s=65,
    talk_s=52,
    status="completed",
    leg2_status="completed",
    direction="inbound",
    from_number="+919812345678",
    to_number="08012345678",
    exophone="08047000000",
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*WHOLE, "Leg2Status"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def read(**fields: Any) -> CallAnswer:  # noqa: ANN401 - whatever JSON may hold
    """Read a call that has the Sid and these fields."""
    return read_call(json.dumps({"Call": {"Sid": SID, **fields}}).encode(), IST)


def test_a_whole_call_gives_all_its_facts() -> None:
    """Both URLs are kept apart from the facts, which go into the catalog."""
    expected = CallAnswer(FACTS, URL, f"{URL}?X-Amz-Signature=abc")
    assert expected == read(**WHOLE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("65", 65),
        (65, 65),
        (65.0, 65),
        ("65.0", 65),
        ("0", 0),
        (None, None),
        ("", None),
        ("N/A", None),
        (True, None),
        (-1, None),
        ("1e9", None),
        ("nan", None),
        ("inf", None),
        ([65], None),
    ],
)
def test_a_duration_comes_as_text_number_or_null(value: object, expected: int | None) -> None:
    """What is no number of seconds up to a week is unknown."""
    facts = read(Duration=value, Details={"ConversationDuration": value}).facts
    assert (expected, expected) == (facts.duration_s, facts.talk_s)


@pytest.mark.parametrize("fields", [{}, {"RecordingUrl": None}, {"RecordingUrl": ""}])
@pytest.mark.parametrize("presigned", [{}, {"PreSignedRecordingUrl": "null"}])
def test_a_missing_recording_has_every_form_of_nothing(
    fields: dict[str, Any], presigned: dict[str, Any]
) -> None:
    """Null, an empty string or no field at all; also the word null."""
    assert CallAnswer(CallFacts(sid=SID)) == read(**fields, **presigned)


def test_a_field_of_an_odd_form_spoils_no_other() -> None:
    """It is unknown, and the rest of the call is read."""
    answer = read(
        **{
            **WHOLE,
            "DateCreated": 1770000000,
            "StartTime": "0001-01-01T00:00:00Z",
            "EndTime": ["2026"],
            "Status": {"a": 1},
            "From": True,
            "To": 8012345678,
            "Details": "none",
            "RecordingUrl": 7,
            "Direction": "in\x1b[2Jbound\n",
        }
    )
    expected = CallFacts(
        sid=SID,
        duration_s=65,
        direction="in[2jbound",
        to_number="8012345678",
        exophone="08047000000",
    )
    assert (expected, "") == (answer.facts, answer.recording_url)


def test_the_exophone_has_two_names() -> None:
    """Rows of the listing may call it PhoneNumber."""
    assert read(PhoneNumber="0804").facts.exophone == "0804"
    assert read(PhoneNumberSid="0805", PhoneNumber="0804").facts.exophone == "0805"


@pytest.mark.parametrize(
    "sid",
    [
        None,
        "",
        "../../etc",
        "abc",
        "a" * 65,
        1.5,
        1234567,
        True,
        ["abcdef"],
        "a/bcdef",
        "abcdef\n",
        " abcdef ",
        "abc\x00def",
    ],
)
def test_a_call_without_a_sid_is_none(sid: object) -> None:
    """The single endpoint then says nonsense; the listing goes on with the other rows.

    A number is none: a Sid is what was asked for to the letter, and nothing is made into one.
    """
    with pytest.raises(NonsenseError):
        read(Sid=sid)
    page = json.dumps({"Calls": [{"Sid": sid}, None, 7, {"Sid": SID}]}).encode()
    expected = Page([CallAnswer(CallFacts(sid=SID))], unusable=3)
    assert expected == read_page(page, IST, walking=False)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"NextPageUri": NEXT}, NEXT),
        ({"NextPageUri": ""}, ""),
        ({"NextPageUri": None}, ""),
        ({"NextPageUri": 7}, ""),
        ({"Total": 1}, ""),
    ],
)
def test_the_next_page_is_followed_as_it_is(metadata: object, expected: str) -> None:
    """The last page has null, an empty string or no cursor."""
    body = json.dumps({"Metadata": metadata, "Calls": []}).encode()
    assert Page([], expected) == read_page(body, IST, walking=True)


@pytest.mark.parametrize("metadata", [[], None, 7, "x"])
def test_a_page_that_does_not_tell_what_follows_ends_no_walk(metadata: object) -> None:
    """Taken for the last one it would lose calls; who asked for a hundred Sids has them all."""
    body = json.dumps({"Metadata": metadata, "Calls": []}).encode()
    with pytest.raises(NonsenseError, match="more pages"):
        read_page(body, IST, walking=True)
    assert Page([]) == read_page(body, IST, walking=False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"7",
        b"{}",
        b'{"Call": []}',
        b'{"Calls": {}}',
        b'{"Call": {"Sid": "\xff\xfeabcdef"}}',
        b'{"Call": {"Sid": "\\ud800abcdef"}}',
        b"[" * 100_000,
        b'{"Call": ' * 100_000,
    ],
)
def test_what_is_no_answer_is_nonsense(body: bytes) -> None:
    """Pages of proxies, other JSON, broken text and nesting without end."""
    for reader in (read_call, partial(read_page, walking=True)):
        with pytest.raises(NonsenseError):
            reader(body, IST)


@given(document=JSON | st.builds(lambda call: {"Call": call, "Calls": [call]}, JSON))
def test_arbitrary_json_is_read_or_is_nonsense(document: object) -> None:
    """Nothing else is raised, and what is read has bounded texts."""
    body = json.dumps(document).encode()
    for reader in (read_call, partial(read_page, walking=True)):
        try:
            answer = reader(body, IST)
        except NonsenseError:
            continue
        calls = answer.calls if isinstance(answer, Page) else [answer]
        assert all(len(call.facts.status) <= 128 for call in calls)
    assert len(error_message(body)) <= 128


@given(body=st.binary(max_size=80), field=st.sampled_from(sorted(WHOLE)), value=JSON)
def test_arbitrary_bytes_and_fields_raise_nothing_else(
    body: bytes, field: str, value: object
) -> None:
    """Whatever one field holds, a call with a Sid stays a call."""
    for reader in (read_call, partial(read_page, walking=True)):
        with pytest.raises(NonsenseError):
            reader(b"\xff" + body, IST)
    if field != "Sid":
        assert read(**{**WHOLE, field: value}).facts.sid == SID


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"RestException": {"Status": 403, "Message": "no\\nKYC", "Code": 340030}}', "noKYC"),
        (b'{"RestException": {"Status": 401, "Message": null}}', ""),
        (b'{"RestException": "no"}', ""),
        (b"<TwilioResponse><RestException/></TwilioResponse>", ""),
        (b"", ""),
    ],
)
def test_an_errors_words_are_the_providers(body: bytes, expected: str) -> None:
    """On one printable line; an error in XML or HTML has none for us."""
    assert expected == error_message(body)
