"""A new catalog from the archive's own files, when the old one is lost.

Manifests tell of every call; recordings and sidecars are then held against them. What a file on
disk proves wins over a manifest that is behind: each file is hashed, unless sidecars are to be
trusted. Nothing below the root is changed. These functions block.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from archive.accounts import Account
from archive.call import CallFacts
from archive.catalog import dayfiles
from archive.catalog import rebuild as rows
from archive.evidence import (
    File,
    listed_in,
    look_at,
    recorded_by_head,
    recorded_by_sidecar,
    sid_of,
)
from archive.layout import SUFFIXES
from archive.manifest import BadLineError, day_of_folder, lines_of, manifests_in
from archive.reading import side_by_side
from archive.sidecar import BadSidecarError, read_sidecar
from archive.tree import accounts_on_disk, check_root, days_on_disk, files_of, hours_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from archive.catalog.database import Database, Tx
    from archive.catalog.rebuild import Recorded
    from archive.clock import Clock
    from archive.manifest import Line
    from archive.readiness import Readiness
    from archive.sidecar import Sidecar

_CHUNK: Final = 2000
_FILES: Final = 256
_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in SUFFIXES)


class Rebuilt(msgspec.Struct, kw_only=True):
    """What a rebuild found.

    ``calls`` are those that manifests tell of, ``only_files`` those that only their files do.
    ``missing`` and ``damaged`` are recordings that were told of; ``strange`` files that are no
    recording of ours, or a second copy.
    """

    manifests: int = 0
    bad_lines: int = 0
    calls: int = 0
    only_files: int = 0
    recordings: int = 0
    bytes: int = 0
    missing: int = 0
    damaged: int = 0
    strange: int = 0


class Rebuilder:
    """Fills an empty catalog from the files below a root.

    ``notice`` is called with each file or line that is not as it should be, and why; ``progress``
    with each recording that was looked at and its length. An account that is no longer in the
    settings is taken with the usual ones.
    """

    def __init__(
        self,
        *,
        database: Database,
        root: Path,
        accounts: Mapping[str, Account],
        readiness: Readiness,
        clock: Clock,
        trust_sidecars: bool,
        notice: Callable[[str, str], None],
        progress: Callable[[int], None],
    ) -> None:
        self._database = database
        self._root = root
        self._accounts = accounts
        self._readiness = readiness
        self._clock = clock
        self._trusts = trust_sidecars
        self._notice = notice
        self._progress = progress
        self._found = Rebuilt()

    def run(self) -> Rebuilt:
        """Rebuild, and return what was found.

        Raises:
            StoreError: there is no archive in the root.
            CatalogError: the new catalog cannot be written.
            OSError: a folder or a manifest cannot be read.
        """
        check_root(self._root)
        with self._database.write() as tx:
            rows.begin(tx)
        names = accounts_on_disk(self._root)
        for name in names:
            # A call whose day was learnt may still stand among those of unknown day, too.
            folders = [*days_on_disk(self._root, name), name]
            for folder in folders:
                self._read_manifests(folder, first_only=True)
            for folder in folders:
                self._read_manifests(folder, first_only=False)
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="hash") as pool:
            for name in names:
                for day in days_on_disk(self._root, name):
                    for hour in hours_on_disk(self._root, day):
                        self._read_hour(hour, pool)
        self._conclude()
        return self._found

    def _account(self, name: str) -> Account:
        return self._accounts.get(name) or Account(name=name, sid="unknown")

    def _read_manifests(self, folder: str, *, first_only: bool) -> None:
        """Read the present manifest of a folder, or those of former catalogs."""
        files = manifests_in(self._root / folder)
        for file in files[:1] if first_only else files[1:]:
            self._found.manifests += 1
            lines = self._good_lines(file, folder)
            while chunk := list(islice(lines, _CHUNK)):
                self._tell(chunk, folder)

    def _good_lines(self, file: Path, folder: str) -> Iterator[Line]:
        for number, line in enumerate(lines_of(file, folder), start=1):
            if isinstance(line, BadLineError):
                self._found.bad_lines += 1
                self._notice(f"{file.relative_to(self._root)}:{number}", f"cannot be used: {line}")
            else:
                yield line

    def _tell(self, lines: list[Line], folder: str) -> None:
        account, day = day_of_folder(folder) or (folder, "")
        with self._database.write() as tx:
            dayfiles.own_day(tx, folder)
            self._found.calls += rows.tell(
                tx,
                lines,
                folder=folder,
                day=day,
                account=self._account(account),
                readiness=self._readiness,
                now=self._clock(),
            )

    def _read_hour(self, hour: str, pool: ThreadPoolExecutor) -> None:
        files = files_of(self._root, hour)
        with self._database.read() as tx:
            told = rows.told_below(tx, hour)
        audio = {
            name: size for name, size in files.items() if PurePosixPath(name).suffix in _SUFFIXES
        }
        listed = listed_in(self._root, hour) if len(told) < len(audio) else {}
        look = partial(look_at, self._root, hour, told, listed, self._trusts)
        looked = side_by_side(pool, look, audio.items())
        while chunk := list(islice(looked, _FILES)):
            with self._database.write() as tx:
                for file in chunk:
                    self._take(tx, file)
        stems = {PurePosixPath(name).stem for name in audio}
        alone = [n for n in files if n.endswith(".json") and PurePosixPath(n).stem not in stems]
        self._take_sidecars(hour, alone)
        known = {*audio, *(name for name in files if name.endswith(".json"))}
        for name in files.keys() - known:
            self._strange(f"{hour}/{name}", "is no recording")

    def _take(self, tx: Tx, file: File) -> None:
        """Take a recording in if it is what something tells of it."""
        self._progress(file.size)
        if not file.sha256:
            self._notice(file.path, file.trouble)
            rows.doubt(tx, file.path, "file-damaged")
            return
        recorded = self._recorded(tx, file)
        if recorded is None:
            self._doubt(tx, file)
            return
        if rows.is_purged(tx, recorded.account, recorded.sid):
            self._strange(file.path, "is of a purged call; to remove it: callvault purge")
            return
        day = "-".join(file.path.split("/")[1:4])
        facts = file.sidecar.call if file.sidecar else CallFacts(sid=recorded.sid)
        self._found.only_files += rows.take_in(
            tx,
            facts,
            account=self._account(recorded.account),
            day=day,
            reason="",
            now=self._clock(),
        )
        if rows.prove(tx, recorded):
            self._found.recordings += 1
            self._found.bytes += file.size
        else:
            self._strange(file.path, "is a second copy of a recording")

    def _recorded(self, tx: Tx, file: File) -> Recorded | None:
        """Return what the file is by what has its hash: manifest, sidecar, list, or its name."""
        told, sidecar = file.told, file.sidecar
        if told is not None and told.sha256 == file.sha256:
            return told
        if sidecar is not None and sidecar.sha256 == file.sha256:
            return recorded_by_sidecar(self._root, file, sidecar)
        claimed = told or sidecar or file.listed
        if claimed and file.listed != file.sha256:
            return None
        return self._of_name(tx, file)

    def _of_name(self, tx: Tx, file: File) -> Recorded | None:
        """Return what a file is of which nothing tells but its name, and a list of checksums."""
        account = file.path.partition("/")[0]
        sid = sid_of(PurePosixPath(file.path).stem, lambda sid: rows.is_known(tx, account, sid))
        # Where recordings of the call are told of, an unlisted file beside them is none.
        if sid is None or (not file.listed and rows.has_told(tx, account, sid)):
            return None
        return recorded_by_head(self._root, file, sid)

    def _doubt(self, tx: Tx, file: File) -> None:
        """Note a file that is not what is told of it; its call is asked for again."""
        reason = "file-changed"
        told = file.told or file.sidecar
        if told is None:
            self._strange(file.path, "is no whole recording of a call")
            return
        if file.size < told.bytes:
            reason = "file-truncated"
        elif file.size > told.bytes:
            reason = "file-longer"
        if file.told is not None:
            rows.doubt(tx, file.path, reason)  # and told of at the end, with those that are missing
            return
        self._found.damaged += 1
        self._notice(file.path, reason)
        if file.sidecar is not None:
            self._expect(tx, file.path, file.sidecar, reason)

    def _take_sidecars(self, hour: str, names: Iterable[str]) -> None:
        """Make calls known of which only a sidecar is left: there was a recording."""
        for name in names:
            path = f"{hour}/{name}"
            try:
                sidecar = read_sidecar(self._root / path)
            except (OSError, BadSidecarError) as error:
                self._strange(path, f"is no sidecar: {error}")
                continue
            if sidecar.account != hour.partition("/")[0]:
                self._strange(path, "is a sidecar of another account")
                continue
            with self._database.write() as tx:
                if self._expect(tx, path, sidecar, "file-missing"):
                    self._found.missing += 1
                    self._notice(path, "is a sidecar without its recording")

    def _expect(self, tx: Tx, path: str, sidecar: Sidecar, reason: str) -> bool:
        new = rows.take_in(
            tx,
            sidecar.call,
            account=self._account(sidecar.account),
            day="-".join(path.split("/")[1:4]),
            reason=reason,
            now=self._clock(),
        )
        self._found.only_files += new
        return new

    def _conclude(self) -> None:
        with self._database.read() as tx:
            for path, reason in rows.unproved(tx):
                if reason == "file-missing":
                    self._found.missing += 1
                else:
                    self._found.damaged += 1
                self._notice(path, reason)
        with self._database.write() as tx:
            rows.conclude(tx, self._clock())

    def _strange(self, path: str, why: str) -> None:
        self._found.strange += 1
        self._notice(path, why)
