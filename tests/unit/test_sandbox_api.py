"""What the API answers: bodies, errors, limits."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from sandbox.access import Credentials, Signer
from sandbox.answers import Answer, Ask, Endpoint
from sandbox.api import Api
from sandbox.calls import Call, Kind, Provider
from sandbox.limits import SlidingMinute
from sandbox.rows import Links, UrlMode

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PROVIDER = Provider(
    calls=200,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=ZoneInfo("Asia/Kolkata"),
    launched=NOW,
)
RIGHT = "Basic " + base64.b64encode(b"key:token").decode()
WRONG = "Basic " + base64.b64encode(b"key:nonsense").decode()


def api(
    provider: Provider = PROVIDER,
    urls: UrlMode = UrlMode.PRIVATE,
    *,
    limit: int = 0,
    rate_headers: bool = True,
) -> Api:
    """Make an API."""
    links = Links("rec:1", "store:2", urls, Signer("secret"))
    return Api(provider, links, Credentials("key", "token"), SlidingMinute(limit), rate_headers)


def call_ask(sid: str, **query: str) -> Ask:
    """Ask for one call with the right credentials."""
    return Ask(Endpoint.CALL, "sandbox1", sid, query, RIGHT)


def list_ask(**query: str) -> Ask:
    """Ask for calls with the right credentials."""
    return Ask(Endpoint.LISTING, "sandbox1", query=query, authorization=RIGHT)


def body(answer: Answer) -> Any:  # noqa: ANN401 - JSON is anything
    """Read the JSON of an answer."""
    return json.loads(answer.body)


def of_kind(kind: Kind, which: int = 0) -> Call:
    """Find a call of a kind."""
    return [c for c in map(PROVIDER.call, range(200)) if c.kind is kind][which]


def test_one_call_has_the_fields_of_the_api() -> None:
    """A recorded call comes with all documented fields, in wall times of the account's zone."""
    call = PROVIDER.call(0)
    row = body(api().answer(call_ask(call.sid, details="true"), NOW))["Call"]
    wall = call.started_at.astimezone(PROVIDER.zone).strftime("%Y-%m-%d %H:%M:%S")
    expected = (
        "AccountSid AnsweredBy CallerName DateCreated DateUpdated Details Direction Duration "
        "EndTime ForwardedFrom From ParentCallSid PhoneNumberSid Price RecordingUrl Sid StartTime "
        "Status To Uri"
    )
    assert expected == " ".join(sorted(row))
    assert (call.sid, wall, wall) == (row["Sid"], row["DateCreated"], row["StartTime"])
    assert row["RecordingUrl"] == f"http://rec:1/exotelrecordings/sandbox1/{call.object_name}"
    details = {"ConversationDuration", "Leg1Status", "Leg2Status", "Legs"}
    assert details == set(row["Details"])


def test_lengths_prices_and_missing_urls_come_in_every_form() -> None:
    """Duration and Price are text, number or null; a URL that is not there null, "" or missing."""
    rows = [body(api().answer(call_ask(PROVIDER.sid(i)), NOW))["Call"] for i in range(200)]
    assert {str, int, type(None)} == {type(row["Duration"]) for row in rows}
    assert {str, float, type(None)} == {type(row["Price"]) for row in rows}
    absent = {repr(row.get("RecordingUrl", "missing")) for row in rows}
    assert {"None", "''", "'missing'"} == {text for text in absent if "http" not in text}


def test_the_exophone_has_two_names_in_the_listing() -> None:
    """Rows of the listing name the ExoPhone one way or the other."""
    rows = body(api().answer(list_ask(), NOW))["Calls"]
    assert all(("PhoneNumber" in row) is not ("PhoneNumberSid" in row) for row in rows)
    assert {True, False} == {"PhoneNumber" in row for row in rows}


def test_facts_settle_after_the_call() -> None:
    """A call is in progress, then ended, then settled, then its recording is there."""
    call = PROVIDER.call(0)
    assert call.ready_at is not None
    second = timedelta(seconds=1)
    seen = []
    for now in (call.started_at, call.ended_at, call.settled_at, call.ready_at + second):
        row = body(api().answer(call_ask(call.sid), now))["Call"]
        has_url = bool(row.get("RecordingUrl"))
        seen.append((row["Status"], row["EndTime"] is not None, has_url))
    ready_first = call.ready_at <= call.settled_at
    expected = [
        ("in-progress", False, False),
        ("completed", False, False),
        ("completed", True, ready_first),
        ("completed", True, True),
    ]
    assert expected[:3] == seen[:3]
    assert seen[3][2]


def test_an_unanswered_inbound_call_is_told_by_its_details() -> None:
    """It is completed without a conversation, and the second leg was not answered."""
    call = of_kind(Kind.UNANSWERED)
    row = body(api().answer(call_ask(call.sid, details="true"), NOW))["Call"]
    expected = ("completed", 0, "no-answer")
    details = row["Details"]
    assert expected == (row["Status"], details["ConversationDuration"], details["Leg2Status"])


@pytest.mark.parametrize("endpoint", [Endpoint.CALL, Endpoint.LISTING])
@pytest.mark.parametrize(
    ("authorization", "misplaced"), [(None, False), (WRONG, True), ("x", True)]
)
def test_credentials_are_asked_for(
    endpoint: Endpoint, authorization: str | None, *, misplaced: bool
) -> None:
    """Without the right key and token both endpoints answer 401; wrong ones are marked."""
    answer = api().answer(Ask(endpoint, "sandbox1", "x", {}, authorization), NOW)
    assert (401, misplaced) == (answer.status, answer.misplaced)
    assert body(answer)["RestException"]["Status"] == 401


def test_another_account_is_not_found() -> None:
    """The right credentials open their own account only."""
    answer = api().answer(replace(list_ask(), account="acme1"), NOW)
    assert answer.status == 404


def test_unknown_and_future_and_forgotten_calls_are_not_found() -> None:
    """A Sid that nobody made, one to come, and one out of history: 404."""
    call = PROVIDER.call(0)
    moments = [NOW, call.started_at - timedelta(seconds=1), call.started_at + timedelta(days=184)]
    sids = ["0" * 32, call.sid, call.sid]
    answers = [
        api().answer(call_ask(*each[:1]), each[1]) for each in zip(sids, moments, strict=True)
    ]
    expected = [404] * 3
    assert expected == [answer.status for answer in answers]
    assert "Message" in body(answers[0])["RestException"]


def test_a_broken_rule_is_a_bad_request() -> None:
    """What the listing refuses becomes 400 with a RestException, on both endpoints."""
    assert api().answer(list_ask(PageSize="101"), NOW).status == 400
    assert api().answer(call_ask(PROVIDER.sid(0), RecordingUrlValidity="61"), NOW).status == 400


def test_the_rate_limit_is_shared_by_both_endpoints() -> None:
    """The third request of a minute is refused; a minute later there is room."""
    limited = api(limit=2)
    asks = [list_ask(), call_ask(PROVIDER.sid(0)), list_ask()]
    answers = [limited.answer(each, NOW) for each in asks]
    expected = [200, 200, 429]
    assert expected == [answer.status for answer in answers]
    assert answers[2].headers["Retry-After"] == "30"
    assert body(answers[2])["RestException"]["Status"] == 429
    assert limited.answer(list_ask(), NOW + timedelta(seconds=60)).status == 200


def test_the_limit_works_without_its_headers() -> None:
    """Without headers the refusal is the same and says nothing of the limit."""
    limited = api(limit=1, rate_headers=False)
    answers = [limited.answer(list_ask(), NOW) for _ in range(2)]
    expected = [200, 429]
    assert expected == [answer.status for answer in answers]
    assert {"Content-Type"} == set(answers[0].headers) == set(answers[1].headers)


@pytest.mark.parametrize(("mode", "expected"), [("private", 0), ("presigned", 1), ("both", 0.5)])
def test_presigned_urls_come_where_they_are_enabled_and_asked_for(
    mode: str, expected: float
) -> None:
    """Presigned URLs stand beside the private ones, only with RecordingUrlValidity."""
    served = api(urls=UrlMode(mode))
    with_it = body(served.answer(list_ask(RecordingUrlValidity="5", PageSize="100"), NOW))["Calls"]
    without = body(served.answer(list_ask(PageSize="100"), NOW))["Calls"]
    recorded = [row for row in with_it if row.get("RecordingUrl")]
    share = sum("PreSignedRecordingUrl" in row for row in recorded) / len(recorded)
    assert expected == pytest.approx(share, abs=0.1)
    assert not any("PreSignedRecordingUrl" in row for row in without)


def test_the_cursors_keep_what_was_asked() -> None:
    """The next page's address is relative to the host and asks for the same things."""
    query = {"PageSize": "60", "Status": "completed", "details": "true"}
    metadata = body(api().answer(list_ask(**query), NOW))["Metadata"]
    parts = urlsplit(metadata["NextPageUri"])
    expected = ("", "", "/v1/Accounts/sandbox1/Calls.json")
    assert expected == parts[:3]
    asked = dict(parse_qsl(parts.query))
    assert set(query.items()) < set(asked.items())
    following = body(api().answer(list_ask(**asked), NOW))
    assert following["Metadata"]["PrevPageUri"]
    assert metadata["Total"] == following["Metadata"]["Total"]


def test_the_last_page_has_no_next_one_in_every_form() -> None:
    """On the last page NextPageUri is null, empty or missing."""
    forms = set()
    for count in (1, 2, 3):
        sids = ",".join(PROVIDER.sid(index) for index in range(count))
        metadata = body(api().answer(list_ask(Sid=sids), NOW))["Metadata"]
        forms.add(repr(metadata.get("NextPageUri", "missing")))
    assert {"None", "''", "'missing'"} == forms


def test_without_the_suffix_the_api_speaks_xml() -> None:
    """Both endpoints and their errors have an XML form."""
    call = replace(call_ask(PROVIDER.sid(0)), xml=True)
    error = replace(call, authorization=None)
    found, refused = (
        ET.fromstring(api().answer(each, NOW).body)  # noqa: S314 - written by ourselves
        for each in (call, error)
    )
    assert PROVIDER.sid(0) == found.findtext("Call/Sid")
    assert refused.findtext("RestException/Status") == "401"
