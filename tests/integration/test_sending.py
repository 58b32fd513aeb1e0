"""Reports on their way: real servers for mail and webhooks, well-behaved and otherwise."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from archive.hosts import is_loopback
from tests.integration.authority import Authority
from tests.integration.mailbox import Mailbox, receiving
from tests.integration.servers import serving
from tests.unit.mornings import a_parcel
from worker.secrets import HEALTHCHECKS_URL, SMTP_PASSWORD, WEBHOOK_URL
from worker.sending.channels import Outside, send_everywhere
from worker.sending.parcel import Sent
from worker.sending.section import Report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SECRET = "T0SECRET1"
PATIENCE_S = 1.0


async def sent(
    report: Report,
    environment: dict[str, str] | None = None,
    *,
    patience_s: float = 10.0,
    is_local: Callable[[str], bool] = is_loopback,
) -> tuple[dict[str, Sent], list[float]]:
    """Send a parcel; return what became of it by channel, and how long was waited between tries."""
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await asyncio.sleep(0)

    outside = Outside(
        environment=environment or {}, sleep=sleep, patience_s=patience_s, is_local=is_local
    )
    told = await send_everywhere(a_parcel(), report, outside)
    assert SECRET not in repr(told)
    return {one.channel: one for one in told}, naps


def far(_: str) -> bool:
    """Take a server of this machine for a remote one, which no test can have."""
    return False


def to(port: int, **more: Any) -> Report:  # noqa: ANN401 - fields of every type
    """Return settings for a server of this machine."""
    address = {"smtp": f"smtp://127.0.0.1:{port}", **more}
    return Report(email_to=("ops@example.com",), email_from="vault@example.com", **address)


# --- Mail -----------------------------------------------------------------------------------------


async def test_a_mail_arrives_as_it_was_written() -> None:
    """By a server of this machine without TLS."""
    mailbox = Mailbox()
    async with receiving(mailbox) as port:
        told, _ = await sent(to(port))
    assert told == {"email": Sent(channel="email", outcome="sent", tries=1)}
    (mail,) = mailbox.mails
    assert mail["To"] == "ops@example.com"
    text, page = mail.iter_parts()
    assert text.get_content() == "ALARM: it burns\r\nand more\r\n"
    assert page.get_content() == "<p>é</p>\r\n"


async def test_a_password_is_told_to_the_server(tmp_path: Path) -> None:
    """Read from a credential, as systemd gives it."""
    (tmp_path / "smtp-password").write_text(SECRET)
    mailbox = Mailbox(login=True)
    async with receiving(mailbox) as port:
        told, _ = await sent(to(port, smtp_user="vault"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert told["email"].outcome == "sent"
    assert mailbox.secrets == [f"\0vault\0{SECRET}"]


@pytest.mark.parametrize(
    ("password", "login", "detail"),
    [("", True, "give it as SMTP_PASSWORD"), (SECRET, False, "offers no way to log in")],
)
async def test_what_a_login_lacks_is_said(password: str, login: bool, detail: str) -> None:  # noqa: FBT001 - a case
    """A password that nobody gave is another mistake than a server that wants none."""
    async with receiving(mailbox := Mailbox(login=login)) as port:
        told, _ = await sent(to(port, smtp_user="vault"), {SMTP_PASSWORD: password})
    assert (told["email"].outcome, told["email"].tries) == ("failed", 1)
    assert detail in told["email"].detail
    assert not mailbox.mails


@pytest.mark.parametrize("kind", ["smtps", "starttls"])
async def test_mail_leaves_by_tls_with_a_certificate_that_fits(tmp_path: Path, kind: str) -> None:
    """From the first byte on, or from STARTTLS on, and the password only then."""
    authority = Authority(tmp_path)
    server = authority.server("localhost")
    mailbox = Mailbox(login=True, starttls=server if kind == "starttls" else None)
    async with receiving(mailbox, tls=server if kind == "smtps" else None) as port:
        scheme = "smtps" if kind == "smtps" else "smtp"
        report = to(port, smtp=f"{scheme}://localhost:{port}", smtp_user="vault")
        secrets = {SMTP_PASSWORD: SECRET}
        told, _ = await sent(
            report, {"SSL_CERT_FILE": str(authority.file), **secrets}, is_local=far
        )
        in_tls = mailbox.in_tls
        unknown, _ = await sent(report, secrets, is_local=far)
    assert told["email"].outcome == "sent"
    assert in_tls == (kind == "starttls")
    assert mailbox.secrets == [f"\0vault\0{SECRET}"]
    assert "certificate does not fit" in unknown["email"].detail
    assert (unknown["email"].tries, len(mailbox.mails)) == (1, 1)


async def test_without_tls_nothing_leaves() -> None:
    """Unless it is said that it may; a password never does."""
    mailbox = Mailbox(login=True)
    async with receiving(mailbox) as port:
        told, _ = await sent(to(port), is_local=far)
        assert "the mail server offers no STARTTLS" in told["email"].detail
        assert not mailbox.mails
        plain = to(port, starttls=False, smtp_user="vault")
        told, _ = await sent(plain, {SMTP_PASSWORD: SECRET}, is_local=far)
        assert told["email"].detail == "a password is not sent without TLS: set starttls"
        assert not mailbox.secrets
        told, _ = await sent(to(port, starttls=False), is_local=far)
    assert told["email"].outcome == "sent"


@pytest.mark.parametrize(
    ("answers", "detail", "tries"),
    [
        ({"MAIL": "451 later"}, "the mail server answered 451", 3),
        ({"MAIL": f"550 no {SECRET}"}, "the mail server answered 550", 1),
        ({"RCPT": "550 nobody"}, "the mail server refused all addresses (550)", 1),
        ({"RCPT": "450 full"}, "the mail server refused all addresses (450)", 3),
        ({"AUTH": f"535 not {SECRET}"}, "the mail server did not accept user and password", 1),
        ({"DATA": "554 spam"}, "the mail server answered 554", 1),
        ({"EHLO": "what\r\n"}, "", 3),
    ],
)
async def test_a_server_that_refuses_is_told_of(
    answers: dict[str, str], detail: str, tries: int
) -> None:
    """What may pass is tried three times; what a server repeats is told to nobody."""
    mailbox = Mailbox(answers=answers, login=True)
    async with receiving(mailbox) as port:
        told, naps = await sent(
            to(port, smtp_user="vault"), {SMTP_PASSWORD: SECRET}, patience_s=PATIENCE_S
        )
    found = told["email"]
    assert (found.outcome, found.tries) == ("failed", tries)
    assert detail in found.detail
    assert naps == [1.0, 5.0][: tries - 1]


async def test_a_mail_that_went_to_some_is_not_said_to_be_unsent() -> None:
    """It is told to how many it went; nobody is named, and nobody gets it twice."""
    mailbox = Mailbox(refuses=("gone@example.com",))
    async with receiving(mailbox) as port:
        to_three = ("ops@example.com", "gone@example.com", "two@example.com")
        told, naps = await sent(msgspec.structs.replace(to(port), email_to=to_three))
    detail = "it went to 2 of 3 addresses; the mail server refused 1"
    assert told["email"] == Sent(channel="email", outcome="partly", detail=detail, tries=1)
    assert (len(mailbox.mails), naps) == (1, [])


async def test_a_server_that_does_not_say_goodbye_has_the_mail() -> None:
    """It is not sent once more for that."""
    mailbox = Mailbox(hangs="QUIT")
    async with receiving(mailbox) as port:
        told, _ = await sent(to(port))
    assert told["email"].outcome == "sent"
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("command", ["EHLO", "MAIL"])
async def test_a_server_that_hangs_holds_up_nobody(command: str) -> None:
    """Each try is bounded, and the thread that waits keeps no command from its end."""
    mailbox = Mailbox(hangs=command)
    async with receiving(mailbox) as port:
        told, _ = await sent(to(port), patience_s=0.2)
    assert told["email"].outcome == "failed"
    assert told["email"].tries == 3


async def test_no_server_is_told_of() -> None:
    """Nobody listens there."""
    async with receiving(Mailbox()) as port:
        pass
    told, _ = await sent(to(port))
    assert (told["email"].outcome, told["email"].tries) == ("failed", 3)
    assert "refused" in told["email"].detail


# --- Webhooks -------------------------------------------------------------------------------------


def answering(*codes: int, **headers: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer with these codes one after another, the last one again and again."""
    left = list(codes)

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        code = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=code, text=f"no {SECRET}", headers=headers)

    return answer


async def test_a_webhook_and_a_check_are_told() -> None:
    """The one as JSON that a chat shows, the other by its own path for a failure."""
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    async with serving(answer) as chat:
        hook = f"http://{chat.host}/services/{SECRET}"
        told, _ = await sent(Report(), {WEBHOOK_URL: hook})
        assert told == {"webhook": Sent(channel="webhook", outcome="sent", tries=1)}
        told, _ = await sent(Report(), {HEALTHCHECKS_URL: f"http://{chat.host}/ping/{SECRET}"})
        assert told == {"healthchecks": Sent(channel="healthchecks", outcome="sent", tries=1)}
    assert chat.paths == [f"/services/{SECRET}", f"/ping/{SECRET}/fail"]
    message = json.loads(bodies[0])
    assert message["blocks"][0]["text"]["text"] == "*ALARM: it burns*"
    assert chat.requests[0].headers["Content-Type"] == "application/json"
    assert bodies[1] == b"ALARM: it burns\nand more\n"


@pytest.mark.parametrize(
    ("codes", "outcome", "tries", "detail"),
    [
        ((500, 503, 200), "sent", 3, ""),
        ((429, 204), "sent", 2, ""),
        ((500,), "failed", 3, "it answered 500"),
        ((404,), "failed", 1, "it answered 404"),
        ((302,), "failed", 1, "it answered 302, a redirect, and we do not go"),
    ],
)
async def test_a_webhook_that_refuses_is_told_of(
    codes: tuple[int, ...], outcome: str, tries: int, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What may pass is tried three times; nobody follows it; its URL is told to nobody."""
    async with serving(answering(200)) as elsewhere:
        target = f"http://{elsewhere.host}/{SECRET}"
        async with serving(answering(*codes, Location=target)) as chat:
            told, _ = await sent(Report(), {WEBHOOK_URL: f"http://{chat.host}/{SECRET}"})
    found = told["webhook"]
    assert (outcome, tries, detail) == (found.outcome, found.tries, found.detail)
    assert len(chat.paths) == tries
    assert elsewhere.paths == []
    assert SECRET not in caplog.text


async def test_a_webhook_that_hangs_holds_up_nobody() -> None:
    """Nor does one that is not there, or whose name nobody knows; mail goes out beside them."""
    mailbox = Mailbox()
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with serving(hang) as chat, receiving(mailbox) as port:
        told, _ = await sent(
            to(port),
            {
                WEBHOOK_URL: f"http://{chat.host}/{SECRET}",
                HEALTHCHECKS_URL: f"https://{SECRET.lower()}.invalid/{SECRET}",
            },
            patience_s=1.0,
        )
        over.set()
    assert told["webhook"].detail == "no answer within 1 s"
    assert told["healthchecks"].outcome == "failed"
    assert told["email"].outcome == "sent"


async def test_a_secret_that_is_no_url_fails_its_own_channel() -> None:
    """The others are served all the same."""
    mailbox = Mailbox()
    async with receiving(mailbox) as port:
        told, _ = await sent(to(port), {WEBHOOK_URL: f"hooks.example/{SECRET}"})
    assert told["webhook"].detail == "REPORT_WEBHOOK_URL holds no URL that can be used"
    assert told["email"].outcome == "sent"


async def test_of_a_clean_day_only_a_check_is_told_where_that_is_wanted() -> None:
    """A check that hears nothing would raise an alarm."""
    async with serving(answering(200)) as server:
        environment = {
            WEBHOOK_URL: f"http://{server.host}/hook",
            HEALTHCHECKS_URL: f"http://{server.host}/check",
        }
        clean = msgspec.structs.replace(a_parcel(), is_problem=False, is_failure=False)
        outside = Outside(environment=environment)
        told = await send_everywhere(clean, Report(only_problems=True), outside)
    assert [(one.channel, one.outcome) for one in told] == [
        ("webhook", "left-out"),
        ("healthchecks", "sent"),
    ]
    assert server.paths == ["/check"]


async def test_certificates_that_cannot_be_read_end_nothing() -> None:
    """They are told of, and the report was made."""
    told, _ = await sent(
        Report(),
        {"SSL_CERT_FILE": "/nowhere.pem", WEBHOOK_URL: f"https://x.example/{SECRET}"},
    )
    assert told["all"].outcome == "failed"
    assert "/nowhere.pem" in told["all"].detail
