"""How each symptom is brought about: by faults of the stand-in, or by what lies in the way."""

from __future__ import annotations

import errno
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.store import Store
from archive.verdicts import Symptom
from tests.integration.relay import Relay, relaying
from tests.integration.working import called

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    from archive.store import Pending, Place
    from tests.integration.authority import Authority
    from tests.integration.working import Worker
    from tests.provider import Provider

_MINUTES: Final = timedelta(minutes=1)
_HISTORY_AND_MORE: Final = timedelta(days=200)


class Scene(msgspec.Struct):
    """What a trouble is made in: the stand-in, a worker that is not open yet, the way to it."""

    provider: Provider
    worker: Worker
    calls: list[dict[str, Any]]
    spare: dict[str, Any]
    authority: Authority
    stack: AsyncExitStack

    async def relay(self, *, tls: ssl.SSLContext | None = None) -> Relay:
        """Put a relay in front of the API."""
        upstream = self.provider.api_base.removeprefix("http://")
        relay = await self.stack.enter_async_context(relaying(upstream, tls=tls))
        self.worker.account["api_base"] = f"http://{relay.host}"
        return relay


async def _nothing(_: Scene) -> None:
    """Leave everything as it is."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """One way to a symptom.

    ``faults`` are rules for the stand-in; the calls' Sids are put into them. ``before`` happens
    while the worker is not open yet, ``meanwhile`` when it is, ``mend`` takes it all away again;
    ``reopens`` tells whether that takes a new start. ``age`` is the calls' by the worker's clock.
    ``asked_s`` is what the provider asks for in Retry-After, ``kept`` the reason of what goes to
    the quarantine.
    """

    symptom: Symptom
    name: str
    faults: tuple[dict[str, Any], ...] = ()
    calls: int = 1
    before: Callable[[Scene], Awaitable[None]] = _nothing
    meanwhile: Callable[[Scene], Awaitable[None]] = _nothing
    mend: Callable[[Scene], Awaitable[None]] = _nothing
    reopens: bool = False
    age: timedelta | None = None
    asked_s: int | None = None
    kept: str = ""
    presigned: bool = False

    def __str__(self) -> str:
        return f"{self.symptom}: {self.name}"


def _by(symptom: Symptom, where: str, *kinds: str, **more: Any) -> list[Trouble]:  # noqa: ANN401 - a trouble's own
    """Return a trouble for each kind of fault."""
    return [
        Trouble(symptom=symptom, name=kind, faults=({"kind": kind, "where": where},), **more)
        for kind in kinds
    ]


def _variants(kind: str, *variants: str) -> list[Trouble]:
    return [
        Trouble(
            symptom=Symptom.API_NONSENSE,
            name=f"{kind} {variant}",
            faults=({"kind": kind, "where": "api", "parameters": {"variant": variant}},),
        )
        for variant in variants
    ]


# --- What lies between ----------------------------------------------------------------------------


async def _api_by_name(scene: Scene) -> None:
    port = scene.provider.api_base.rpartition(":")[2]
    scene.worker.account["api_base"] = f"http://localhost:{port}"


async def _api_of_no_name(scene: Scene) -> None:
    await _api_by_name(scene)
    scene.worker.names.addresses.clear()


async def _api_of_private_address(scene: Scene) -> None:
    await _api_by_name(scene)
    scene.worker.names.addresses["localhost"] = "10.0.0.1"


async def _names_are_right(scene: Scene) -> None:
    scene.worker.names.addresses["localhost"] = "127.0.0.1"


async def _api_with_tls(scene: Scene) -> None:
    relay = await scene.relay(tls=scene.authority.server("localhost"))
    scene.worker.account["api_base"] = f"https://localhost:{relay.port}"


async def _authority_is_believed(scene: Scene) -> None:
    scene.worker.environment["SSL_CERT_FILE"] = str(scene.authority.file)


async def _recordings_by_name(scene: Scene) -> None:
    relay = await scene.relay()
    host = str(scene.provider.ready["recording_host"])
    named = f"localhost:{host.rpartition(':')[2]}"
    relay.instead[host] = named
    scene.worker.account["recording_hosts"] = [named]


async def _recordings_of_no_name(scene: Scene) -> None:
    await _recordings_by_name(scene)
    scene.worker.names.addresses.clear()


async def _recordings_of_private_address(scene: Scene) -> None:
    await _recordings_by_name(scene)
    scene.worker.names.addresses["localhost"] = "10.0.0.1"


async def _recordings_with_tls(scene: Scene) -> None:
    api = await scene.relay()
    host = str(scene.provider.ready["recording_host"])
    tls = scene.authority.server("localhost")
    hosts = await scene.stack.enter_async_context(relaying(host, tls=tls))
    api.instead[f"http://{host}"] = f"https://localhost:{hosts.port}"
    scene.worker.account["recording_hosts"] = [f"localhost:{hosts.port}"]


def _elsewhere(url: str) -> Trouble:
    """Return a trouble in which the API says that recordings are somewhere else."""

    async def begin(scene: Scene) -> None:
        relay = await scene.relay()
        relay.instead[f"http://{scene.provider.ready['recording_host']}"] = url

    return Trouble(
        symptom=Symptom.URL_UNTRUSTED, name=url, before=begin, mend=_directly, reopens=True
    )


async def _directly(scene: Scene) -> None:
    scene.worker.account["api_base"] = scene.provider.api_base


async def _nobody_listens(scene: Scene) -> None:
    scene.worker.account["api_base"] = "http://127.0.0.1:9"


# --- Patience -------------------------------------------------------------------------------------


def _hurried(symptom: Symptom, where: str, kind: str, **seconds: float) -> Trouble:
    """Return a trouble that shows once a worker of little patience has waited."""

    async def begin(scene: Scene) -> None:
        scene.worker.hurry(**seconds)

    async def mend(scene: Scene) -> None:
        scene.worker.forget_short_patience()

    rule = {"kind": kind, "where": where, "parameters": {"hold": 20}}
    return Trouble(
        symptom=symptom, name=kind, faults=(rule,), before=begin, mend=mend, reopens=True
    )


async def _small_bound(scene: Scene) -> None:
    scene.worker.bounds = msgspec.structs.replace(scene.worker.bounds, largest=100)


async def _usual_bound(scene: Scene) -> None:
    scene.worker.forget_short_patience()


async def _host_is_known(scene: Scene) -> None:
    """Archive another call's recording: the host's ETags are then known for checksums."""
    await scene.worker.take_in(called(scene.spare))
    await scene.worker.run(scene.spare["sid"])


# --- The disk, and ourselves ----------------------------------------------------------------------


class Full(Store):
    """A store whose disk has no room left for what is written."""

    def _flush(self, pending: Pending) -> None:
        del pending
        raise OSError(errno.ENOSPC, "No space left on device")


class Faulty(Store):
    """A store with a fault of callvault's own."""

    def quarantine(self, place: Place, body: bytes | Path, reason: str) -> None:
        """Fail."""
        del place, body, reason
        raise ZeroDivisionError


def _with_store(store: type[Store], **more: Any) -> Trouble:  # noqa: ANN401 - a trouble's own
    async def begin(scene: Scene) -> None:
        scene.worker.store = store

    async def mend(scene: Scene) -> None:
        scene.worker.store = Store

    return Trouble(name=store.__name__, before=begin, mend=mend, reopens=True, **more)


async def _wants_more_room(scene: Scene) -> None:
    scene.worker.keep_free(2**62)


async def _wants_no_room(scene: Scene) -> None:
    scene.worker.keep_free(0)


async def _file_for_a_folder(scene: Scene) -> None:
    (scene.worker.root / "main").write_text("in the way")


async def _no_file_for_a_folder(scene: Scene) -> None:
    (scene.worker.root / "main").unlink()


async def _root_is_gone(scene: Scene) -> None:
    scene.worker.root.rename(scene.worker.root.with_name("elsewhere"))


async def _root_is_back(scene: Scene) -> None:
    scene.worker.root.with_name("elsewhere").rename(scene.worker.root)


# --- Time -----------------------------------------------------------------------------------------


async def _much_later(scene: Scene) -> None:
    scene.worker.now += _HISTORY_AND_MORE


async def _as_it_was(scene: Scene) -> None:
    scene.worker.now = datetime.fromisoformat(scene.calls[0]["ended_at"]) + timedelta(days=2)


_UNKNOWN: Final = (
    {"kind": "leave-out", "where": "listing"},
    {"kind": "not-found", "where": "call"},
)
_DEAD: Final = ({"kind": "dead-url", "where": "api", "parameters": {"rows": 1}},)

TROUBLES: Final[list[Trouble]] = [
    *_by(Symptom.API_UNREACHABLE, "api", "outage", "reset-mid", "truncated"),
    Trouble(
        symptom=Symptom.API_UNREACHABLE,
        name="nobody listens",
        before=_nobody_listens,
        mend=_directly,
        reopens=True,
    ),
    Trouble(symptom=Symptom.API_DNS, name="no name", before=_api_of_no_name, mend=_names_are_right),
    Trouble(
        symptom=Symptom.API_TLS,
        name="unknown authority",
        before=_api_with_tls,
        mend=_authority_is_believed,
        reopens=True,
    ),
    Trouble(
        symptom=Symptom.API_FORBIDDEN_ADDRESS,
        name="private address",
        before=_api_of_private_address,
        mend=_names_are_right,
    ),
    _hurried(Symptom.API_TIMEOUT, "api", "stall", api=0.3),
    _hurried(Symptom.API_TIMEOUT, "api", "drip", api=0.3),
    *_by(Symptom.API_SERVER_ERROR, "api", "error-500", "error-502", "error-503", "error-504"),
    *_by(Symptom.API_TOO_MANY, "api", "too-many-bare"),
    Trouble(
        symptom=Symptom.API_TOO_MANY,
        name="with Retry-After",
        faults=({"kind": "too-many", "where": "api", "parameters": {"retry_after": 7}},),
        asked_s=7,
    ),
    *_by(Symptom.API_NONSENSE, "api", "html", "xml", "empty", "cut", "oversized", "gzip-bomb"),
    *_by(Symptom.API_NONSENSE, "api", "redirect"),
    *_variants("json-types", "list", "text", "null", "calls", "sid-number"),
    *_variants("json-fields", "empty", "no-calls", "no-sid"),
    *_by(Symptom.API_UNAUTHORISED, "api", "unauthorised"),
    *_by(Symptom.API_UNAUTHORISED, "listing", "not-found"),
    *_by(Symptom.API_PAYMENT, "api", "payment"),
    *_by(Symptom.API_FORBIDDEN, "api", "kyc", "bad-ip"),
    *_by(Symptom.API_REFUSED, "api", "bad-request"),
    *_by(Symptom.API_REFUSES_ALL, "api", "bad-request", calls=6),
    Trouble(symptom=Symptom.CALL_UNKNOWN, name="neither endpoint has it", faults=_UNKNOWN),
    Trouble(
        symptom=Symptom.CALL_OUT_OF_HISTORY,
        name="months later",
        faults=_UNKNOWN,
        before=_much_later,
        mend=_as_it_was,
    ),
    _elsewhere("https://recordings.exotel.com.example.org"),
    _elsewhere("http://recordings.exotel.com"),
    _elsewhere("https://user@recordings.exotel.com"),
    *_by(Symptom.FETCH_UNREACHABLE, "hosts", "outage", "reset"),
    Trouble(
        symptom=Symptom.FETCH_DNS,
        name="no name",
        before=_recordings_of_no_name,
        mend=_names_are_right,
    ),
    Trouble(
        symptom=Symptom.FETCH_TLS,
        name="unknown authority",
        before=_recordings_with_tls,
        mend=_authority_is_believed,
        reopens=True,
    ),
    Trouble(
        symptom=Symptom.FETCH_FORBIDDEN_ADDRESS,
        name="private address",
        before=_recordings_of_private_address,
        mend=_names_are_right,
    ),
    _hurried(Symptom.FETCH_TIMEOUT, "hosts", "stall", stall=0.2),
    _hurried(Symptom.FETCH_SLOW, "hosts", "drip", pace=0.2),
    *_by(Symptom.FETCH_SERVER_ERROR, "hosts", "error-500", "error-502", "error-503", "error-504"),
    *_by(Symptom.FETCH_TOO_MANY, "hosts", "too-many-bare"),
    Trouble(
        symptom=Symptom.FETCH_TOO_MANY,
        name="with Retry-After",
        faults=({"kind": "too-many", "where": "hosts", "parameters": {"retry_after": 1200}},),
        asked_s=1200,
    ),
    *_by(Symptom.FETCH_REFUSED, "hosts", "bad-request", "unauthorised", "forbidden"),
    *_by(Symptom.FETCH_EXPIRED, "hosts", "expired"),
    Trouble(symptom=Symptom.FETCH_EXPIRED, name="dead-url", faults=_DEAD, presigned=True),
    *_by(Symptom.FETCH_HOST_DOWN, "hosts", "outage", "error-503", calls=12),
    *_by(Symptom.FETCH_REFUSES_ALL, "hosts", "forbidden", "expired", calls=12),
    *_by(Symptom.FETCH_BAD_ADDRESS, "hosts", "bad-ip"),
    *_by(Symptom.FETCH_NOT_YET, "hosts", "not-found", "gone", age=5 * _MINUTES),
    *_by(Symptom.FETCH_GONE, "hosts", "not-found", "gone"),
    *_by(Symptom.FETCH_REDIRECT, "hosts", "redirect", "redirect-other"),
    *_by(Symptom.FETCH_ODD_STATUS, "hosts", "range"),
    *_by(Symptom.BODY_SHORT, "hosts", "truncated", "reset-mid"),
    *_by(Symptom.BODY_DIGEST, "hosts", "wrong-md5", "flipped"),
    *_by(Symptom.BODY_DIGEST, "hosts", "wrong-etag", "longer-chunked", meanwhile=_host_is_known),
    Trouble(
        symptom=Symptom.BODY_ENDLESS,
        name="more than the bound",
        before=_small_bound,
        mend=_usual_bound,
        reopens=True,
    ),
    *_by(Symptom.BODY_EMPTY, "hosts", "empty"),
    *_by(Symptom.BODY_NOT_AUDIO, "hosts", "html", kept="html"),
    *_by(Symptom.BODY_NOT_AUDIO, "hosts", "xml", kept="xml"),
    *_by(Symptom.BODY_NOT_AUDIO, "hosts", "json", kept="json"),
    *_by(Symptom.BODY_NOT_AUDIO, "hosts", "gzip-bomb", kept="unknown"),
    Trouble(
        symptom=Symptom.DISK_FULL,
        name="min_free",
        meanwhile=_wants_more_room,
        mend=_wants_no_room,
    ),
    _with_store(Full, symptom=Symptom.DISK_FULL),
    Trouble(
        symptom=Symptom.DISK_REFUSES,
        name="a file in a folder's place",
        meanwhile=_file_for_a_folder,
        mend=_no_file_for_a_folder,
    ),
    Trouble(
        symptom=Symptom.DISK_REFUSES,
        name="the root is gone",
        meanwhile=_root_is_gone,
        mend=_root_is_back,
    ),
    _with_store(
        Faulty,
        symptom=Symptom.INTERNAL_ERROR,
        faults=({"kind": "html", "where": "hosts"},),
    ),
]
"""At least one for each symptom: `test_symptoms` holds them against the table."""
