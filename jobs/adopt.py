"""Taking recordings in that were downloaded by other means, as a batch of its own kind.

Each file is given a part's name, looked at and hashed there; its call is leased as a batch leases
it; then it goes through the store's order of publishing. Whatever ends this early, nothing is
false.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import shutil
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.audio import AudioFacts, NotAudioError, look_at_head
from archive.call import State
from archive.catalog import adopt as rows
from archive.catalog import processes, work
from archive.durations import flag_of
from archive.errors import StoreError
from archive.evidence import HEAD
from archive.flags import NOT_AUDIO as NO_AUDIO
from archive.frames import walk
from archive.names import possible_sids, the_sid
from archive.regular import open_regular
from archive.store import Pending, Place, is_full
from archive.timings import HEARTBEAT_S
from jobs.adoptable import files_below, may_be_recording
from jobs.rescue import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from archive.accounts import Account
    from archive.catalog.adopt import Standing
    from archive.catalog.processes import Beat
    from archive.catalog.writer import Catalog
    from archive.clock import Clock
    from archive.proof import Proof
    from archive.store import Store

_CHUNK: Final = 64
_ADOPTABLE: Final = frozenset({State.EXPECTED, State.FAILED, State.ABSENT, State.LOST})

ADOPTED: Final = "adopted"
ALREADY: Final = "already"
UNKNOWN: Final = "unknown"
AMBIGUOUS: Final = "ambiguous"
BUSY: Final = "busy"
DIFFERS: Final = "differs"
NOT_AUDIO: Final = "not-audio"
DAMAGED: Final = "damaged"
LEFT_OUT: Final = "left-out"
UNREADABLE: Final = "unreadable"
OUTCOMES: Final = (
    ADOPTED,
    ALREADY,
    UNKNOWN,
    AMBIGUOUS,
    BUSY,
    DIFFERS,
    NOT_AUDIO,
    DAMAGED,
    LEFT_OUT,
    UNREADABLE,
)


class Adopted(msgspec.Struct, kw_only=True):
    """What came of the files: how many, by outcome, and the bytes of those that were taken in.

    ``passed_over`` is how many other files there were, symbolic links included.
    """

    files: int = 0
    passed_over: int = 0
    bytes: int = 0
    outcomes: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))


class _Found(msgspec.Struct, frozen=True):
    """A file whose call is known, and what was seen of it."""

    file: Path
    standing: Standing
    audio: AudioFacts
    sha256: str
    size: int
    damage: str

    @property
    def sid(self) -> str:
        return self.standing.facts.sid


class Adopter:
    """Takes in the files of a folder for one account.

    ``notice`` is called with each file and what came of it, with a detail; ``progress`` with its
    length. ``sign`` is this process's sign of life: while it beats, nobody takes its calls.
    ``damage`` says in a word what is damaged within a file.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        store: Store,
        account: Account,
        sign: Beat,
        clock: Clock,
        copies: bool,
        dry_run: bool,
        min_free: int,
        notice: Callable[[Path, str, str], None],
        progress: Callable[[int], None],
        damage: Callable[[Path], str] = lambda file: walk(file).damage,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._account = account
        self._sign = sign
        self._clock = clock
        self._copies = copies
        self._dry_run = dry_run
        self._min_free = min_free
        self._notice = notice
        self._progress = progress
        self._damage = damage
        self._adopted = Adopted()
        self._dry: dict[str, str] = {}

    async def run(self, folder: Path) -> Adopted:
        """Take in what is in a folder and below it; return what came of it.

        Raises:
            CatalogError: the catalog cannot be read or written.
            StoreError: the archive's disk is full, or cannot be written to.
        """
        if self._dry_run:
            await self._take_all(folder)
            return self._adopted
        # What an adopt that was killed held is given back, once nobody can be at it any more.
        await self._catalog.write(processes.rescue, self._clock())
        await sweep(self._catalog, self._store)
        await self._catalog.write(processes.beat, self._sign, self._clock())
        beating = asyncio.create_task(self._beat())
        try:
            await self._take_all(folder)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._catalog.write(processes.retire, self._sign.process, self._clock())
        return self._adopted

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._catalog.write(processes.beat, self._sign, self._clock())

    async def _take_all(self, folder: Path) -> None:
        files = self._candidates(folder)
        while chunk := await asyncio.to_thread(list, islice(files, _CHUNK)):
            waiting = chunk
            while waiting:
                waiting = await self._take_chunk(waiting)

    def _candidates(self, folder: Path) -> Iterator[Path]:
        for file in files_below(folder):
            if may_be_recording(file):
                yield file
            else:
                self._adopted.passed_over += 1

    async def _take_chunk(self, files: list[Path]) -> list[Path]:
        """Take files in; return those whose call another file of the chunk is of."""
        names = {file: possible_sids(file.name) for file in files}
        every = {sid for sids in names.values() for sid in sids}
        known = await self._catalog.read(rows.standing, self._account.name, every)
        mine: dict[str, tuple[Path, Standing]] = {}
        later: list[Path] = []
        for file, possible in names.items():
            sid = the_sid(possible, known)
            if sid is None:
                held = sorted(possible & known.keys())
                self._say(file, AMBIGUOUS if held else UNKNOWN, ", ".join(held))
            elif sid in mine:
                later.append(file)
            else:
                mine[sid] = (file, known[sid])
        lease = secrets.token_hex(16)
        if self._dry_run:
            await self._judge_all(mine, lease)
            return later
        job = f"adopt-{lease}"
        await self._catalog.write(
            work.begin_batch,
            lease=lease,
            process=self._sign.process,
            job_id=job,
            now=self._clock(),
        )
        try:
            await self._publish(await self._judge_all(mine, lease), lease)
        finally:
            await self._catalog.write(work.end_batch, lease=lease)
            await asyncio.to_thread(self._discard, mine, lease)
        return later

    async def _judge_all(self, mine: dict[str, tuple[Path, Standing]], lease: str) -> list[_Found]:
        """Look at files and say what is left alone; return those that are to be taken in."""
        found = []
        for file, standing in mine.values():
            try:
                seen = await asyncio.to_thread(self._look, file, standing, lease)
            except NotAudioError as error:
                self._say(file, NOT_AUDIO, error.reason)
                continue
            except OSError as error:
                if is_full(error):
                    raise self._full() from error
                self._say(file, UNREADABLE, error.strerror or "")
                continue
            self._progress(seen.size)
            if outcome := self._leaves(seen):
                self._say(file, *outcome)
            elif self._dry_run:
                self._dry[seen.sid] = seen.sha256
                self._say(file, ADOPTED, seen.sid, seen.size)
            else:
                found.append(seen)
        return found

    def _leaves(self, seen: _Found) -> tuple[str, str] | None:
        """Return why a file is left alone, None if it is to be taken in."""
        standing = seen.standing
        had = standing.hashes | {self._dry[seen.sid]} if seen.sid in self._dry else standing.hashes
        if standing.state is State.ARCHIVED or had:
            same = seen.sha256 in had
            return (ALREADY, "") if same else (DIFFERS, "another recording is archived")
        if standing.state is State.LEASED:
            return BUSY, "a worker has it, or an adopt that was killed: that lapses in 45 s"
        if standing.state not in _ADOPTABLE:
            return LEFT_OUT, f"its call is {standing.state}"
        if seen.damage and standing.may_be_fetched(self._clock()):
            return DAMAGED, f"{seen.damage}; the provider may still have it whole"
        return None

    def _look(self, file: Path, standing: Standing, lease: str) -> _Found:
        """Look at a file: under a part's name, where it is to be taken in. Blocks.

        Raises:
            NotAudioError: it is no recording, or no regular file any more.
            OSError: it cannot be read or staged.
        """
        looked = file
        if not self._dry_run and standing.state in _ADOPTABLE:
            looked = self._store.part(lease, self._place(file, standing))
            self._stage(file, looked)
        with open_regular(looked) as opened:
            size = os.fstat(opened.fileno()).st_size
            audio = look_at_head(opened.read(HEAD), size)
            opened.seek(0)
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        damage = self._damage(looked)
        if damage == NO_AUDIO:
            raise NotAudioError("unknown")
        return _Found(file, standing, audio, sha256, size, damage)

    def _stage(self, file: Path, part: Path) -> None:
        """Give a file a part's name as well, or copy it where that cannot be."""
        if not self._copies:
            with suppress(OSError):  # another file system, or one without links
                os.link(file, part, follow_symlinks=False)
                return
        with open_regular(file) as source:
            if self._store.free_bytes() - os.fstat(source.fileno()).st_size < self._min_free:
                raise self._full()
            with part.open("wb") as target:
                shutil.copyfileobj(source, target)

    async def _publish(self, found: list[_Found], lease: str) -> None:
        account = self._account.name
        sids = [seen.sid for seen in found]
        claimed = await self._catalog.write(rows.claim, account, sids, lease=lease)
        taken = [seen for seen in found if seen.sid in claimed]
        for seen in found:
            if seen.sid not in claimed:
                self._say(seen.file, BUSY, "a worker has taken its call")
        group = [self._pending(seen, lease) for seen in taken]
        results = await asyncio.to_thread(self._store.publish, group)
        for seen, result in zip(taken, results, strict=True):
            if isinstance(result, OSError):
                if is_full(result):
                    raise self._full() from result
                self._say(seen.file, UNREADABLE, result.strerror or "")
                continue
            await self._archive(seen, result, lease)

    async def _archive(self, seen: _Found, proof: Proof, lease: str) -> None:
        flag = seen.damage or flag_of(proof.seconds, seen.standing.facts)
        kept = await self._catalog.write(
            rows.archive,
            msgspec.structs.replace(proof, flag=flag),
            lease=lease,
            account=self._account.name,
            detail=f"adopted from {seen.file}",
            now=self._clock(),
        )
        if kept:
            self._say(seen.file, ADOPTED, proof.path, seen.size)
        else:
            self._say(seen.file, BUSY, "its lease has lapsed")

    def _pending(self, seen: _Found, lease: str) -> Pending:
        now = self._clock()
        return Pending(
            lease=lease,
            place=self._place(seen.file, seen.standing),
            audio=seen.audio,
            sha256=seen.sha256,
            size=seen.size,
            body=None,
            about=_about(seen, now.isoformat(timespec="seconds")),
        )

    def _place(self, file: Path, standing: Standing) -> Place:
        return Place(
            account=self._account.name,
            sid=standing.facts.sid,
            object_name=file.name,
            began=standing.facts.began_at or self._clock(),
            zone=self._account.zone,
        )

    def _discard(self, mine: dict[str, tuple[Path, Standing]], lease: str) -> None:
        for file, standing in mine.values():
            with suppress(OSError):  # what cannot be removed now is swept later
                self._store.part(lease, self._place(file, standing)).unlink()

    def _say(self, file: Path, outcome: str, detail: str = "", size: int = 0) -> None:
        self._adopted.files += 1
        self._adopted.bytes += size
        self._adopted.outcomes[outcome] += 1
        self._notice(file, outcome, detail)

    def _full(self) -> StoreError:
        return StoreError(
            f"there is no room below {self._store.root}",
            hint="make room, then run it again: what was taken in is not taken in twice",
        )


def _about(seen: _Found, archived_at: str) -> dict[str, Any]:
    return {
        "call": msgspec.to_builtins(seen.standing.facts),
        "source": "",
        "content_type": "",
        "etag": "",
        "archived_at": archived_at,
        "adopted_from": str(seen.file),
    }
