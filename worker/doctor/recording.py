"""The check that fetches a real recording, from the question to the provider to its SHA-256."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from archive.api import Api, ApiTroubleError
from archive.audio import NotAudioError, look_at_head
from archive.body import Bounds, FetchTroubleError
from archive.call import is_sid
from archive.catalog import examine
from archive.catalog.examine import Known, LongReadError, looking_at
from archive.fetch import Fetcher
from archive.frames import sample
from archive.hosts import object_name
from archive.provider_time import end_of
from archive.reasons import meaning_of
from archive.verdicts import Symptom
from archive.windows import Window
from jobs.targets import url_of
from worker.build import open_session
from worker.doctor.asking import Freely
from worker.doctor.catalog import READ_S, usable
from worker.doctor.check import Check, Found, Group, aside, failed, passed, skipped, warned
from worker.doctor.provider import with_key
from worker.secrets import credentials_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archive.accounts import Account
    from archive.wire import CallAnswer
    from worker.doctor.world import World

_TRIED: Final = 3
"""Archived calls that are asked for, until the provider still has the recording of one."""
_LARGEST: Final = 64 * 2**20
_BOUNDS: Final = Bounds(
    largest=_LARGEST,
    connect=timedelta(seconds=8),
    stall=timedelta(seconds=8),
    rests=(timedelta(0),),
)
_PATIENCE: Final = timedelta(seconds=8)
_DAY: Final = timedelta(days=1)
_HERE: Final[dict[str, str]] = {
    Symptom.BODY_NOT_AUDIO: "see whether a proxy or a portal is in between. This check keeps "
    "nothing: what comes to workers in a recording's place lies in .quarantine"
}
"""What is another thing to do than where workers met it."""
_GONE: Final = frozenset({Symptom.CALL_UNKNOWN, Symptom.FETCH_GONE})


class Got(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one recording. ``expected`` is its SHA-256 in the catalog, '' where none is.

    ``symptom`` and ``detail`` tell what kept it from coming; ``kind`` is what the bytes are.
    """

    sid: str
    symptom: str = ""
    detail: str = ""
    sha256: str = ""
    expected: str = ""
    kind: str = ""
    bytes: int = 0


def checks(world: World) -> Iterator[Check]:
    """Return the check, for each account."""
    for account in world.accounts:

        async def recording(account: Account = account) -> Found:
            return await _look(world, account)

        yield Check(
            name="recording",
            group=Group.RECORDINGS,
            look=with_key(world, account, recording),
            account=account.name,
            needs=frozenset({"catalog"}),
            online=True,
            limit_s=25,
        )


async def _look(world: World, account: Account) -> Found:
    if world.call is not None and not is_sid(world.call):
        return failed("what --call names is no Sid", "give the call's Sid as the provider has it")
    known = await aside(lambda: _known(world, account))
    credentials = credentials_for(account, world.environment, only_account=world.only_account)
    async with open_session(
        world.settings, world.environment, connections=2, effects=world.effects
    ) as session:
        api = Api(
            session=session,
            account=account,
            credentials=credentials,
            limiter=Freely(),
            clock=world.effects.clock,
            patience=_PATIENCE,
        )
        fetcher = Fetcher(
            session=session,
            account=account,
            credentials=credentials,
            window=world.settings.readiness.window,
            bounds=_BOUNDS,
        )
        try:
            return judge_recording(await _get(world, api, fetcher, known))
        except ApiTroubleError as trouble:
            return failed(
                f"the provider cannot be asked for a call: {trouble.detail}",
                meaning_of(trouble.symptom).remedy or "see the checks of the provider",
            )


def _known(world: World, account: Account) -> list[Known]:
    """Return archived recordings to compare with, the newest first; none is no trouble. Blocks."""
    if usable(world):
        return []
    with (
        suppress(LongReadError),
        looking_at(world.settings.catalog.url, within_s=READ_S) as tx,
    ):
        return examine.newest(tx, account.name, sid=world.call, largest=_LARGEST, most=_TRIED)
    return []


async def _get(world: World, api: Api, fetcher: Fetcher, known: list[Known]) -> Got | None:
    """Fetch one recording, of an archived call if the provider still has one; None: there is none.

    Raises:
        ApiTroubleError: the provider cannot be asked.
    """
    wanted = list(dict.fromkeys([world.call] if world.call else [one.sid for one in known]))
    last: Got | None = None
    for sid in wanted:
        try:
            answer = await api.call(sid)
        except ApiTroubleError as trouble:
            if trouble.symptom is not Symptom.CALL_UNKNOWN:
                raise
            last = Got(sid=sid, symptom=trouble.symptom, detail=trouble.detail)
            continue
        if not url_of(answer):
            last = Got(sid=sid, symptom="no-recording-yet")
            continue
        last = await _fetch(world, fetcher, answer, _expected(known, answer))
        if last.symptom not in _GONE:
            return last
    if world.call is not None:
        return last
    listed = await _listed(world, api)
    return last if listed is None else await _fetch(world, fetcher, listed, "")


def _expected(known: list[Known], answer: CallAnswer) -> str:
    name = object_name(answer.recording_url or url_of(answer))
    mine = (one for one in known if one.sid == answer.facts.sid and one.object_name == name)
    return next((one.sha256 for one in mine), "")


async def _listed(world: World, api: Api) -> CallAnswer | None:
    """Return a call of the last day that has a recording, by one request; the oldest one."""
    now = world.effects.clock()
    async with aclosing(api.listing(Window(now - _DAY, now))) as pages:  # type: ignore[type-var]  # an async generator, though it is typed by its protocol
        async for page in pages:
            return next((call for call in page.calls if url_of(call)), None)
    return None


async def _fetch(world: World, fetcher: Fetcher, answer: CallAnswer, expected: str) -> Got:
    """Fetch a recording as the workers do, into a folder that is removed again."""
    facts = answer.facts
    ended = end_of(facts.began_at, facts.ended_at, facts.duration_s)
    age = None if ended is None else world.effects.clock() - ended
    with tempfile.TemporaryDirectory(prefix="callvault-doctor-") as folder:
        try:
            fetched = await fetcher.fetch(url_of(answer), Path(folder) / "part", age=age)
            head = look_at_head(fetched.head, fetched.size)
            source = fetched.part or fetched.body or b""
            audio = await asyncio.to_thread(sample, head, source)
        except FetchTroubleError as trouble:
            return Got(sid=facts.sid, symptom=trouble.symptom, detail=trouble.detail)
        except NotAudioError as error:
            return Got(sid=facts.sid, symptom=Symptom.BODY_NOT_AUDIO, detail=error.reason)
    return Got(
        sid=facts.sid,
        sha256=fetched.sha256,
        expected=expected,
        kind=f"{audio.damage or ''} {audio.kind}".strip(),
        bytes=fetched.size,
    )


def judge_recording(got: Got | None) -> Found:
    """Tell whether recordings can be had: asked for, fetched, looked at, and compared."""
    if got is None:
        return skipped("the provider lists no call with a recording in the last day")
    if got.symptom:
        return _judge_setback(got)
    size = f"{got.bytes:,} bytes, {got.kind}"
    if not got.expected:
        return passed(f"the recording of {got.sid} was fetched and looked at: {size}")
    if got.sha256 != got.expected:
        return failed(
            f"the recording of {got.sid} has other bytes with the provider than in the catalog",
            "see whether the archive's own file is sound: callvault verify",
        )
    return passed(f"the recording of {got.sid} was fetched; its SHA-256 is the archive's: {size}")


def _judge_setback(got: Got) -> Found:
    if got.symptom == Symptom.BODY_ENDLESS:
        return skipped(f"the recording of {got.sid} is larger than {_LARGEST // 2**20} MiB")
    meaning = meaning_of(got.symptom)
    words = f" ({got.detail})" if got.detail else ""
    said = f"the recording of {got.sid} did not come: {meaning.words}{words}"
    again = f"try it again, or another: callvault explain {got.sid}"
    do = _HERE.get(got.symptom, meaning.remedy) or again
    # One recording that is no longer there, or not yet, says nothing of the others.
    passing = got.symptom in {*_GONE, "no-recording-yet", Symptom.FETCH_NOT_YET}
    return warned(said, do) if passing else failed(said, do)
