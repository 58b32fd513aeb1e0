"""What a callback says of its call: `jobs.callbacks`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts, is_sid
from jobs.callbacks import facts_of, sid_in
from sandbox.callbacks import Fate, callbacks_of
from sandbox.calls import Provider
from web.fields import read_fields, read_query

KOLKATA = ZoneInfo("Asia/Kolkata")
SID = "a" * 30 + "7m"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROVIDER = Provider(
    calls=200,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=KOLKATA,
    launched=NOW,
)


def test_each_shape_of_the_stand_in_is_understood() -> None:
    """Four shapes; Passthru's end is never set, and its status neither."""
    for index in range(PROVIDER.calls):
        call = PROVIDER.call(index)
        (callback,) = callbacks_of(call, PROVIDER, "host:1", Fate())
        is_passthru = callback.method == "GET"
        fields = (
            read_query(callback.query)
            if is_passthru
            else read_fields(callback.body, callback.content_type)
        )
        facts = facts_of(fields, KOLKATA)
        assert facts is not None
        assert (call.sid, call.started_at) == (facts.sid, facts.started_at)
        assert (call.caller, call.direction) == (facts.from_number, facts.direction)
        assert (None if is_passthru else call.ended_at) == facts.ended_at
        assert ("" if is_passthru else call.status) == facts.status
        assert call.conversation == facts.talk_s


def test_the_second_engine_is_understood() -> None:
    """Other names, times with an offset, and one for what is not set."""
    fields = {
        "CallSid": SID,
        "CallStatus": "Completed",
        "TotalDuration": "65.0",
        "CallRecordings": f'["https://recordings.exotel.com/exotelrecordings/acme1/{SID}.mp3"]',
        "FromNumber": "+919812345678",
        "ToNumber": "08047000000",
        "VirtualNumber": "08047000001",
        "StartTime": "2026-03-01T10:00:00+05:30",
        "EndTime": "0001-01-01T00:00:00Z",
    }
    expected = CallFacts(
        sid=SID,
        started_at=datetime(2026, 3, 1, 4, 30, tzinfo=UTC),
        duration_s=65,
        status="completed",
        from_number="+919812345678",
        to_number="08047000000",
        exophone="08047000001",
        recording_urls=(f"https://recordings.exotel.com/exotelrecordings/acme1/{SID}.mp3",),
    )
    assert expected == facts_of(fields, KOLKATA)


@pytest.mark.parametrize("word", ["in-progress", "ringing", "queued"])
def test_a_call_that_goes_on_has_neither_end_nor_status(word: str) -> None:
    """They would stay, since a later callback only fills what is unknown."""
    fields = {"CallSid": SID, "Status": word, "EndTime": "2026-03-01 10:00:00", "Duration": "3"}
    assert CallFacts(sid=SID) == facts_of(fields, KOLKATA)
    answered = {"CallSid": SID, "EventType": "answered", "EndTime": "2026-03-01 10:00:00"}
    assert CallFacts(sid=SID) == facts_of(answered, KOLKATA)


def test_blanks_and_what_cannot_be_read_are_unknown() -> None:
    """``null``, 1970, year 1, durations that are none."""
    fields = {
        "CallSid": SID,
        "EndTime": "1970-01-01 05:30:00",
        "StartTime": "0001-01-01T00:00:00Z",
        "RecordingUrl": "null",
        "Duration": "-5",
        "ConversationDuration": "99999999999",
        "From": "null",
        "Status": "\x00\x1b[2J",
    }
    assert CallFacts(sid=SID, status="[2j") == facts_of(fields, KOLKATA)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=80), max_size=12), st.text())
def test_whatever_a_callback_holds_is_facts_or_nothing(fields: dict[str, str], sid: str) -> None:
    """No text makes it raise, and nothing that is no Sid names a call."""
    fields = {**fields, "CallSid": sid}
    facts = facts_of(fields, KOLKATA)
    assert (facts is None) == (sid_in(fields) is None)
    assert facts is None or is_sid(facts.sid)
    assert facts is None or all(t.isprintable() for t in (facts.status, facts.from_number))
    assert facts is None or msgspec.json.decode(msgspec.json.encode(facts), type=CallFacts) == facts
