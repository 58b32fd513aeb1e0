"""Mail: written with the standard library, and sent by it in a thread."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from archive.hosts import is_loopback
from worker.morning.document import plain
from worker.sending.parcel import SendError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from worker.sending.parcel import Parcel
    from worker.sending.section import Report

_SUBJECT: Final = 180
_PORTS: Final = {"smtp": 25, "smtps": 465}
_PERMANENT: Final = 500
_PARTING_S: Final = 1.0
_JSON: Final = "json"
_NO_STARTTLS: Final = (
    "the mail server offers no STARTTLS: use a smtps:// address in [report] smtp, or set "
    "starttls = false if the way to it is safe"
)
_NO_LOGIN: Final = (
    "the mail server offers no way to log in here, such as AUTH PLAIN: leave smtp_user away if it "
    "wants none, or name its port for senders, often 587"
)
_UNGIVEN: Final = "[report] smtp_user is set, and no password: give it as SMTP_PASSWORD"


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """The server that mails leave by, and how it is spoken to. Never printed: it has a password."""

    section: Report
    password: str
    context: ssl.SSLContext
    host_name: str
    is_local: Callable[[str], bool] = is_loopback

    def __repr__(self) -> str:
        return "Post(***)"


def write_mail(parcel: Parcel, section: Report, *, host_name: str, now: datetime) -> EmailMessage:
    """Return a parcel as a mail; no text in it can become a header of its own."""
    sender = section.email_from or f"callvault@{host_name}"
    mail = EmailMessage()
    mail["Subject"] = plain(f"callvault: {parcel.headline}", _SUBJECT)
    mail["From"] = sender
    mail["To"] = ", ".join(section.email_to)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = make_msgid(domain=sender.partition("@")[2])
    # So that no holiday notice answers it (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(parcel.text)
    for one in parcel.attachments:
        if one.kind == _JSON:
            # JSON is no text: it is UTF-8, whatever a mail says of that (RFC 8259, 8.1 and 11).
            data = one.content.encode()
            mail.add_attachment(data, "application", one.kind, filename=one.name)
        else:
            mail.add_attachment(one.content, subtype=one.kind, filename=one.name)
    return mail


def send_mail(mail: EmailMessage, post: Post, *, timeout_s: float) -> None:
    """Hand a mail to the server; blocks, and each step for no longer than the time-out.

    Raises:
        SendError: it did not take it, or not for everybody.
    """
    try:
        server = _connected(post, timeout_s)
        try:
            if post.section.smtp_user:
                if not post.password:
                    raise SendError(_UNGIVEN, passing=False)
                server.login(post.section.smtp_user, post.password)
            refused = server.send_message(mail)
            _part(server)
        finally:
            server.close()
    except smtplib.SMTPException as error:
        raise _explained(error) from None
    except ssl.SSLCertVerificationError as error:
        detail = f"the mail server's certificate does not fit: {error.verify_message}"
        raise SendError(detail, passing=False) from None
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or type(error).__name__
        raise SendError(f"the mail server: {words}", passing=True) from None
    if refused:
        raise SendError(_some(len(refused), len(post.section.email_to)), passing=False, partly=True)


def _some(refused: int, all_of_them: int) -> str:
    went = all_of_them - refused
    noun = "address" if all_of_them == 1 else "addresses"
    return f"it went to {went} of {all_of_them} {noun}; the mail server refused {refused}"


def _part(server: smtplib.SMTP) -> None:
    """Take leave. The mail is with the server by now, whatever it makes of that."""
    with suppress(smtplib.SMTPException, OSError):
        if server.sock:
            server.sock.settimeout(_PARTING_S)
        server.quit()


def _connected(post: Post, timeout_s: float) -> smtplib.SMTP:
    section = post.section
    parts = urlsplit(section.smtp)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, post.host_name, timeout=timeout_s, context=post.context)
    local = post.is_local(host)
    if section.smtp_user and not section.starttls and not local:
        raise SendError("a password is not sent without TLS: set starttls", passing=False)
    server = smtplib.SMTP(host, port, post.host_name, timeout=timeout_s)
    try:
        if section.starttls and not local:
            server.starttls(context=post.context)
    except smtplib.SMTPNotSupportedError:
        server.close()
        raise SendError(_NO_STARTTLS, passing=False) from None
    except BaseException:
        server.close()
        raise
    return server


def _explained(error: smtplib.SMTPException) -> SendError:
    """Say what went wrong in words of ours: a server may repeat what it was given."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return SendError("the mail server did not accept user and password", passing=False)
        case smtplib.SMTPNotSupportedError():
            return SendError(_NO_LOGIN, passing=False)
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _ in error.recipients.values()]
            told = ", ".join(sorted({str(code) for code in codes}))
            passing = all(code < _PERMANENT for code in codes)
            return SendError(f"the mail server refused all addresses ({told})", passing=passing)
        case smtplib.SMTPResponseException():
            code = error.smtp_code
            return SendError(f"the mail server answered {code}", passing=code < _PERMANENT)
        case smtplib.SMTPServerDisconnected():
            return SendError("the mail server hung up", passing=True)
    return SendError(f"the mail server: {type(error).__name__}", passing=False)
