"""Recordings of other means are taken in where their call is known, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.call import CallFacts
from archive.clock import system_clock
from archive.errors import CatalogError, InputError
from archive.verdicts import Absent, Again, Failed, Lost
from tests.unit.books import SIDS, called
from tests.unit.vaulted import DAY, HOUR, Vaulted, sound

if TYPE_CHECKING:
    from pathlib import Path

    from archive.catalog.work import Outcome


def put(vaulted: Vaulted, name: str, body: bytes) -> Path:
    """Put a file into the folder that is adopted from."""
    file = vaulted.folder / "downloads" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return file


def adopt(vaulted: Vaulted, *words: str, code: int) -> dict[str, int]:
    """Adopt, check how it ended, and return what came of the files; only what is not nothing."""
    folder = vaulted.folder / "downloads"
    folder.mkdir(exist_ok=True)
    result = vaulted.terminal.run("adopt", str(folder), "--json", *words)
    assert result.exception is None, result.exception
    assert code == result.return_value, result.output
    assert vaulted.books.sql("SELECT * FROM batches") == []
    assert [path.name for path in (vaulted.root / ".parts").iterdir()] == []
    assert not vaulted.books.balance().faults
    told: dict[str, Any] = json.loads(result.stdout)
    return {name: count for name, count in told.items() if count and name != "bytes"}


OUTCOMES: list[Outcome] = [
    Again("not-ready", after=timedelta(hours=1)),
    Absent("no-answer"),
    Lost("fetch-gone"),
    Failed("body-empty"),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_call_without_a_recording_becomes_archived(vaulted: Vaulted, outcome: Outcome) -> None:
    """Expected, absent, lost or failed: its file is the recording, proved and described."""
    vaulted.books.add(called(SIDS[0]))
    vaulted.books.claim(SIDS[0])
    vaulted.books.settle(SIDS[0], outcome)
    vaulted.books.end()
    file = put(vaulted, f"old/call_{SIDS[0]}-x.mp3", sound(0))

    assert adopt(vaulted, code=0) == {"files": 1, "adopted": 1}

    path = f"{HOUR}/{SIDS[0]}.mp3"
    assert vaulted.state(SIDS[0]) == ("archived", "")
    assert vaulted.file(path).read_bytes() == sound(0) == file.read_bytes()
    sidecar = json.loads(vaulted.sidecar(path).read_text())
    assert sidecar["adopted_from"] == str(file)
    assert sidecar["sha256"] == hashlib.sha256(sound(0)).hexdigest()
    assert sidecar["call"]["duration_s"] == 65
    (row,) = vaulted.books.sql("SELECT path, bytes, object_name FROM recordings")
    assert tuple(row) == (path, len(sound(0)), file.name)
    assert "adopted from" in vaulted.terminal.says("explain", SIDS[0])
    vaulted.write_days()
    assert vaulted.terminal.run("verify").return_value == 0


def test_it_is_linked_where_it_can_be_and_copied_on_demand(vaulted: Vaulted) -> None:
    """A link takes no room; a copy does not change when the file it was made from does."""
    vaulted.books.add(called(SIDS[0]), called(SIDS[1]))
    linked = put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    adopt(vaulted, code=0)
    copied = put(vaulted, f"{SIDS[1]}.mp3", sound(1))
    assert adopt(vaulted, "--copy", code=0) == {"files": 2, "adopted": 1, "already": 1}
    assert vaulted.file(f"{HOUR}/{SIDS[0]}.mp3").samefile(linked)
    kept = vaulted.file(f"{HOUR}/{SIDS[1]}.mp3")
    assert not kept.samefile(copied)
    assert kept.stat().st_nlink == 1


def test_again_it_takes_nothing_twice(vaulted: Vaulted) -> None:
    """The same bytes are counted as archived already, of whatever origin."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.books.add(called(SIDS[1]))
    put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    put(vaulted, f"{SIDS[1]}.mp3", sound(1))
    put(vaulted, f"copy of {SIDS[1]}.mp3", sound(1))
    assert adopt(vaulted, code=0) == {"files": 3, "adopted": 1, "already": 2}
    before = vaulted.told()
    assert adopt(vaulted, code=0) == {"files": 3, "already": 3}
    assert before == vaulted.told()


def test_another_recording_of_an_archived_call_is_left_alone(vaulted: Vaulted) -> None:
    """It is reported; neither file is touched."""
    path = vaulted.archive(SIDS[0], sound(0))
    vaulted.books.add(called(SIDS[1]))
    file = put(vaulted, f"{SIDS[0]}.mp3", sound(5))
    put(vaulted, f"a {SIDS[1]}.mp3", sound(1))
    put(vaulted, f"b {SIDS[1]}.mp3", sound(2))
    assert adopt(vaulted, code=6) == {"files": 3, "adopted": 1, "differs": 2}
    assert vaulted.file(path).read_bytes() == sound(0)
    assert file.read_bytes() == sound(5)


def test_what_is_no_audio_is_not_taken(vaulted: Vaulted) -> None:
    """An error page that was saved as a recording: its call is still to be looked at."""
    vaulted.books.add(called(SIDS[0]), called(SIDS[1]))
    put(vaulted, f"{SIDS[0]}.mp3", b"<html>Access denied</html>")
    put(vaulted, f"{SIDS[1]}.mp3", b"")
    assert adopt(vaulted, code=6) == {"files": 2, "not-audio": 2}
    assert [vaulted.state(sid) for sid in SIDS[:2]] == [("expected", "")] * 2
    assert not (vaulted.root / DAY).exists()


def test_the_call_must_be_known(vaulted: Vaulted) -> None:
    """Files of unknown calls are listed, with what to do; several Sids in a name mean none."""
    vaulted.books.add(called(SIDS[0]), called(SIDS[1]))
    unknown = put(vaulted, f"{SIDS[5]}.mp3", sound(5))
    put(vaulted, "notes.txt", b"of somebody")
    put(vaulted, ".hidden.mp3", sound(0))
    assert adopt(vaulted, code=5) == {"files": 1, "unknown": 1, "passed_over": 1}
    put(vaulted, f"{SIDS[0]} {SIDS[1]}.mp3", sound(0))
    assert adopt(vaulted, code=6) == {
        "files": 2,
        "unknown": 1,
        "ambiguous": 1,
        "passed_over": 1,
    }
    result = vaulted.terminal.run("adopt", str(unknown.parent))
    assert f"unknown: {unknown}" in result.stderr
    assert "enqueue cdr" in result.stderr


def test_a_call_that_a_worker_holds_is_left_to_it(vaulted: Vaulted) -> None:
    """Its lease is not touched."""
    vaulted.books.add(called(SIDS[0]))
    vaulted.books.claim(SIDS[0], lease="a worker's", now=system_clock())
    put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    result = vaulted.terminal.run("adopt", str(vaulted.folder / "downloads"), "--json")
    assert result.return_value == 5
    assert json.loads(result.stdout)["busy"] == 1
    assert vaulted.books.row(SIDS[0])["lease"] == "a worker's"


def test_what_a_killed_one_held_is_taken_over(vaulted: Vaulted) -> None:
    """Once its lease has lapsed: its call is free again, and its part files go."""
    vaulted.books.add(called(SIDS[0]))
    vaulted.books.claim(SIDS[0], lease="dead")
    parts = vaulted.root / ".parts"
    parts.mkdir(parents=True, exist_ok=True)
    (parts / f"dead.{SIDS[0]}.part").write_bytes(b"half")
    put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    assert adopt(vaulted, code=0) == {"files": 1, "adopted": 1}
    assert list(parts.iterdir()) == []


def test_a_dry_run_changes_nothing(vaulted: Vaulted) -> None:
    """It tells what would come of each file, the second one of a call too."""
    vaulted.books.add(called(SIDS[0]))
    put(vaulted, f"a {SIDS[0]}.mp3", sound(0))
    put(vaulted, f"b {SIDS[0]}.mp3", sound(0))
    put(vaulted, f"c {SIDS[0]}.mp3", sound(3))
    before = vaulted.told()
    told = adopt(vaulted, "--dry-run", code=6)
    assert told == {"files": 3, "adopted": 1, "already": 1, "differs": 1}
    assert before == vaulted.told()
    assert not (vaulted.root / DAY).exists()
    assert vaulted.books.sql("SELECT * FROM processes") == []


def test_a_call_of_unknown_date_is_put_where_it_is_adopted(vaulted: Vaulted) -> None:
    """As a worker does where nobody tells when a call began."""
    vaulted.books.add(CallFacts(sid=SIDS[0]))
    put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    assert adopt(vaulted, code=0) == {"files": 1, "adopted": 1}
    assert vaulted.state(SIDS[0]) == ("archived", "")


def test_many_files_are_taken_in_batch_by_batch(vaulted: Vaulted) -> None:
    """All of them, however many there are; a flag tells what does not last as long as its call."""
    sids = [f"{n:032}" for n in range(150)]
    vaulted.books.add(*(called(sid, talk_s=60) for sid in sids))
    for number, sid in enumerate(sids):
        put(vaulted, f"{number % 7}/{sid}.mp3", sound(number, seconds=1 if number < 5 else 62))
    assert adopt(vaulted, code=0) == {"files": 150, "adopted": 150}
    assert vaulted.books.balance().flagged == {"shorter-than-call": 5}
    assert len({row[0] for row in vaulted.books.sql("SELECT path FROM recordings")}) == 150


@pytest.mark.parametrize("where", ["recordings", "recordings/main", "."])
def test_the_archive_is_not_adopted_into_itself(vaulted: Vaulted, where: str) -> None:
    """Nor a folder that holds it."""
    (vaulted.root / "main").mkdir()
    error = vaulted.terminal.refuses("adopt", str(vaulted.folder / where))
    assert isinstance(error, InputError)
    assert "verify" in error.hint


def test_what_cannot_be_begun_is_said(vaulted: Vaulted) -> None:
    """No such folder; no catalog."""
    error = vaulted.terminal.refuses("adopt", str(vaulted.folder / "nowhere"))
    assert isinstance(error, InputError)
    file = put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    vaulted.lose_catalog()
    error = vaulted.terminal.refuses("adopt", str(file.parent))
    assert isinstance(error, CatalogError)
    assert not vaulted.catalog.exists()


def test_a_file_that_cannot_be_read_hinders_no_other(vaulted: Vaulted) -> None:
    """A place that is taken by a folder is told; the next file is taken in."""
    vaulted.books.add(called(SIDS[0]), called(SIDS[1]))
    put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    put(vaulted, f"{SIDS[1]}.mp3", sound(1))
    vaulted.file(f"{HOUR}/{SIDS[0]}.mp3").mkdir(parents=True)
    assert adopt(vaulted, code=6) == {"files": 2, "adopted": 1, "unreadable": 1}
    assert vaulted.state(SIDS[0])[0] == "expected"
    assert vaulted.state(SIDS[1])[0] == "archived"


def test_a_call_with_an_open_recording_is_still_looked_at(vaulted: Vaulted) -> None:
    """An export told of another one: what was adopted may be either."""
    vaulted.books.add(called(SIDS[0]))
    vaulted.hint(SIDS[0], "second.mp3")
    put(vaulted, f"{SIDS[0]}.mp3", sound(0))
    assert adopt(vaulted, code=0) == {"files": 1, "adopted": 1}
    assert vaulted.state(SIDS[0]) == ("expected", "another-recording")
    assert len(vaulted.books.sql("SELECT * FROM recordings")) == 1


def test_only_names_of_recordings_are_looked_at(vaulted: Vaulted) -> None:
    """Sidecars, parts and lists are one count, named nowhere, and change no exit code."""
    vaulted.books.add(called(SIDS[0]), called(SIDS[1]))
    put(vaulted, f"{SIDS[0]}.MP3", sound(0))
    others = [f"{SIDS[1]}.json", f"{SIDS[1]}.mp3.part", "SHA256SUMS", "notes.txt", SIDS[1]]
    for name in others:
        put(vaulted, name, sound(1))
    folder = str(vaulted.folder / "downloads")
    assert adopt(vaulted, code=0) == {"files": 1, "adopted": 1, "passed_over": 5}
    result = vaulted.terminal.run("adopt", folder)
    assert result.return_value == 0
    assert "           5  other files passed over" in result.stdout.splitlines()
    assert [name for name in others if name in result.output] == []
    assert vaulted.state(SIDS[1]) == ("expected", "")


@pytest.mark.parametrize("words", [(), ("--copy",), ("--dry-run",)])
def test_what_is_no_regular_file_is_passed_over(vaulted: Vaulted, words: tuple[str, ...]) -> None:
    """Links to a recording, to nothing and to a folder, and a pipe: none comes into the archive."""
    vaulted.books.add(*(called(sid) for sid in SIDS[:4]))
    real = vaulted.folder / "elsewhere.mp3"
    real.write_bytes(sound(0))
    folder = put(vaulted, "notes.txt", b"").parent
    (folder / f"{SIDS[0]}.mp3").symlink_to(real)
    (folder / f"{SIDS[1]}.mp3").symlink_to(vaulted.folder / "nowhere")
    os.mkfifo(folder / f"{SIDS[2]}.mp3")
    (folder / "linked").symlink_to(vaulted.folder, target_is_directory=True)
    assert adopt(vaulted, *words, code=0) == {"passed_over": 4}
    assert [vaulted.state(sid)[0] for sid in SIDS[:4]] == ["expected"] * 4
    assert not (vaulted.root / DAY).exists()
