"""The archive's files: publishing recordings in an order that a crash cannot make a lie of.

The order is: part file and sidecar written and flushed, in a folder of their own; sidecar
published; audio published by ``link``, which never overwrites; folders flushed. Only then may the
catalog say "archived". Many recordings go through each step together, so that a flush serves them
all; the steps are never reordered. These functions block: call them in a thread.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import msgspec

from archive.errors import StoreError
from archive.flags import DAMAGES
from archive.flushing import begin_to_flush, flush_file
from archive.layout import (
    PARTS,
    QUARANTINE,
    SUFFIXES,
    day_folder,
    lease_of_part,
    part_name,
    recording_path,
    sidecar_path,
    stem_of,
)
from archive.placing import flush_folder, place
from archive.proof import Proof
from archive.regular import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from archive.audio import AudioFacts

FORMAT: Final = 1
"""Version of the on-disk format, in every sidecar."""
FIRST: Final = 1
"""The number of a root that is the only one."""
_PROBE: Final = 2**16
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What decides where a recording lies: its call, and when that began in the account's zone.

    ``number`` tells several recordings of a call apart.
    """

    account: str
    sid: str
    object_name: str
    began: datetime
    zone: ZoneInfo
    number: int = 1

    def path(self, suffix: str) -> PurePosixPath:
        """Return the recording's path below the root."""
        return recording_path(self.account, self.sid, self.began, self.zone, suffix, self.number)

    @property
    def stem(self) -> str:
        """The name of its files but for their suffix."""
        return stem_of(self.sid, self.number)

    @property
    def day_folder(self) -> str:
        """The day's folder below the root."""
        return str(day_folder(self.account, self.began, self.zone))


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A whole recording on its way to its place: in ``body``, or in its part file if that is None.

    ``about`` is what the sidecar tells of the call, beside what it tells of the file.
    """

    lease: str
    place: Place
    audio: AudioFacts
    sha256: str
    size: int
    body: bytes | None
    about: dict[str, Any]

    @property
    def path(self) -> PurePosixPath:
        """Where it will lie, below the root."""
        return self.place.path(self.audio.kind.value)


class Store:
    """The files below one root, which the catalog knows by its ``number``.

    ``link`` gives a file a second name, and never overwrites.

    Raises:
        StoreError: the root cannot be made or written to.
    """

    def __init__(
        self,
        root: Path,
        *,
        sidecar: bool = True,
        number: int = FIRST,
        link: Callable[[Path, Path], None] = os.link,
    ) -> None:
        self.root = root
        self._link = link
        self.number = number
        self._sidecar = sidecar
        self._lasting: set[Path] = set()
        try:
            for folder in (root, root / PARTS):
                folder.mkdir(parents=True, exist_ok=True)
            probe = root / PARTS / part_name("probe", str(os.getpid()), "part")
            probe.write_bytes(b"")
            probe.unlink()
            self._opened = _identity(root)
        except OSError as error:
            raise StoreError(
                f"writing to the archive's root {root}: {error.strerror}",
                hint="check [archive] root, that the folder belongs to the user callvault runs "
                "as, and that the disk has room",
            ) from error

    def part(self, lease: str, place: Place) -> Path:
        """Return the file that a batch writes a recording to."""
        return self.root / PARTS / part_name(lease, place.stem, "part")

    def probe(self, lease: str) -> None:
        """Write a file and remove it again.

        Raises:
            OSError: that cannot be done; nothing is left of it.
        """
        path = self.root / PARTS / part_name(lease, "probe", "part")
        try:
            _write_new(path, bytes(_PROBE))
            flush_file(path)
        finally:
            path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return how much room the disk has.

        Raises:
            OSError: the root is not there, or is another folder than the one that was opened: a
                disk that is unmounted leaves an empty one in its place, which takes everything.
        """
        if self._opened != _identity(self.root):
            raise OSError(errno.ENODEV, "it is another folder than before; is its disk unmounted?")
        return shutil.disk_usage(self.root).free

    def publish(self, group: Sequence[Pending]) -> list[Proof | OSError]:
        """Publish recordings together; return for each its proof, or why it could not be."""
        results: dict[int, Proof | OSError] = {}
        waiting = dict(enumerate(group))
        folders: dict[int, set[Path]] = {}
        for step in (self._write, self._flush, self._clear, self._describe, self._place):
            for index, pending in list(waiting.items()):
                try:
                    folders.setdefault(index, set()).update(step(pending) or ())
                except OSError as error:
                    results[index] = error
                    del waiting[index]
                    self._discard(pending)
        self._flush_folders(waiting, folders, results)
        for index, pending in waiting.items():
            results[index] = _proof(pending)
            self._discard(pending, "part")
        return [results[index] for index in range(len(group))]

    def adopt(self, place: Place, kept: Proof | None = None) -> Proof | None:
        """Return the proof of a recording that lies in its place already, and is what it should be.

        That is told by the catalog, where it has the recording (``kept``), else by the sidecar: a
        crash between the publishing and the catalog's commit leaves such a file. One that lies in
        another host's root is there, as far as can be told here.
        """
        if kept is not None and kept.root not in {0, self.number}:
            return kept
        if kept is not None and self._is_lasting(PurePosixPath(kept.path), kept.sha256):
            return kept
        for suffix in SUFFIXES:
            path = place.path(suffix)
            described = self._read_sidecar(path)
            if described is None or described.get("object") != place.object_name:
                continue
            # A file or sidecar that is not what it should be is none: it is fetched anew.
            with suppress(KeyError, TypeError, ValueError):
                proof = _described_proof(place, path, described)
                if self._is_lasting(path, proof.sha256):
                    return proof
        return None

    def _is_lasting(self, path: PurePosixPath, sha256: str) -> bool:
        """Tell whether a file has this hash, and if so make sure that its name is on disk."""
        try:
            if _sha256(self.root / path) != sha256:
                return False
            for folder in self._chain((self.root / path).parent):
                self._flush_folder(folder)
        except OSError:
            # Not there, or not to be read: it is fetched anew, and that tells what is wrong.
            return False
        return True

    def sweep(self, names: Iterable[str], live: frozenset[str]) -> int:
        """Remove part files whose batch is no more; return how many. See `parts`."""
        swept = 0
        for name in names:
            if lease_of_part(name) not in live:
                with suppress(OSError):  # gone already, or on a disk that lets nothing be removed
                    (self.root / PARTS / name).unlink()
                    swept += 1
        return swept

    def parts(self) -> list[str]:
        """List part files. List them before asking which leases live: a newer one is then safe.

        Raises:
            StoreError: the root is not there any more.
        """
        try:
            names = [path.name for path in (self.root / PARTS).iterdir()]
        except OSError as error:
            raise StoreError(
                f"looking into the archive's root {self.root}: {error.strerror}",
                hint="check that its disk is mounted",
            ) from error
        # With a dot begins what NFS keeps of a removed file that somebody has open.
        return [name for name in names if not name.startswith(("probe.", "."))]

    def quarantine(self, place: Place, body: bytes | Path, reason: str) -> None:
        """Keep what came in a recording's place: its source is about to be deleted.

        The same body is kept once, however often it comes. A body that is a file is moved.
        """
        folder = self._quarantine_of(place.account)
        if isinstance(body, bytes):
            kept = folder / f"{place.stem}.{hashlib.sha256(body).hexdigest()[:12]}.{reason}"
            _write_whole(kept, body)
        else:
            kept = folder / f"{place.stem}.{_sha256(body)[:12]}.{reason}"
            body.replace(kept)
        self._bring_to_disk(kept)
        for lasting in self._chain(folder):
            self._flush_folder(lasting)

    def _quarantine_of(self, account: str) -> Path:
        folder = self.root / QUARANTINE / account
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write(self, pending: Pending) -> None:
        """Write what is to be published, and have the disk begin with all of the group at once."""
        if pending.body is not None:
            _write_new(self.part(pending.lease, pending.place), pending.body)
        if self._sidecar:
            _write_new(self._described(pending), _sidecar(pending))

    def _flush(self, pending: Pending) -> None:
        self._bring_to_disk(self.part(pending.lease, pending.place))
        if self._sidecar:
            self._bring_to_disk(self._described(pending))

    def _clear(self, pending: Pending) -> set[Path]:
        """Make the folder, and move a file away that lies in the place and is another one."""
        final = self.root / pending.path
        made = self._make_folder(final.parent)
        if final.exists() and (found := _sha256(final)) != pending.sha256:
            place = pending.place
            aside = self._quarantine_of(place.account)
            final.rename(aside / f"{place.stem}.{found[:12]}.found-in-its-place")
        return made

    def _describe(self, pending: Pending) -> None:
        """Publish the sidecar, which is no proof before the audio is there."""
        if self._sidecar:
            self._described(pending).replace(self.root / sidecar_path(pending.path))

    def _described(self, pending: Pending) -> Path:
        return self.root / PARTS / part_name(pending.lease, pending.place.stem, "json")

    def _place(self, pending: Pending) -> set[Path]:
        final = self.root / pending.path
        # If it exists it is the right one, left by a run that was cut short: it stays.
        place(self.part(pending.lease, pending.place), final, link=self._link)
        return {final.parent}

    def _discard(self, pending: Pending, *kinds: str) -> None:
        for kind in kinds or ("part", "json"):
            with suppress(OSError):  # what cannot be removed now is swept later
                (self.root / PARTS / part_name(pending.lease, pending.place.stem, kind)).unlink()

    def _make_folder(self, folder: Path) -> set[Path]:
        """Make a folder with its parents; return what must be flushed for it to last."""
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
        return set() if folder in self._lasting else self._chain(folder)

    def _chain(self, folder: Path) -> set[Path]:
        """Return a folder and its parents up to the root, each of which names the next."""
        chain = {folder}
        while folder != self.root:
            folder = folder.parent
            chain.add(folder)
        return chain

    def _flush_folders(
        self,
        waiting: dict[int, Pending],
        folders: dict[int, set[Path]],
        results: dict[int, Proof | OSError],
    ) -> None:
        flushed: dict[Path, OSError | None] = {}
        for index, pending in list(waiting.items()):
            for folder in folders[index]:
                if folder not in flushed:
                    flushed[folder] = self._try_flush_folder(folder)
            errors = [error for folder in folders[index] if (error := flushed[folder])]
            if errors:
                results[index] = errors[0]
                del waiting[index]
                self._discard(pending)
            else:
                # Only now: every name on the way to it is on disk.
                self._note_lasting((self.root / pending.path).parent)

    def _bring_to_disk(self, path: Path) -> None:
        """Bring a file's bytes to the disk."""
        flush_file(path)

    def _flush_folder(self, folder: Path) -> None:
        flush_folder(folder)

    def _try_flush_folder(self, folder: Path) -> OSError | None:
        try:
            self._flush_folder(folder)
        except OSError as error:
            return error
        return None

    def _note_lasting(self, folder: Path) -> None:
        if len(self._lasting) > 10_000:  # noqa: PLR2004 - a year of hours; then begin anew
            self._lasting.clear()
        self._lasting.add(folder)

    def _read_sidecar(self, recording: PurePosixPath) -> dict[str, Any] | None:
        try:
            described = msgspec.json.decode((self.root / sidecar_path(recording)).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None
        return described if isinstance(described, dict) else None


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def is_full(error: OSError) -> bool:
    """Tell whether an error says that there is no room (or no quota) left."""
    return error.errno in _FULL


def _write_new(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(handle, "wb", buffering=0) as file:
        view = memoryview(content)
        while view:
            view = view[file.write(view) :]
        begin_to_flush(handle)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there with all of its content or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        _write_new(fresh, content)
        flush_file(fresh)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sidecar(pending: Pending) -> bytes:
    document = {
        "callvault": FORMAT,
        "account": pending.place.account,
        "sid": pending.place.sid,
        "file": pending.path.name,
        "object": pending.place.object_name,
        "sha256": pending.sha256,
        "bytes": pending.size,
        "audio": msgspec.to_builtins(pending.audio),
        **pending.about,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _proof(pending: Pending) -> Proof:
    return Proof(
        sid=pending.place.sid,
        object_name=pending.place.object_name,
        path=str(pending.path),
        day_folder=pending.place.day_folder,
        sha256=pending.sha256,
        size=pending.size,
        format=pending.audio.kind.value,
        channels=pending.audio.channels,
        sample_rate=pending.audio.sample_rate,
        seconds=pending.audio.header_seconds,
        flag=pending.audio.damage,
    )


def _described_proof(place: Place, path: PurePosixPath, told: dict[str, Any]) -> Proof:
    audio = told["audio"]
    return Proof(
        sid=place.sid,
        object_name=place.object_name,
        path=str(path),
        day_folder=place.day_folder,
        sha256=str(told["sha256"]),
        size=int(told["bytes"]),
        format=path.suffix.removeprefix("."),
        channels=int(audio["channels"]),
        sample_rate=int(audio["sample_rate"]),
        seconds=None if audio["header_seconds"] is None else float(audio["header_seconds"]),
        # Sidecars of before there was such a look do not tell.
        flag=damage if (damage := audio.get("damage")) in DAMAGES else "",
    )
