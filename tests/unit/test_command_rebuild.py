"""A lost catalog is made anew from what lies on the disk, whatever is missing of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from archive.call import CallFacts, Source
from archive.clock import system_clock
from archive.errors import InputError, StoreError
from archive.layout import CHECKSUMS, MANIFEST
from archive.readiness import Readiness
from archive.verdicts import Absent, Again, Failed, Lost
from tests.unit.books import NOW, SIDS, called
from tests.unit.vaulted import DAY, HOUR, Vaulted, sound

if TYPE_CHECKING:
    from archive.catalog.work import Outcome


def settle(vaulted: Vaulted, sid: str, outcome: Outcome) -> None:
    """Settle a call."""
    vaulted.books.add(called(sid))
    vaulted.books.claim(sid, lease=sid)
    vaulted.books.settle(sid, outcome, lease=sid)
    vaulted.books.end(sid)


def rebuild(vaulted: Vaulted, *words: str, code: int) -> dict[str, Any]:
    """Rebuild, check how it ended, and return what it found."""
    result = vaulted.terminal.run("rebuild", "--json", *words)
    assert result.exception is None, result.exception
    assert code == result.return_value, result.stderr
    vaulted.reopen()
    assert not vaulted.books.balance().faults
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("words", [(), ("--trust-sidecars",)])
def test_everything_is_known_again(vaulted: Vaulted, words: tuple[str, ...]) -> None:
    """Calls of every state, of several sources, of known and unknown day; a lease is over."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.archive(SIDS[1], sound(1, seconds=20), talk_s=60)
    vaulted.books.add(called(SIDS[0]), source=Source.LISTING, now=NOW + timedelta(hours=1))
    outcomes: list[Outcome] = [Absent("no-answer"), Lost("fetch-gone"), Failed("body-empty")]
    for sid, outcome in zip(SIDS[2:5], outcomes, strict=True):
        settle(vaulted, sid, outcome)
    settle(vaulted, SIDS[5], Again("not-ready", after=timedelta(minutes=1)))
    vaulted.books.add(CallFacts(sid=SIDS[6]), called(SIDS[7]))
    vaulted.books.claim(SIDS[7])
    before = vaulted.told()
    vaulted.write_days()
    vaulted.lose_catalog()

    found = rebuild(vaulted, *words, code=5)

    assert before == vaulted.told()
    expected = {"manifests": 2, "calls": 8, "recordings": 2, "only_files": 0, "missing": 0}
    assert expected == {key: found[key] for key in expected}
    assert found["status"]["archived"] == 2
    assert vaulted.books.row(SIDS[6])["due_ms"] > 0
    assert vaulted.books.sql("SELECT * FROM batches") == []


def test_what_the_disk_proves_wins_over_a_manifest_that_is_behind(vaulted: Vaulted) -> None:
    """A recording that was archived after the manifest was written; one that no manifest knows."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.books.add(called(SIDS[1]))
    vaulted.write_days()
    vaulted.publish(called(SIDS[1]), sound(1))
    vaulted.publish(called(SIDS[2]), sound(2))
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=0)

    assert [vaulted.state(sid) for sid in SIDS[:3]] == [("archived", "")] * 3
    assert (found["recordings"], found["only_files"]) == (3, 1)
    sources = dict(vaulted.books.sql("SELECT sid, source FROM sightings"))
    assert sources == {SIDS[0]: "cdr", SIDS[1]: "cdr", SIDS[2]: "rebuild"}
    row = vaulted.books.row(SIDS[2])
    assert (row["day"], row["duration_s"]) == ("2026-02-09", 65)
    objects = [row[0] for row in vaulted.books.sql("SELECT object_name FROM recordings")]
    assert {f"object-{sid}.mp3" for sid in SIDS[:3]} == set(objects)


def test_a_missing_and_a_wrong_file_are_to_be_fetched_again(vaulted: Vaulted) -> None:
    """Missing, shorter, longer, other bytes: each is told, and its call is expected, with why."""
    paths = [vaulted.archive(sid, sound(n)) for n, sid in enumerate(SIDS[:5])]
    vaulted.write_days()
    body = sound(1)
    vaulted.file(paths[0]).unlink()
    vaulted.file(paths[1]).write_bytes(body[:-1])
    vaulted.file(paths[2]).write_bytes(sound(2) + b"\0")
    vaulted.file(paths[3]).write_bytes(b"\0" + sound(3)[1:])
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=6)

    reasons = ["file-missing", "file-truncated", "file-longer", "file-changed"]
    assert [("expected", why) for why in reasons] == [vaulted.state(sid) for sid in SIDS[:4]]
    assert vaulted.state(SIDS[4]) == ("archived", "")
    assert (found["missing"], found["damaged"], found["recordings"]) == (1, 3, 1)
    assert vaulted.file(paths[1]).read_bytes() == body[:-1], "nothing in the archive is changed"


def test_trusted_sidecars_stand_for_files_of_the_right_length(vaulted: Vaulted) -> None:
    """Other bytes are not seen then, a wrong length is."""
    paths = [vaulted.archive(sid, sound(n)) for n, sid in enumerate(SIDS[:2])]
    vaulted.write_days()
    vaulted.file(paths[0]).write_bytes(bytes(len(sound(0))))
    vaulted.file(paths[1]).write_bytes(sound(1)[:-1])
    vaulted.lose_catalog()

    rebuild(vaulted, "--trust-sidecars", code=6)

    assert [vaulted.state(sid) for sid in SIDS[:2]] == [
        ("archived", ""),
        ("expected", "file-truncated"),
    ]


@pytest.mark.parametrize("left", ["sidecar", "sums", "name"])
def test_recordings_alone_are_enough(vaulted: Vaulted, left: str) -> None:
    """Without a manifest: by the sidecar, by SHA256SUMS and name, by the name alone."""
    path = vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    for file in vaulted.root.rglob(MANIFEST):
        file.unlink()
    if left != "sidecar":
        vaulted.sidecar(path).unlink()
    if left == "name":
        (vaulted.root / DAY / CHECKSUMS).unlink()
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=0)

    assert vaulted.state(SIDS[0]) == ("archived", "")
    assert vaulted.books.row(SIDS[0])["day"] == "2026-02-09"
    (row,) = vaulted.books.sql("SELECT path, bytes, format, seconds FROM recordings")
    assert (path, len(sound(0)), "mp3") == tuple(row)[:3]
    assert row["seconds"] == pytest.approx(65, abs=0.1)
    assert (found["only_files"], found["manifests"]) == (1, 0)


def test_a_bare_file_that_the_list_says_is_another_is_not_taken(vaulted: Vaulted) -> None:
    """Neither is one that is no audio: both are told of."""
    path = vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    (vaulted.root / DAY / MANIFEST).unlink()
    vaulted.sidecar(path).unlink()
    vaulted.file(path).write_bytes(sound(1))
    vaulted.file(f"{HOUR}/{SIDS[1]}.mp3").write_bytes(b"<html>an error</html>")
    vaulted.file(f"{HOUR}/notes.txt").write_text("of somebody")
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=0)

    assert (found["strange"], found["status"]["known"]) == (3, 0)


def test_a_sidecar_alone_tells_that_there_was_a_recording(vaulted: Vaulted) -> None:
    """Its call is to be asked for again."""
    path = vaulted.archive(SIDS[0], sound(0))
    vaulted.file(path).unlink()
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=6)

    assert vaulted.state(SIDS[0]) == ("expected", "file-missing")
    assert (found["missing"], found["only_files"]) == (1, 1)


def test_a_sidecar_of_another_recording_proves_nothing(vaulted: Vaulted) -> None:
    """The file is held against what the manifest says of it."""
    one, two = (vaulted.archive(sid, sound(n)) for n, sid in enumerate(SIDS[:2]))
    vaulted.write_days()
    vaulted.sidecar(one).write_bytes(vaulted.sidecar(two).read_bytes())
    vaulted.sidecar(two).write_text("{}")
    vaulted.lose_catalog()

    rebuild(vaulted, code=0)

    assert [vaulted.state(sid) for sid in SIDS[:2]] == [("archived", "")] * 2


def test_lines_that_cannot_be_used_are_told_and_hinder_no_other(vaulted: Vaulted) -> None:
    """The code says that something may be lost."""
    vaulted.books.add(called(SIDS[0]))
    vaulted.write_days()
    with (vaulted.root / DAY / MANIFEST).open("ab") as file:
        file.write(b'{"account": "main", "sid"')
    vaulted.lose_catalog()

    result = vaulted.terminal.run("rebuild")

    assert result.return_value == 6
    assert f"{DAY}/{MANIFEST}:2: cannot be used" in result.stderr
    vaulted.reopen()
    assert vaulted.state(SIDS[0])[0] == "expected"


def test_a_manifest_that_was_set_aside_is_read_after_the_present_one(vaulted: Vaulted) -> None:
    """What the present one tells of a call is newer; what only the old one knows is kept."""
    settle(vaulted, SIDS[0], Absent("no-answer"))
    settle(vaulted, SIDS[1], Lost("fetch-gone"))
    vaulted.write_days()
    vaulted.lose_catalog()
    vaulted.reopen()
    settle(vaulted, SIDS[0], Failed("body-empty"))
    vaulted.write_days()
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=0)

    assert vaulted.state(SIDS[0]) == ("failed", "body-empty")
    assert vaulted.state(SIDS[1]) == ("lost", "fetch-gone")
    assert (found["manifests"], found["calls"]) == (2, 2)


def test_a_copy_of_a_recording_is_no_second_one(vaulted: Vaulted) -> None:
    """It is told of; the call has one recording."""
    path = vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    vaulted.file(f"{DAY}/20").mkdir()
    vaulted.file(f"{DAY}/20/{SIDS[0]}.mp3").write_bytes(sound(0))
    vaulted.lose_catalog()

    found = rebuild(vaulted, code=0)

    assert (found["strange"], found["recordings"]) == (1, 1)
    assert [path] == [row[0] for row in vaulted.books.sql("SELECT path FROM recordings")]


def test_a_catalog_that_knows_calls_is_not_replaced(vaulted: Vaulted) -> None:
    """Nor one that cannot be read; an empty one is."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    error = vaulted.terminal.refuses("rebuild")
    assert isinstance(error, InputError)
    assert "knows 1 calls" in error.message
    assert "catalog.db-wal" in error.hint

    vaulted.lose_catalog()
    vaulted.catalog.write_text("this is no catalog at all, but somebody's notes" * 100)
    assert isinstance(vaulted.terminal.refuses("rebuild"), InputError)

    vaulted.catalog.unlink()
    vaulted.reopen()
    assert rebuild(vaulted, code=0)["recordings"] == 1


def test_an_interrupted_rebuild_starts_over(vaulted: Vaulted) -> None:
    """What it left is no catalog; a lost catalog's companions are not taken for the new one's."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    vaulted.lose_catalog()
    vaulted.catalog.with_name("catalog.db.rebuild").write_text("half")
    vaulted.catalog.with_name("catalog.db.rebuild-wal").write_text("half")
    vaulted.catalog.with_name("catalog.db-wal").write_text("of the lost one")

    rebuild(vaulted, code=0)

    assert vaulted.state(SIDS[0]) == ("archived", "")
    left = {file.name for file in vaulted.catalog.parent.iterdir()}
    assert "catalog.db-wal.former" in left
    assert not any(name.startswith("catalog.db.rebuild") for name in left)


def test_a_root_that_is_not_there_is_said(vaulted: Vaulted) -> None:
    """An empty mount point is no archive without recordings."""
    vaulted.lose_catalog()
    vaulted.root.joinpath(".parts").rmdir()
    error = vaulted.terminal.refuses("rebuild")
    assert isinstance(error, StoreError)
    assert "mounted" in error.hint
    assert not vaulted.catalog.exists()


def test_a_rebuilt_catalog_writes_its_days_anew(vaulted: Vaulted) -> None:
    """And over the manifests that it was made from, since it knows all that they tell."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.write_days()
    before = (vaulted.root / DAY / MANIFEST).read_bytes()
    vaulted.lose_catalog()
    rebuild(vaulted, code=0)
    (vaulted.root / DAY / CHECKSUMS).unlink()

    vaulted.write_days()

    assert before == (vaulted.root / DAY / MANIFEST).read_bytes()
    assert (vaulted.root / DAY / CHECKSUMS).exists()
    assert len(list((vaulted.root / DAY).glob("manifest*"))) == 1


def test_a_waiting_call_is_due_as_if_it_were_new(vaulted: Vaulted) -> None:
    """When it ended decides, as for every call that is enqueued."""
    ended = system_clock().replace(microsecond=0) + timedelta(hours=12)
    vaulted.books.add(called(SIDS[0], started_at=ended, ended_at=ended))
    vaulted.write_days()
    vaulted.lose_catalog()
    rebuild(vaulted, code=5)
    due = msgspec.convert(vaulted.books.row(SIDS[0])["due_ms"], int)
    assert due == (ended + Readiness().first_look).timestamp() * 1000


def test_further_recordings_that_sources_told_of_are_known_again(vaulted: Vaulted) -> None:
    """Open ones, such as have the bytes of another, and a call given up for one of them."""
    vaulted.archive(SIDS[0], sound(0))
    vaulted.hint(SIDS[0], "twin.mp3", same_as=f"object-{SIDS[0]}.mp3")
    for sid, state, reason in (
        (SIDS[1], "expected", "another-recording"),
        (SIDS[2], "lost", "fetch-gone"),
    ):
        vaulted.archive(sid, sound(int(sid[:28])))
        vaulted.hint(sid, "second.mp3")
        settled = None if state == "expected" else 1
        vaulted.books.sql(
            "UPDATE calls SET state = ?, reason = ?, settled_ms = ? WHERE sid = ?",
            state,
            reason,
            settled,
            sid,
        )
    before = vaulted.told()
    vaulted.write_days()
    vaulted.lose_catalog()

    rebuild(vaulted, code=5)

    assert before == vaulted.told()


def test_a_recording_found_on_disk_leaves_the_open_one_to_be_fetched(vaulted: Vaulted) -> None:
    """Its call is not archived as long as a further recording is not there."""
    vaulted.books.add(called(SIDS[0]))
    vaulted.hint(SIDS[0], "second.mp3")
    vaulted.write_days()
    vaulted.publish(called(SIDS[0]), sound(0))
    vaulted.lose_catalog()

    rebuild(vaulted, code=5)

    assert vaulted.state(SIDS[0]) == ("expected", "another-recording")
    assert len(vaulted.books.sql("SELECT * FROM recordings")) == 1
