"""What is sent: mails whose headers nobody can add to, and messages within a chat's bounds."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import SMTP
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import CredentialsError
from tests.unit.books import NOW
from tests.unit.mornings import a_morning, a_parcel
from worker.morning.writing import parcel_of
from worker.secrets import HEALTHCHECKS_URL, SMTP_PASSWORD, secret_url, shared_secret
from worker.sending.hooks import chat_message, ping_url
from worker.sending.mail import Post, write_mail
from worker.sending.section import Report
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

ANYTHING = st.text(st.characters(codec=None), max_size=200) | st.just(
    "x\r\nBcc: thief@evil.example"
)
TO = Report(email_to=("ops@example.com", "two@example.com"), email_from="vault@example.com")


@given(ANYTHING)
def test_no_headline_becomes_a_header(headline: str) -> None:
    """A mail has the headers that it should have, whatever a reason or a name has in it."""
    mail = write_mail(a_parcel(headline, "text\n"), TO, host_name="h.example", now=NOW)
    read = message_from_bytes(mail.as_bytes(policy=SMTP), policy=SMTP)
    names = {
        *("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type"),
    }
    assert names == set(read.keys())
    assert read["To"] == "ops@example.com, two@example.com"
    assert str(read["Subject"]).startswith("callvault:")


def test_a_mail_has_the_report_as_text_and_the_page_beside_it() -> None:
    """Who reads it on a telephone sees the verdict in the subject."""
    parcel = parcel_of(a_morning(), ("html", "json"))
    mail = write_mail(parcel, TO, host_name="h.example", now=NOW)
    assert str(mail["Subject"]).startswith("callvault: INCOMPLETE: 97 of 100 calls")
    text, page, document = mail.iter_parts()
    assert text.get_content().startswith("INCOMPLETE: ")
    assert page.get_filename() == "callvault-2026-02-09.html"
    assert page.get_content().startswith("<!DOCTYPE html>")
    assert document.get_content_type() == "application/json"
    assert msgspec.json.decode(document.get_content())["day"] == "2026-02-09"


def test_without_a_sender_this_host_is_it() -> None:
    """So that a mail says which machine it is of."""
    mail = write_mail(a_parcel(), Report(email_to=("o@example.com",)), host_name="box7", now=NOW)
    assert mail["From"] == "callvault@box7"
    assert mail["Message-ID"].endswith("@box7>")


@given(ANYTHING, st.lists(ANYTHING, max_size=60), st.integers(1, 80))
def test_a_message_keeps_a_chats_bounds(headline: str, lines: list[str], times: int) -> None:
    """3,000 characters a block, 50 blocks, 4,000 for the text; nobody is called by it."""
    parcel = a_parcel(headline, "\n".join(lines * times))
    body = chat_message(parcel)
    assert len(body["text"]) <= 4_000
    assert 1 <= len(body["blocks"]) <= 50
    for block in body["blocks"]:
        text = block["text"]["text"]
        assert 0 < len(text) <= 3_000
        assert "<" not in text
        assert ">" not in text
    assert "<" not in body["text"]


def test_a_message_that_is_cut_says_so() -> None:
    """A report of many accounts has more than a chat takes."""
    long = chat_message(a_parcel(text="ALARM: it burns\n" + "and burns on\n" * 5_000))
    assert (len(long["blocks"]), "and more" in long["blocks"][-1]["text"]["text"]) == (12, True)
    assert len(chat_message(a_parcel())["blocks"]) == 2


def test_a_message_says_the_headline_once() -> None:
    """The text of a report begins with it, in as many lines as it takes."""
    body = chat_message(parcel_of(a_morning(), ()))
    headline = parcel_of(a_morning(), ()).headline
    assert body["blocks"][0]["text"]["text"] == f"*{headline}*"
    assert "INCOMPLETE" not in body["blocks"][1]["text"]["text"]
    assert "callvault retry --failed" in body["text"]


def test_a_day_is_a_problem_or_a_failure() -> None:
    """Of a clean day nobody need hear; what is only to be known does not fail a check."""
    clean, bad = parcel_of(a_morning(clean=True), ()), parcel_of(a_morning(), ())
    assert (clean.is_problem, clean.is_failure) == (False, False)
    assert (bad.is_problem, bad.is_failure) == (True, True)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hc.example/uuid", "https://hc.example/uuid/fail"),
        (
            "https://hc.example/ping/key/slug?create=1",
            "https://hc.example/ping/key/slug/fail?create=1",
        ),
    ],
)
def test_a_failure_is_told_below_the_url(url: str, expected: str) -> None:
    """As healthchecks.io has it; success is the URL itself."""
    assert ping_url(url, is_failure=True) == expected
    assert ping_url(url, is_failure=False) == url


# --- Secrets and settings -------------------------------------------------------------------------


def test_secrets_are_found_as_keys_are(tmp_path: Path) -> None:
    """In the environment, else as a credential; without white space around them."""
    (tmp_path / "smtp-password").write_text("from-file\n")
    (tmp_path / "report-healthchecks-url").write_text("https://hc.example/uuid\n")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert shared_secret(SMTP_PASSWORD, folder) == "from-file"
    assert shared_secret(SMTP_PASSWORD, {**folder, SMTP_PASSWORD: " given "}) == "given"
    assert secret_url(HEALTHCHECKS_URL, folder) == "https://hc.example/uuid"
    assert secret_url(HEALTHCHECKS_URL, {}) == ""


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example/T0/B0/secret",
        "http://hooks.example/secret",
        "https://user:secret@hooks.example/",
        "https:///secret",
        "https://hooks.example:port/secret",
        "https://hooks.example/sec ret",
        "https://hooks.example/secrét",
        "file:///secret",
    ],
)
def test_what_is_no_url_is_told_without_it(url: str) -> None:
    """Whatever it is, it may be most of the secret."""
    with pytest.raises(CredentialsError) as raised:
        secret_url(HEALTHCHECKS_URL, {HEALTHCHECKS_URL: url})
    assert "holds no URL" in raised.value.message
    assert "hooks" not in raised.value.message + raised.value.hint
    assert "sec" not in raised.value.message + raised.value.hint


def test_a_post_does_not_print_its_password() -> None:
    """Not even in a traceback that shows it."""
    post = Post(section=TO, password="hunter22", context=None, host_name="h")  # type: ignore[arg-type]
    assert "hunter22" not in repr(post)


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        ('email_to = ["ops@example.com"]', True),
        ('email_to = ["ops@example.com\\nBcc: x@y.z"]', False),
        ('email_to = ["ops, x@y.z"]', False),
        ('email_from = "a b@example.com"', False),
        ('smtp = "smtp://mail.example:587"', True),
        ('smtp = "smtps://[::1]:465"', True),
        ('smtp = "smtp://user:pass@mail.example"', False),
        ('smtp = "mail.example"', False),
        ('attach = ["pdf"]', False),
    ],
)
def test_settings_that_cannot_be_are_told(tmp_path: Path, line: str, *, fine: bool) -> None:
    """When a command begins, not in the morning when nobody gets a mail."""
    file = tmp_path / "config.toml"
    file.write_text(f'[accounts.main]\nsid = "acme1"\n[report]\n{line}\n')
    if fine:
        assert load_settings(file, {}).report != Report()
        return
    with pytest.raises(Exception, match="report"):
        load_settings(file, {})
