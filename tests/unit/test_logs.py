"""Nothing secret passes into a log, whoever writes it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.logs import quieten
from worker.redact import clean

ROOT = Path(__file__).parents[2]
SECRET = "c2VjcmV0OnNlY3JldA=="
SIGNED = f"https://h.example/exotelrecordings/a.mp3?X-Amz-Signature={SECRET}&x=1"

# Ours, a library's, an exception with a URL in it, and one through structlog with arguments.
LOGGER = """
import logging, sys, structlog
from worker.logs import configure_logging
from worker.sections import Log
configure_logging(Log(format=sys.argv[1], level="debug"))
signed, secret = sys.argv[2:]
log = structlog.get_logger()
log.info("fetching", url=signed, headers={"Authorization": "Basic " + secret})
log.warning("arguments %s", signed)
logging.getLogger("aiohttp").error("refused by %s with Bearer %s", signed, secret)
logging.getLogger("arq").info("tells too much")
logging.getLogger("asyncio").debug("Using selector: tells too much")
try:
    raise ValueError("redis://:" + secret + "@h.example/0 and " + signed)
except ValueError:
    log.exception("failed")
    logging.getLogger("asyncio").exception("also failed")
print("result")
"""


def cleaned(value: object) -> object:
    """Return what is left of a field."""
    return clean(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SIGNED, "https://h.example/exotelrecordings/a.mp3?…"),
        (f"GET '{SIGNED}' failed", "GET 'https://h.example/exotelrecordings/a.mp3?…' failed"),
        (f"<{SIGNED}> and more", "<https://h.example/exotelrecordings/a.mp3?…> and more"),
        ("https://key:token@h.example/a", "https://…@h.example/a"),
        (f"redis://:{SECRET}@h.example:6379/0", "redis://…@h.example:6379/0"),
        (f"https://key:token@h.example/a?Signature={SECRET}", "https://…@h.example/a?…"),
        (f"Authorization: Basic {SECRET}", "Authorization: Basic …"),
        (f"authorization: bearer {SECRET};", "authorization: bearer …;"),
        (f"{SIGNED} {SIGNED}", " ".join(["https://h.example/exotelrecordings/a.mp3?…"] * 2)),
        (f"HTTPS://h.example/a?Signature={SECRET}", "HTTPS://h.example/a?…"),
        (f"GET /v1/calls.json?Signature={SECRET} failed", "GET /v1/calls.json?… failed"),
        (f'"/a.mp3?x=1&X-Amz-Signature={SECRET}"', '"/a.mp3?…"'),
        (f"https://key:to@{SECRET}@h.example/a", "https://…@h.example/a"),
        ("https://h.example/a.mp3 is 3 MB", "https://h.example/a.mp3 is 3 MB"),
        ("is it /v1/calls? yes", "is it /v1/calls? yes"),
        ("a basic fault? yes: someone@h.example", "a basic fault? yes: someone@h.example"),
    ],
)  # fmt: skip
def test_secrets_are_cut_out_of_a_text_and_the_rest_stays(text: str, expected: str) -> None:
    """URL queries, user names and passwords in URLs, and the values of Authorization."""
    assert expected == cleaned(text)


@pytest.mark.parametrize("number", ["9812345678", "919812345678", "+919812345678", "08012345678"])
@pytest.mark.parametrize(
    "around", ["{}", "call from {} failed", "({})", '{{"From":"{}"}}', "To={}, ok", "{} {}"]
)
def test_a_telephone_number_keeps_its_last_two_digits(around: str, number: str) -> None:
    """Enough to tell two calls apart, and nobody's number."""
    assert around.format("…78", "…78") == cleaned(around.format(number, number))


@pytest.mark.parametrize(
    "text",
    [
        SIGNED.partition("?")[0],
        "0123456789abcdef0123456789372c19",
        "1772118444.76627_1.mp3",
        "2026-02-10 12:00:00",
        "127.0.0.1:8080",
        "123456789 bytes are free",
        "a batch of 100",
    ],
)
def test_what_is_no_telephone_number_stays(text: str) -> None:
    """Sids, names of objects, times, addresses and small counts are what a reader looks for."""
    assert text == cleaned(text)


@given(
    st.recursive(
        st.just(SIGNED) | st.just(ValueError(SIGNED)) | st.binary(max_size=3) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_no_field_however_deep_lets_a_signature_through(value: object) -> None:
    """In lists, tuples, dictionaries, and objects that are written as texts."""
    assert SECRET not in repr(cleaned(value))


@pytest.mark.parametrize("value", [7, 1.5, True, None])
def test_what_is_no_text_keeps_its_type(value: object) -> None:
    """So that numbers are numbers in JSON."""
    assert cleaned(value) is value


@pytest.mark.parametrize("form", ["json", "auto", "console"])
def test_every_logger_of_a_process_is_redacted(form: str) -> None:
    """Also those of libraries, arguments and tracebacks; stdout is left to results."""
    done = subprocess.run(  # noqa: S603 - our own script, no shell
        [sys.executable, "-c", LOGGER, form, SIGNED, SECRET],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "result\n"
    assert "h.example" in done.stderr
    assert "tells too much" not in done.stderr
    told = done.stderr.replace('LOGGER = """', "")
    assert SECRET not in told
    assert "X-Amz" not in told
    if form != "console":
        records = [json.loads(line) for line in done.stderr.splitlines()]
        assert [record["event"] for record in records][:2] == [
            "fetching",
            "arguments https://h.example/exotelrecordings/a.mp3?…",
        ]
        assert [record["level"] for record in records] == [
            "info",
            "warning",
            "error",
            "error",
            "error",
        ]
        assert all(record["time"].endswith("Z") for record in records)
        assert "Traceback" in records[3]["exception"]


def test_a_library_s_own_handler_is_taken_from_it() -> None:
    """As arq's command line gives one to its logger, which tells of every job and its arguments."""
    logger = logging.getLogger("arq")
    logger.addHandler(logging.NullHandler())
    logger.setLevel(logging.INFO)
    quieten()
    assert (logger.handlers, logger.level) == ([], logging.WARNING)
