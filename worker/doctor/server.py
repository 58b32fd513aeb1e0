"""Checks of the server: systemd's units, and whether callbacks reach us."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from archive.hosts import is_loopback
from archive.proxies import proxy_for
from archive.tls import tls_context
from worker.doctor.asking import failure_of
from worker.doctor.check import Check, Found, Group, failed, passed, skipped, warned
from worker.secrets import webhook_secret_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.doctor.world import World

_PATIENCE: Final = aiohttp.ClientTimeout(total=8, sock_connect=5)
_SHOWN: Final = ("Id", "ActiveState", "Result", "UnitFileState")
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what the settings may say
_HOOK: Final = "/hook/"


class Unit(msgspec.Struct, frozen=True):
    """A unit as systemd has it, and the result of its last run."""

    name: str
    active: str
    result: str
    enabled: str


def checks(world: World) -> Iterator[Check]:
    """Return the checks of the server."""
    make = partial(Check, group=Group.SERVER)
    yield make(name="units", look=partial(_units, world))
    yield make(name="webhook", look=partial(_webhook, world), needs=frozenset({"web"}))
    if world.webhook_url is not None:
        yield make(name="webhook-url", look=partial(_public, world), online=True)


async def _units(world: World) -> Found:
    systemctl = shutil.which("systemctl", path=world.environment.get("PATH"))
    if systemctl is None or not world.systemd.is_dir():
        return skipped("systemd does not run here")
    listed = await _run(systemctl, "list-unit-files", "--no-legend", "--plain", "callvault*")
    # A unit that is a template has no state of its own.
    names = [line.split()[0] for line in listed.splitlines() if line.strip() and "@" not in line]
    if not names:
        return skipped("no unit of callvault is installed: callvault systemd install")
    shown = await _run(systemctl, "show", f"--property={','.join(_SHOWN)}", *names)
    return judge_units(read_units(shown))


async def _run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    return out.decode(errors="replace")


def read_units(shown: str) -> list[Unit]:
    """Read what ``systemctl show`` says: a block of ``Name=value`` lines for each unit."""
    units = []
    for block in shown.split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if told.get("Id"):
            units.append(
                Unit(
                    told["Id"],
                    told.get("ActiveState", ""),
                    told.get("Result", ""),
                    told.get("UnitFileState", ""),
                )
            )
    return units


def judge_units(units: Sequence[Unit]) -> Found:
    """Tell whether what is enabled runs, and whether the last runs ended well."""
    broken = [one for one in units if one.active == "failed" or one.result not in {"", "success"}]
    if broken:
        said = ", ".join(f"{one.name} ({one.result or one.active})" for one in broken)
        return failed(f"did not end well: {said}", f"journalctl -u {broken[0].name} -e")
    idle = [one.name for one in units if one.enabled == "enabled" and one.active == "inactive"]
    if idle:
        return failed(f"enabled, but not running: {', '.join(idle)}", f"systemctl start {idle[0]}")
    running = [one.name for one in units if one.active in {"active", "activating", "reloading"}]
    if not running:
        return warned(
            f"{len(units)} units are installed and none is active",
            "systemctl enable --now callvault-worker.service",
        )
    return passed(f"active: {', '.join(running)}")


async def _webhook(world: World) -> Found:
    accounts = world.settings.accounts.values()
    only = world.only_account
    if not any(webhook_secret_for(a, world.environment, only_account=only) for a in accounts):
        return skipped("no account has a secret for callbacks")
    web = world.settings.web
    if web.port == 0:
        return skipped("[web] port is 0, any that is free")
    host = _ANY.get(web.host, web.host)
    place = f"[{host}]:{web.port}" if ":" in host else f"{host}:{web.port}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        return judge_local(place, *await _status(session, f"http://{place}/healthz"))


async def _status(
    session: aiohttp.ClientSession, url: str, proxy: str | None = None
) -> tuple[int, str]:
    """Return the status of an answer, or 0 and what kept it from coming."""
    try:
        async with session.get(
            url, timeout=_PATIENCE, allow_redirects=False, proxy=proxy
        ) as response:
            return response.status, ""
    except TimeoutError:
        return 0, f"no answer within {_PATIENCE.total:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return 0, failure_of(error)[1]


def judge_local(place: str, status: int, words: str) -> Found:
    """Tell whether callbacks are received on this machine."""
    if status == HTTPStatus.OK:
        return passed(f"callbacks are received on {place}")
    said = words or f"it answers {status}"
    return failed(
        f"there is a secret for callbacks, but nobody receives them on {place}: {said}",
        "systemctl start callvault-web.service, or callvault web",
    )


async def _public(world: World) -> Found:
    url = address_of(world.webhook_url or "", [one.name for one in world.accounts])
    if url is None:
        return failed(
            "--webhook-url is no address to be asked",
            "give https://HOST or https://HOST/hook/ACCOUNT, without the secret in it",
        )
    connector = aiohttp.TCPConnector(ssl=tls_context(world.environment))
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        proxy = proxy_for(url, world.environment)
        return judge_public(urlsplit(url).netloc, *await _status(session, url, proxy))


def address_of(text: str, accounts: Sequence[str]) -> str | None:
    """Return the address of an account's hook, without a secret in it; None where it is none.

    The secret is never sent: an answer of 401 shows as well that the request came to us.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    local = is_loopback(parts.hostname or "")
    if not parts.hostname or "@" in parts.netloc or parts.query or not text.isprintable():
        return None
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        return None
    before, hook, named = parts.path.partition(_HOOK)
    account = named.partition("/")[0] or next(iter(accounts), "")
    folder = before if hook else parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{folder}{_HOOK}{account}"


def judge_public(host: str, status: int, words: str) -> Found:
    """Tell whether a callback sent to the public address comes to us."""
    if status == HTTPStatus.UNAUTHORIZED:
        return passed(f"{host} is ours: it asks for the secret")
    if status == HTTPStatus.FORBIDDEN:
        return warned(
            f"{host} refuses this machine's address (403)",
            "that may be [web] allow, or the proxy's own list: ask from elsewhere",
        )
    if status == 0:
        return failed(
            f"{host} cannot be reached: {words}",
            "check its DNS, port and certificate, and the proxy before callvault web",
        )
    return failed(
        f"{host} answers {status}, where callvault answers 401 to who shows no secret",
        "see that the proxy hands /hook/ on to [web] host and port: docs/how-to/webhook.md",
    )
