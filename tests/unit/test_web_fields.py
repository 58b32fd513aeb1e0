"""A callback's body as flat fields: `web.fields`."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.fields import LONGEST, MOST, BadBodyError, read_fields, read_query

NAMES = st.text("abcdefgXYZ0123456789[]_", min_size=1, max_size=20)
# A form's lines end with CRLF, so what has a bare end of line would not come back as it was.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)
FIELDS = st.dictionaries(NAMES, TEXTS, min_size=1, max_size=8)
KINDS = ["multipart/form-data", "application/json", "application/x-www-form-urlencoded", "", "x/y"]


def form(fields: dict[str, str], boundary: str = "limit") -> bytes:
    """Return a multipart form."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode()


@given(FIELDS)
def test_each_form_gives_the_same_fields(fields: dict[str, str]) -> None:
    """Multipart, urlencoded, JSON and a query; also where the type is wrong or missing."""
    assert fields == read_query(urlencode(fields))
    assert fields == read_fields(urlencode(fields).encode(), "application/x-www-form-urlencoded")
    for kind in ("multipart/form-data; boundary=limit", "text/plain", ""):
        assert fields == read_fields(form(fields), kind)
    for kind in KINDS:
        assert fields == read_fields(json.dumps(fields).encode(), kind)


@pytest.mark.parametrize(
    ("junk", "expected"),
    [("NaN", "NaN"), ("1e400", "1e400"), ("9" * 5_000, "9" * LONGEST), (r'"\ud800"', "?")],
)
def test_junk_in_one_field_spoils_no_other(junk: str, expected: str) -> None:
    """JSON that is not to the letter, numbers that are none, halves of characters; UTF-16, too."""
    text = f'{{"CallSid": "abc", "Duration": {junk}}}'
    for encoding in ("utf-8", "utf-16", "utf-16-le"):
        found = read_fields(text.encode(encoding), "application/json")
        assert found == {"CallSid": "abc", "Duration": expected}


def test_what_is_nested_is_named_as_in_forms() -> None:
    """Arrays by their number; null is nothing; numbers and truth values are texts."""
    document = {"CallSid": "a", "Legs": [{"OnCallDuration": 3}, {"Ok": True}], "To": None}
    expected = {"CallSid": "a", "Legs[0][OnCallDuration]": "3", "Legs[1][Ok]": "true"}
    assert expected == read_fields(json.dumps(document).encode(), "application/json")


@given(st.binary(max_size=300), st.sampled_from([*KINDS, "multipart/form-data; boundary=-"]))
def test_any_bytes_are_fields_or_refused(body: bytes, kind: str) -> None:
    """And nothing else is ever raised; what is read is bounded."""
    try:
        fields = read_fields(body, kind)
    except BadBodyError:
        return
    assert 0 < len(fields) <= MOST
    assert all(name and len(text) <= LONGEST for name, text in fields.items())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"   ", ""),
        (b"[1,2]", "application/json"),
        (b"{" * 100_000, "application/json"),
        (b"[" * 100_000, ""),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json"),
        (b"&".join(b"a%d=1" % i for i in range(MOST + 1)), ""),
        (json.dumps({f"a{i}": 1 for i in range(MOST + 1)}).encode(), ""),
        (form({f"a{i}": "1" for i in range(MOST + 1)}), "multipart/form-data; boundary=limit"),
        (b"--limit\r\n\r\n", "multipart/form-data"),
        (b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n" * 2_000, "multipart/form-data"),
    ],
)
def test_what_is_no_callback_is_refused(body: bytes, kind: str) -> None:
    """Deep, wide, empty or of no form."""
    with pytest.raises(BadBodyError):
        read_fields(body, kind)


def test_files_and_what_is_no_text_do_no_harm() -> None:
    """A file in a form is passed over; bytes that are no UTF-8 are replaced; values are cut."""
    body = form({"CallSid": "a", "Long": "x" * 5_000}).replace(b'name="Long"', b'name="Lo\xffng"')
    body = (
        b'--limit\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\n1\r\n'
        + body
    )
    fields = read_fields(body, "multipart/form-data; boundary=limit")
    assert fields["CallSid"] == "a"
    assert "f" not in fields
    assert {LONGEST} == {len(text) for name, text in fields.items() if name != "CallSid"}
