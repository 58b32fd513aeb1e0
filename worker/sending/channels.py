"""Sends a parcel by every channel that is configured; none of them can hold up or fail a run."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from archive.clock import system_clock
from archive.errors import CallvaultError, CredentialsError
from archive.hosts import is_loopback
from archive.outbound import open_session
from archive.tls import tls_context
from worker.logs import configure_logging
from worker.secrets import HEALTHCHECKS_URL, SMTP_PASSWORD, WEBHOOK_URL, secret_url, shared_secret
from worker.sending.hooks import chat_message, ping, ping_url, post_json
from worker.sending.mail import Post, send_mail, write_mail
from worker.sending.parcel import HEALTHCHECKS, MAIL, WEBHOOK, SendError, Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    import aiohttp

    from archive.clock import Clock
    from worker.sending.parcel import Parcel
    from worker.sending.section import Report
    from worker.settings import Settings

    Send = Callable[[Parcel], Awaitable[None]]

PATIENCE_S: Final = 20.0
"""How long one try on one channel may take."""
_PAUSES_S: Final = (1.0, 5.0)
"""Before the second try and the third."""
_HOOKS: Final = {WEBHOOK: WEBHOOK_URL, HEALTHCHECKS: HEALTHCHECKS_URL}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What sending needs of the world: secrets, time, and how long it may take.

    ``is_local`` tells of a mail server's name whether it is this machine, which needs no TLS.
    """

    environment: Mapping[str, str]
    clock: Clock = system_clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    patience_s: float = PATIENCE_S
    is_local: Callable[[str], bool] = is_loopback


def send_now(parcel: Parcel, settings: Settings, environment: Mapping[str, str]) -> list[Sent]:
    """Send a parcel at the end of a command, and return what became of it on each channel."""
    configure_logging(settings.log)
    outside = Outside(environment=environment)
    told = asyncio.run(send_everywhere(parcel, settings.report, outside))
    if not told:
        log.warning("nothing to send to", hint="see [report] in docs/settings.md")
    return told


async def send_everywhere(parcel: Parcel, section: Report, outside: Outside) -> list[Sent]:
    """Send a parcel by all channels at once, and return what became of it on each.

    Nothing is raised: what failed is logged, and told in the answer.
    """
    try:
        async with _channels(section, outside) as channels:
            told = await asyncio.gather(
                *(_sent(name, send, parcel, section, outside) for name, send in channels.items())
            )
    except CallvaultError as error:
        # Certificates that cannot be read are no reason to end either.
        told = [Sent(channel="all", outcome="failed", detail=error.message)]
    for one in told:
        if one.outcome in {"failed", "partly"}:
            what = "not sent" if one.outcome == "failed" else "sent to some only"
            log.warning(what, channel=one.channel, detail=one.detail, tries=one.tries)
        else:
            log.info("sent" if one.outcome == "sent" else "left out", channel=one.channel)
    return told


async def _sent(name: str, send: Send, parcel: Parcel, section: Report, outside: Outside) -> Sent:
    if section.only_problems and not parcel.is_problem and name != HEALTHCHECKS:
        return Sent(channel=name, outcome="left-out")
    tries = 0
    while True:
        tries += 1
        try:
            async with asyncio.timeout(outside.patience_s):
                await send(parcel)
        except (SendError, TimeoutError) as error:
            if isinstance(error, SendError) and error.partly:
                return Sent(channel=name, outcome="partly", detail=error.detail, tries=tries)
            passing = not isinstance(error, SendError) or error.passing
            if not passing or tries > len(_PAUSES_S):
                detail = str(error) or f"no answer within {outside.patience_s:g} s"
                return Sent(channel=name, outcome="failed", detail=detail, tries=tries)
            await outside.sleep(_PAUSES_S[tries - 1])
        else:
            return Sent(channel=name, outcome="sent", tries=tries)


@asynccontextmanager
async def _channels(section: Report, outside: Outside) -> AsyncIterator[dict[str, Send]]:
    """Open what is configured. A secret that cannot be one makes a channel that says so.

    Raises:
        SettingsError: a variable names a proxy or certificates that cannot be used.
    """
    urls: dict[str, str] = {}
    channels: dict[str, Send] = {}
    for name, variable in _HOOKS.items():
        try:
            urls[name] = secret_url(variable, outside.environment)
        except CredentialsError as error:
            channels[name] = _broken(error)
    if section.email_to:
        try:
            channels[MAIL] = _mail(section, outside)
        except CredentialsError as error:
            channels[MAIL] = _broken(error)
    async with open_session(
        accounts=(),
        named=[url for url in urls.values() if url],
        environment=outside.environment,
        connections=len(_HOOKS),
    ) as session:
        if url := urls.get(WEBHOOK):
            channels[WEBHOOK] = _webhook(session, url, outside)
        if url := urls.get(HEALTHCHECKS):
            channels[HEALTHCHECKS] = _checks(session, url, outside)
        yield channels


def _broken(error: CredentialsError) -> Send:
    async def send(_: Parcel) -> None:
        raise SendError(error.message, passing=False)

    return send


def _mail(section: Report, outside: Outside) -> Send:
    post = Post(
        section=section,
        password=shared_secret(SMTP_PASSWORD, outside.environment),
        context=tls_context(outside.environment),
        host_name=socket.gethostname(),
        is_local=outside.is_local,
    )

    async def send(parcel: Parcel) -> None:
        mail = write_mail(parcel, section, host_name=post.host_name, now=outside.clock())
        await _in_thread(lambda: send_mail(mail, post, timeout_s=outside.patience_s))

    return send


def _webhook(session: aiohttp.ClientSession, url: str, outside: Outside) -> Send:
    async def send(parcel: Parcel) -> None:
        await post_json(session, url, chat_message(parcel), patience_s=outside.patience_s)

    return send


def _checks(session: aiohttp.ClientSession, url: str, outside: Outside) -> Send:
    async def send(parcel: Parcel) -> None:
        target = ping_url(url, is_failure=parcel.is_failure)
        await ping(session, target, parcel.text, patience_s=outside.patience_s)

    return send


async def _in_thread(work: Callable[[], None]) -> None:
    """Run what blocks in a thread that keeps nobody: the command may end before it.

    Those of the event loop's own executor are waited for at its end, however long they hang.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        caught: BaseException | None = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            caught = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, caught)

    threading.Thread(target=run, daemon=True, name="mail").start()
    await done
