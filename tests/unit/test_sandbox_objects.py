"""The hosts that have the recordings: credentials, signatures, ranges."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import objects
from sandbox.access import Credentials, Login, Signature, Signer
from sandbox.answers import Answer, Ask, Endpoint
from sandbox.audio import mp3
from sandbox.calls import Mix, Provider
from sandbox.objects import Objects

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
PROVIDER = Provider(
    calls=100,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=UTC,
    launched=NOW,
    mix=Mix.CLEAN,
)
SIGNER = Signer("secret")
HOSTS = Objects(PROVIDER, Credentials("key", "token"), SIGNER)
RIGHT = "Basic " + base64.b64encode(b"key:token").decode()
WRONG = "Basic " + base64.b64encode(b"key:nonsense").decode()
CALL = PROVIDER.call(3)
PATH = PROVIDER.path(CALL)
NAME = str(CALL.object_name)
LIFE = timedelta(minutes=5)


def recording(name: str = NAME, authorization: str | None = RIGHT, **more: str) -> Ask:
    """Ask the recording host."""
    return Ask(
        Endpoint.RECORDING,
        "sandbox1",
        name,
        authorization=authorization,
        byte_range=more.get("part"),
    )


def storage(query: str, name: str = NAME, authorization: str | None = None) -> Ask:
    """Ask the storage host."""
    return Ask(Endpoint.STORAGE, "sandbox1", name, dict(parse_qsl(query)), authorization)


def code(answer: Answer) -> tuple[int, bytes]:
    """Give the status and the code of an XML error."""
    return answer.status, answer.body.partition(b"<Code>")[2].partition(b"<")[0]


def test_the_recording_host_asks_for_credentials() -> None:
    """With the right ones the recording comes; without 401, with wrong ones 403 and a mark."""
    right, missing, wrong = (
        HOSTS.answer(recording(authorization=given), NOW) for given in (RIGHT, None, WRONG)
    )
    expected = [200, 401, 403]
    assert expected == [right.status, missing.status, wrong.status]
    expected = [False, False, True]
    assert expected == [right.misplaced, missing.misplaced, wrong.misplaced]
    assert right.extract is not None
    assert PROVIDER.audio(3) == right.extract.audio


def test_a_presigned_url_opens_by_itself_while_it_lives() -> None:
    """The storage host serves a signed path until its life ends, then refuses it as expired."""
    query = SIGNER.sign(PATH, NOW, LIFE)
    answers = [
        HOSTS.answer(storage(query), NOW + LIFE - timedelta(seconds=0.1)),
        HOSTS.answer(storage(query), NOW + LIFE),
    ]
    assert answers[0].status == 200
    expected = (403, b"AccessDenied")
    assert expected == code(answers[1])
    assert b"Request has expired" in answers[1].body


def test_credentials_do_not_belong_to_the_storage_host() -> None:
    """A presigned URL with an Authorization header is refused and marked."""
    query = SIGNER.sign(PATH, NOW, LIFE)
    answer = HOSTS.answer(storage(query, authorization=RIGHT), NOW)
    expected = (400, b"InvalidArgument")
    assert expected == code(answer)
    assert b"Only one auth mechanism allowed" in answer.body
    assert answer.misplaced


def test_unsigned_and_wrongly_signed_paths_are_refused() -> None:
    """Neither no signature nor that of another path, nor a longer life, opens a recording."""
    other = SIGNER.sign(PROVIDER.path(PROVIDER.call(4)), NOW, LIFE)
    longer = SIGNER.sign(PATH, NOW, LIFE).replace("Expires=300", "Expires=900")
    answers = [code(HOSTS.answer(storage(query), NOW)) for query in ("", other, longer)]
    wrong = (403, b"SignatureDoesNotMatch")
    assert [(403, b"AccessDenied"), wrong, wrong] == answers


def test_an_unknown_key_is_not_found_on_both_hosts() -> None:
    """A key that never was, a key of another account: 404 NoSuchKey."""
    expected = (404, b"NoSuchKey")
    assert expected == code(HOSTS.answer(recording("nothing.mp3"), NOW))
    assert expected == code(HOSTS.answer(storage("", "nothing.mp3"), NOW))
    other = Ask(Endpoint.RECORDING, "acme1", NAME, authorization=RIGHT)
    assert expected == code(HOSTS.answer(other, NOW))


def test_before_it_is_ready_and_after_its_retention_a_recording_is_not_found() -> None:
    """The URL may be known, the object is not there: 404 NoSuchKey."""
    expected = (404, b"NoSuchKey")
    assert expected == code(HOSTS.answer(recording(), CALL.ended_at))
    assert expected == code(HOSTS.answer(recording(), CALL.started_at + timedelta(days=30)))


@given(st.floats(0.2, 3_600), st.floats(0, 1))
def test_lives_are_exact_to_a_thousandth(life: float, part: float) -> None:
    """A signature lives as long as it was asked for, also for less than a second."""
    now = NOW + timedelta(seconds=part)
    query = dict(parse_qsl(SIGNER.sign(PATH, now, timedelta(seconds=life))))
    edge = timedelta(seconds=0.002)
    end = now + timedelta(seconds=life)
    assert SIGNER.check(PATH, query, end - edge) is Signature.GOOD
    assert SIGNER.check(PATH, query, end + edge) is Signature.EXPIRED


@given(st.text(max_size=60))
def test_no_made_up_header_logs_in(header: str) -> None:
    """Whatever an Authorization header holds, only the right one is good."""
    assert Credentials("key", "token").check(header) is Login.WRONG


def test_secrets_are_not_shown() -> None:
    """Neither the token nor the signing secret is in what a log would print."""
    assert "nonsense" not in repr(Credentials("key", "nonsense")) + repr(Signer("nonsense"))


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ((0, 10), "bytes=0-9"),
        ((5, 100), "bytes=5-"),
        ((90, 100), "bytes=-10"),
        ((0, 100), "bytes=-1000"),
        ((99, 100), "bytes=99-5000"),
        ((100, 100), "bytes=100-"),
        ((100, 100), "bytes=-0"),
        (None, None),
        (None, "bytes=0-1,5-6"),
        (None, "bytes=9-0"),
        (None, "bytes=-"),
        (None, "chunks=0-1"),
    ],
)
def test_ranges(expected: tuple[int, int] | None, text: str | None) -> None:
    """One range of bytes is read; what is none asks for the whole; one outside is empty."""
    assert expected == objects.read_range(text, 100)


def test_a_part_says_where_it_belongs() -> None:
    """A range is answered with 206 and its place, one beyond the end with 416 and the size."""
    part, beyond = (HOSTS.answer(recording(part=f"bytes={at}-"), NOW) for at in (100, 10**9))
    audio = PROVIDER.audio(3)
    assert audio is not None
    assert part.extract is not None
    size = audio.size
    expected = (206, f"bytes 100-{size - 1}/{size}", size - 100)
    assert expected == (part.status, part.headers["Content-Range"], part.extract.size)
    expected_beyond = (416, f"bytes */{size}")
    assert expected_beyond == (beyond.status, beyond.headers["Content-Range"])


@given(st.text(max_size=40), st.integers(1, 1_000))
def test_no_range_header_leads_outside(text: str, size: int) -> None:
    """Whatever the header, the part lies within the recording or is refused."""
    answer = objects.recording(mp3("seed", 1, size), f"bytes={text}")
    if answer.extract is not None:
        assert 0 <= answer.extract.start < answer.extract.stop <= answer.extract.audio.size
    else:
        assert answer.status == 416
