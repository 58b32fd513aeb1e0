"""The archive's files: whatever cuts a publishing short, nothing that lies there is a lie."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from archive.errors import Exit, StoreError
from archive.layout import PARTS, PRIVATE_UMASK, QUARANTINE
from archive.store import Pending, Store, is_full
from tests.unit.recordings import AUDIO, HOUR, SIDS, pending, place, proof

if TYPE_CHECKING:
    from pathlib import Path

STEPS = ["_write", "_flush", "_clear", "_describe", "_place", "_flush_folders"]


OTHER_BYTES = b"""{"object": "%s.mp3", "sha256": "00", "bytes": 5,
    "audio": {"channels": 1, "sample_rate": 8000, "header_seconds": null}}"""


class Killed(BaseException):
    """The process ends here, without a chance to tidy up."""


class CutStore(Store):
    """A store whose ``step`` ends badly, before or after it does its work."""

    def __init__(self, root: Path, step: str, error: BaseException, *, after: bool = False) -> None:
        super().__init__(root)
        self.only: str | None = None
        do = getattr(self, step)

        def cut(pending: Pending, *more: Any) -> Any:  # noqa: ANN401 - as the steps return
            if self.only in {None, getattr(getattr(pending, "place", None), "sid", None)}:
                if after:
                    do(pending, *more)
                raise error
            return do(pending, *more)

        setattr(self, step, cut)


def files(root: Path) -> set[str]:
    """Return all files below the root."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_published_recording_is_in_its_place_beside_its_sidecar(tmp_path: Path) -> None:
    """Nothing else is left."""
    store = Store(tmp_path)
    assert [proof(SIDS[0])] == store.publish([pending(SIDS[0])])
    assert {f"{HOUR}/{SIDS[0]}.mp3", f"{HOUR}/{SIDS[0]}.json"} == files(tmp_path)
    assert (tmp_path / HOUR / f"{SIDS[0]}.mp3").read_bytes() == b"audio"
    expected = {
        "callvault": 1,
        "account": "main",
        "sid": SIDS[0],
        "file": f"{SIDS[0]}.mp3",
        "object": f"{SIDS[0]}.mp3",
        "sha256": hashlib.sha256(b"audio").hexdigest(),
        "bytes": 5,
        "audio": {
            "kind": "mp3",
            "channels": 1,
            "sample_rate": 8000,
            "bit_rate": 32_000,
            "header_seconds": 65.5,
            "damage": "",
        },
        "call": {"sid": SIDS[0]},
        "etag": "e",
    }
    assert expected == json.loads((tmp_path / HOUR / f"{SIDS[0]}.json").read_text())


def test_nothing_in_the_archive_is_for_everybody(tmp_path: Path) -> None:
    """With the umask that every process of ours sets; neither files nor folders."""
    before = os.umask(PRIVATE_UMASK)
    try:
        store = Store(tmp_path / "root")
        store.publish([pending(SIDS[0])])
        store.quarantine(place(SIDS[0]), b"<html>", "html")
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o027 for path in (tmp_path / "root").rglob("*")}
    assert modes == {0}


def test_a_large_recording_comes_from_its_part_file(tmp_path: Path) -> None:
    """It was written there while it came in, and is linked from there to its place."""
    store = Store(tmp_path)
    store.part("lease", place(SIDS[0])).write_bytes(b"audio")
    item = pending(SIDS[0])
    large = Pending(**{**{f: getattr(item, f) for f in item.__struct_fields__}, "body": None})
    assert [proof(SIDS[0])] == store.publish([large])
    assert (tmp_path / HOUR / f"{SIDS[0]}.mp3").read_bytes() == b"audio"
    assert store.parts() == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_death_at_any_step_leaves_no_lie_and_is_made_good(
    tmp_path: Path, step: str, *, after: bool
) -> None:
    """Audio is there whole and described, or not at all; the next run adopts or publishes it."""
    with pytest.raises(Killed):
        CutStore(tmp_path, step, Killed(), after=after).publish([pending(SIDS[0])])
    audio, sidecar = (tmp_path / HOUR / f"{SIDS[0]}.{kind}" for kind in ("mp3", "json"))
    is_placed = STEPS.index(step) + after > STEPS.index("_place")
    is_described = STEPS.index(step) + after > STEPS.index("_describe")
    assert (is_placed, is_described) == (audio.exists(), sidecar.exists())

    store = Store(tmp_path)
    assert (proof(SIDS[0]) if is_placed else None) == store.adopt(place(SIDS[0]))
    assert [proof(SIDS[0])] == store.publish([pending(SIDS[0], lease="next")])
    assert proof(SIDS[0]) == store.adopt(place(SIDS[0]))
    store.sweep(store.parts(), frozenset())
    assert {f"{HOUR}/{SIDS[0]}.mp3", f"{HOUR}/{SIDS[0]}.json"} == files(tmp_path)
    assert audio.read_bytes() == b"audio"


@pytest.mark.parametrize("step", STEPS[:-1])
def test_one_that_fails_spoils_no_neighbour(tmp_path: Path, step: str) -> None:
    """The others are published; of the one that failed nothing is in its place, nor a part."""
    error = OSError(errno.EIO, "Input/output error")
    store = CutStore(tmp_path, step, error)
    store.only = SIDS[1]
    assert [proof(SIDS[0]), error, proof(SIDS[2])] == store.publish([pending(s) for s in SIDS])
    assert not (tmp_path / HOUR / f"{SIDS[1]}.mp3").exists()
    assert store.adopt(place(SIDS[1])) is None
    assert store.parts() == []


def test_what_cannot_be_flushed_is_not_proved(tmp_path: Path) -> None:
    """Folders are shared, so a folder that cannot be flushed proves none of its recordings."""
    error = OSError(errno.EIO, "Input/output error")
    store = CutStore(tmp_path, "_flush_folder", error)
    assert [error, error] == store.publish([pending(s) for s in SIDS[:2]])


def test_new_folders_are_flushed_up_to_the_root(tmp_path: Path) -> None:
    """A folder whose name was never flushed may be gone after a power cut, with what is in it."""
    flushed: list[str] = []

    class Watched(Store):
        def _flush_folder(self, folder: Path) -> None:
            flushed.append(str(folder.relative_to(tmp_path)))
            super()._flush_folder(folder)

    store = Watched(tmp_path)
    store.publish([pending(s) for s in SIDS[:2]])
    assert sorted([".", "main", "main/2026", "main/2026/02", "main/2026/02/01", HOUR]) == sorted(
        flushed
    )
    flushed.clear()
    store.publish([pending(SIDS[2])])
    assert flushed == [HOUR]


def test_a_folder_is_flushed_until_all_above_it_are(tmp_path: Path) -> None:
    """One that could not be flushed once is tried again for the next recording in it."""
    failing = {"2026"}
    flushed: list[str] = []

    class Watched(Store):
        def _flush_folder(self, folder: Path) -> None:
            if folder.name in failing:
                raise OSError(errno.EIO, "Input/output error")
            flushed.append(folder.name)
            super()._flush_folder(folder)

    store = Watched(tmp_path)
    (result,) = store.publish([pending(SIDS[0])])
    assert isinstance(result, OSError)
    failing.clear()
    flushed.clear()
    assert [proof(SIDS[1])] == store.publish([pending(SIDS[1])])
    assert "2026" in flushed


def test_what_is_adopted_is_flushed_up_to_the_root(tmp_path: Path) -> None:
    """The run that put it there was cut short, perhaps before it had flushed the folders."""
    Store(tmp_path).publish([pending(SIDS[0])])
    flushed: list[str] = []

    class Watched(Store):
        def _flush_folder(self, folder: Path) -> None:
            flushed.append(str(folder.relative_to(tmp_path)))
            super()._flush_folder(folder)

    assert proof(SIDS[0]) == Watched(tmp_path).adopt(place(SIDS[0]))
    expected = [".", "main", "main/2026", "main/2026/02", "main/2026/02/01", HOUR]
    assert sorted(expected) == sorted(flushed)


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    """By whoever tidied up while a worker ran: its memory of the folder stops nothing."""
    store = Store(tmp_path)
    store.publish([pending(SIDS[0])])
    shutil.rmtree(tmp_path / "main")
    assert [proof(SIDS[1])] == store.publish([pending(SIDS[1])])
    assert {f"{HOUR}/{SIDS[1]}.mp3", f"{HOUR}/{SIDS[1]}.json"} == files(tmp_path)


def test_another_file_in_the_place_is_kept_aside(tmp_path: Path) -> None:
    """It is not overwritten: nobody knows any more where it came from."""
    store = Store(tmp_path)
    store.publish([pending(SIDS[0], b"an older one")])
    assert [proof(SIDS[0])] == store.publish([pending(SIDS[0])])
    assert (tmp_path / HOUR / f"{SIDS[0]}.mp3").read_bytes() == b"audio"
    (aside,) = (tmp_path / QUARANTINE / "main").iterdir()
    assert aside.read_bytes() == b"an older one"
    assert aside.name.startswith(f"{SIDS[0]}.")
    assert aside.name.endswith(".found-in-its-place")


def test_the_same_file_in_the_place_stays(tmp_path: Path) -> None:
    """It was left by a run that was cut short, and is not written a second time."""
    store = Store(tmp_path)
    store.publish([pending(SIDS[0])])
    final = tmp_path / HOUR / f"{SIDS[0]}.mp3"
    expected = final.stat().st_ino
    assert [proof(SIDS[0])] == store.publish([pending(SIDS[0], lease="next")])
    assert expected == final.stat().st_ino
    assert not (tmp_path / QUARANTINE).exists()


@pytest.mark.parametrize(
    "sidecar",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"object": "%s.mp3"}',
        b'{"object": "%s.mp3", "sha256": "%s", "bytes": "many", "audio": {}}',
        b'{"object": "%s.mp3", "sha256": "%s", "bytes": 5, "audio": []}',
        OTHER_BYTES,
    ],
)
def test_a_recording_is_adopted_only_by_a_sound_sidecar(
    tmp_path: Path, sidecar: bytes | None
) -> None:
    """A missing, damaged or other sidecar proves nothing, and stops nothing."""
    store = Store(tmp_path)
    store.publish([pending(SIDS[0])])
    path = tmp_path / HOUR / f"{SIDS[0]}.json"
    path.unlink()
    if sidecar is not None:
        digest = hashlib.sha256(b"audio").hexdigest().encode()
        path.write_bytes(
            sidecar.replace(b"%s.mp3", SIDS[0].encode() + b".mp3").replace(b"%s", digest)
        )
    assert store.adopt(place(SIDS[0])) is None


@pytest.mark.parametrize(
    ("told", "expected"),
    [("damaged", "damaged"), ("cut", "cut"), ("", ""), (None, ""), ("made up", ""), ([1], "")],
)
def test_what_was_found_damaged_is_adopted_as_damaged(
    tmp_path: Path, told: object, expected: str
) -> None:
    """The sidecar says so; words that mean nothing are passed over, as is one that has none."""
    store = Store(tmp_path)
    audio = msgspec.structs.replace(AUDIO, damage="cut")
    (result,) = store.publish([msgspec.structs.replace(pending(SIDS[0]), audio=audio)])
    assert msgspec.structs.replace(proof(SIDS[0]), flag="cut") == result
    path = tmp_path / HOUR / f"{SIDS[0]}.json"
    described = json.loads(path.read_text())
    assert described["audio"].pop("damage") == "cut"
    if told is not None:
        described["audio"]["damage"] = told
    path.write_text(json.dumps(described))
    adopted = store.adopt(place(SIDS[0]))
    assert msgspec.structs.replace(proof(SIDS[0]), flag=expected) == adopted


def test_a_changed_or_another_recording_is_not_adopted(tmp_path: Path) -> None:
    """Its bytes have to be those of the sidecar, and its object the one that is asked for."""
    store = Store(tmp_path)
    store.publish([pending(SIDS[0])])
    assert store.adopt(place(SIDS[0], "another.mp3")) is None
    assert store.adopt(place(SIDS[1])) is None
    assert proof(SIDS[0]) == store.adopt(place(SIDS[0]))
    (tmp_path / HOUR / f"{SIDS[0]}.mp3").write_bytes(b"audiO")
    assert store.adopt(place(SIDS[0])) is None


def test_without_sidecars_there_are_only_recordings(tmp_path: Path) -> None:
    """Nothing can be adopted then; publishing again finds the same file and leaves it."""
    store = Store(tmp_path, sidecar=False)
    assert [proof(SIDS[0])] == store.publish([pending(SIDS[0])])
    assert {f"{HOUR}/{SIDS[0]}.mp3"} == files(tmp_path)
    assert store.adopt(place(SIDS[0])) is None
    assert [proof(SIDS[0])] == store.publish([pending(SIDS[0])])


def test_only_part_files_of_dead_batches_are_swept(tmp_path: Path) -> None:
    """Those of a live lease stay; one that is gone already is no trouble."""
    store = Store(tmp_path)
    for lease in ("dead", "live"):
        store.part(lease, place(SIDS[0])).write_bytes(b"x")
    listed = store.parts()
    assert {f"dead.{SIDS[0]}.part", f"live.{SIDS[0]}.part"} == set(listed)
    assert store.sweep([*listed, f"dead.{SIDS[1]}.part"], frozenset({"live"})) == 1
    assert [f"live.{SIDS[0]}.part"] == store.parts()


def test_what_is_no_audio_is_kept_once_in_quarantine(tmp_path: Path) -> None:
    """Its source is about to be deleted; the same page coming again takes no more room."""
    store = Store(tmp_path)
    part = store.part("lease", place(SIDS[0]))
    part.write_bytes(b"<html>")
    for body in (b"<html>", b"<html>", part, b"<xml>"):
        store.quarantine(place(SIDS[0]), body, "html")
    kept = sorted(path.read_bytes() for path in (tmp_path / QUARANTINE / "main").iterdir())
    assert kept == [b"<html>", b"<xml>"]
    assert not part.exists()


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False), (errno.EACCES, False)],
)
def test_a_full_disk_is_told_from_other_troubles(
    tmp_path: Path, number: int, *, expected: bool
) -> None:
    """No room and no quota pause the host for lack of room; the caller gets the error itself."""
    store = CutStore(tmp_path, "_write", OSError(number, os.strerror(number)))
    (result,) = store.publish([pending(SIDS[0])])
    assert isinstance(result, OSError)
    assert expected == is_full(result)


def test_a_root_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    """Below a plain file: one message with the root, a hint, and the fatal exit code."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Not a directory") as caught:
        Store(tmp_path / "file" / "root")
    assert str(tmp_path / "file" / "root") in caught.value.message
    assert "[archive] root" in caught.value.hint
    assert caught.value.exit_code is Exit.FATAL


def test_a_root_that_is_gone_is_said(tmp_path: Path) -> None:
    """Its disk may have been unmounted while a worker ran."""
    store = Store(tmp_path / "root")
    (tmp_path / "root").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="No such file") as caught:
        store.parts()
    assert "mounted" in caught.value.hint


def test_a_new_root_holds_nothing_but_the_parts_folder(tmp_path: Path) -> None:
    """What was written to try it is gone; the room left is that of the disk."""
    store = Store(tmp_path / "a" / "root")
    assert [path.name for path in store.root.rglob("*")] == [PARTS]
    assert store.free_bytes() > 0


def test_a_root_that_was_exchanged_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    """As when its disk is unmounted: an empty folder is there, and would take everything."""
    root = tmp_path / "root"
    store = Store(root)
    assert store.free_bytes() > 0
    root.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        store.free_bytes()
    root.mkdir()
    with pytest.raises(OSError, match="another folder") as caught:
        store.free_bytes()
    assert not is_full(caught.value)
    root.rmdir()
    (tmp_path / "away").rename(root)
    assert store.free_bytes() > 0


def test_a_recording_in_another_hosts_root_is_not_looked_for_here(tmp_path: Path) -> None:
    """The catalog's word for it is taken, so that it is not fetched once more to this root."""
    store = Store(tmp_path, number=2)
    kept = msgspec.structs.replace(proof(SIDS[0]), root=1)
    assert store.adopt(place(SIDS[0]), kept) == kept
    assert store.adopt(place(SIDS[0]), msgspec.structs.replace(kept, root=2)) is None
