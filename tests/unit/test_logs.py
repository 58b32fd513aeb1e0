"""Nothing secret passes into a log, whoever writes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.logs import redact

ROOT = Path(__file__).parents[2]
SECRET = "c2VjcmV0OnNlY3JldA=="
SIGNED = f"https://h.example/exotelrecordings/a.mp3?X-Amz-Signature={SECRET}&x=1"

# Ours, a library's, an exception with a URL in it, and one through structlog with arguments.
LOGGER = """
import logging, sys, structlog
from worker.logs import configure_logging
from worker.settings import Log
configure_logging(Log(format=sys.argv[1], level="debug"))
signed, secret = sys.argv[2:]
log = structlog.get_logger()
log.info("fetching", url=signed, headers={"Authorization": "Basic " + secret})
log.warning("arguments %s", signed)
logging.getLogger("aiohttp").error("refused by %s with Bearer %s", signed, secret)
logging.getLogger("arq").info("tells too much")
try:
    raise ValueError("redis://:" + secret + "@h.example/0 and " + signed)
except ValueError:
    log.exception("failed")
    logging.getLogger("asyncio").exception("also failed")
print("result")
"""


def cleaned(value: object) -> object:
    """Return what is left of a field."""
    return redact(None, "info", {"field": value})["field"]


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
        ("https://h.example/a.mp3 is 3 MB", "https://h.example/a.mp3 is 3 MB"),
        ("a basic fault? yes: someone@h.example", "a basic fault? yes: someone@h.example"),
    ],
)  # fmt: skip
def test_secrets_are_cut_out_of_a_text_and_the_rest_stays(text: str, expected: str) -> None:
    """URL queries, user names and passwords in URLs, and the values of Authorization."""
    assert expected == cleaned(text)


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
