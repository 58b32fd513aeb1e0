"""What is wrong with an archive is found, told, and repaired as far as it can be."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from archive.errors import CatalogError, InputError, StoreError
from archive.layout import CHECKSUMS, MANIFEST
from tests.unit.books import NOW, SIDS, called, proved
from tests.unit.vaulted import DAY, HOUR, Vaulted, sound

if TYPE_CHECKING:
    from collections.abc import Callable

FAR = timedelta(days=36_500)
"""So far ahead that the provider still has what began then."""
LATE = (NOW + FAR).astimezone()


def verify(vaulted: Vaulted, *words: str, code: int) -> dict[str, Any]:
    """Verify, check how it ended, and return what was told."""
    result = vaulted.terminal.run("verify", "--json", *words)
    assert result.exception is None, result.exception
    told: dict[str, Any] = json.loads(result.stdout)
    assert code == result.return_value, told
    return told


def kinds(told: dict[str, Any]) -> dict[str, str]:
    """Return the kind of each finding by its path."""
    return {finding["path"]: finding["kind"] for finding in told["findings"]}


def outcomes(told: dict[str, Any]) -> dict[str, str]:
    """Return what a repair came to by path."""
    return {finding["path"]: finding["outcome"] for finding in told["findings"]}


def full(vaulted: Vaulted, count: int = 3) -> list[str]:
    """Archive some calls whose recordings the provider still has; return their paths."""
    paths = [vaulted.archive(sid, sound(n)) for n, sid in enumerate(SIDS[:count])]
    keep_with_provider(vaulted)
    vaulted.write_days()
    return paths


def keep_with_provider(vaulted: Vaulted) -> None:
    """Let the provider delete nothing in the time of these tests."""
    vaulted.books.sql("UPDATE calls SET delete_by_ms = ?", int(LATE.timestamp() * 1000))


def quarantined(vaulted: Vaulted) -> list[str]:
    """Return the names in the quarantine."""
    return sorted(path.name for path in (vaulted.root / ".quarantine").rglob("*.*"))


def test_a_sound_archive_is_all_right(vaulted: Vaulted) -> None:
    """Each recording was counted from the catalog and from the disk, and read."""
    full(vaulted)
    vaulted.books.add(called(SIDS[5]))
    vaulted.write_days()
    told = verify(vaulted, code=0)
    size = sum(len(sound(n)) for n in range(3))
    expected = {"recordings": 3, "on_disk": 3, "read": 3, "bytes_read": size, "faults": 0}
    assert expected == {key: told[key] for key in expected}
    assert told["findings"] == []
    assert "all right" in vaulted.terminal.says("verify")


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "changed": lambda body: bytes([body[0] ^ 1]) + body[1:],
    "truncated": lambda body: body[:-1],
    "longer": lambda body: body + b"\0",
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_each_damage_is_found_and_changes_nothing(vaulted: Vaulted, kind: str) -> None:
    """Without --repair the code is 6, and file and catalog stay as they are."""
    path = full(vaulted)[1]
    body = DAMAGES[kind](sound(1))
    vaulted.file(path).unlink()
    if body is not None:
        vaulted.file(path).write_bytes(body)
    told = verify(vaulted, code=6)
    assert kinds(told) == {path: kind}
    assert told["on_disk"] == (2 if body is None else 3)
    assert vaulted.state(SIDS[1]) == ("archived", "")
    assert (body is not None) == vaulted.file(path).exists()


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_the_provider_still_has_is_put_back_in_line(vaulted: Vaulted, kind: str) -> None:
    """The wrong file is set aside with the reason in its name; the next run fetches the call."""
    path = full(vaulted)[1]
    body = DAMAGES[kind](sound(1))
    vaulted.file(path).unlink()
    if body is not None:
        vaulted.file(path).write_bytes(body)
    told = verify(vaulted, "--repair", code=5)
    assert outcomes(told) == {path: "to be fetched again"}
    assert vaulted.state(SIDS[1]) == ("expected", f"file-{kind}")
    assert not vaulted.file(path).exists()
    name = "" if body is None else f"{SIDS[1]}.{hashlib.sha256(body).hexdigest()[:12]}.{kind}"
    assert quarantined(vaulted) == ([name] if name else [])
    assert not vaulted.books.balance().faults
    assert "found by verify" in vaulted.terminal.says("explain", SIDS[1])
    vaulted.write_days()
    assert verify(vaulted, code=0)["recordings"] == 2


def test_what_the_provider_no_longer_has_is_beyond_repair(vaulted: Vaulted) -> None:
    """It is listed, and nothing is taken away: a backup may have it."""
    path = full(vaulted)[1]
    vaulted.books.sql("UPDATE calls SET delete_by_ms = 0")
    vaulted.write_days()
    vaulted.file(path).write_bytes(b"half")
    told = verify(vaulted, "--repair", code=6)
    assert outcomes(told) == {path: "beyond repair"}
    assert vaulted.file(path).read_bytes() == b"half"
    assert vaulted.state(SIDS[1]) == ("archived", "")


@pytest.mark.parametrize("where", [f"{DAY}/03/else.mp3", "main/else.mp3", "main/2026/tmp/x.wav"])
def test_right_bytes_in_a_wrong_place_are_moved_back(vaulted: Vaulted, where: str) -> None:
    """Whatever their name and folder; they are fetched by nobody."""
    path = full(vaulted)[1]
    vaulted.file(where).parent.mkdir(parents=True, exist_ok=True)
    vaulted.file(path).rename(vaulted.file(where))
    assert kinds(verify(vaulted, code=6)) == {path: "missing", where: "misnamed"}

    told = verify(vaulted, "--repair", code=0)

    assert outcomes(told) == {path: "moved back", where: "moved back"}
    assert vaulted.file(path).read_bytes() == sound(1)
    assert not vaulted.file(where).exists()
    assert verify(vaulted, code=0)["faults"] == 0


def test_a_wrong_file_makes_room_for_the_right_one(vaulted: Vaulted) -> None:
    """Two recordings that changed places are both put right, and nothing is lost."""
    one, two, _ = full(vaulted)
    vaulted.file(one).write_bytes(b"wrong")
    vaulted.file("main/kept.mp3").write_bytes(sound(0))
    told = verify(vaulted, "--repair", code=0)
    assert outcomes(told) == {one: "moved back", "main/kept.mp3": "moved back"}
    assert vaulted.file(one).read_bytes() == sound(0)
    assert len(quarantined(vaulted)) == 1
    assert vaulted.file(two).read_bytes() == sound(1)


def test_files_too_many_are_told_and_left_alone(vaulted: Vaulted) -> None:
    """A copy and strangers; no fault are a recording whose call waits, and a sidecar alone."""
    path = full(vaulted)[0]
    vaulted.file(f"{HOUR}/copy-of.mp3").write_bytes(b"a stranger")
    vaulted.file(f"{DAY}/notes.txt").write_text("of somebody")
    vaulted.file(f"{DAY}/09").mkdir()
    vaulted.file(f"{DAY}/09/{SIDS[0]}.mp3").write_bytes(sound(0))
    vaulted.books.add(called(SIDS[6]))
    vaulted.publish(called(SIDS[6]), sound(6))
    vaulted.sidecar(f"{HOUR}/{SIDS[7]}.mp3").write_text("{}")
    vaulted.write_days()

    told = verify(vaulted, "--repair", code=6)

    by_path = {finding["path"]: finding for finding in told["findings"]}
    assert {finding["kind"] for finding in told["findings"]} == {"extra", "sidecar-alone"}
    alone = str(vaulted.sidecar(f"{HOUR}/{SIDS[7]}.mp3").relative_to(vaulted.root))
    assert not by_path[alone]["fault"]
    assert by_path[f"{DAY}/09/{SIDS[0]}.mp3"]["detail"] == f"is a copy of {path}"
    waiting = by_path[f"{HOUR}/{SIDS[6]}.mp3"]
    assert (waiting["fault"], waiting["sid"]) == (False, SIDS[6])
    assert told["faults"] == 3
    assert vaulted.file(f"{DAY}/notes.txt").exists()


def test_a_sidecar_that_is_missing_or_differs_is_written_anew(vaulted: Vaulted) -> None:
    """From the catalog; the one that differs is kept in the quarantine."""
    one, two, three = full(vaulted)
    before = json.loads(vaulted.sidecar(one).read_text())
    vaulted.sidecar(one).unlink()
    vaulted.sidecar(two).write_bytes(vaulted.sidecar(three).read_bytes())
    names = [str(vaulted.sidecar(path).relative_to(vaulted.root)) for path in (one, two)]
    expected = dict(zip(names, ["sidecar-missing", "sidecar-differs"], strict=True))
    assert expected == kinds(verify(vaulted, code=6))

    verify(vaulted, "--repair", code=0)

    assert verify(vaulted, code=0)["faults"] == 0
    after = json.loads(vaulted.sidecar(one).read_text())
    assert list(before) == list(after)
    lost = {"source", "content_type", "etag"}
    assert {k: v for k, v in before.items() if k not in lost} == {
        k: v for k, v in after.items() if k not in lost
    }
    (aside,) = quarantined(vaulted)
    assert aside.startswith(SIDS[1])
    assert aside.endswith(".sidecar-differs")


@pytest.mark.parametrize(
    ("name", "damage", "kind"),
    [
        (CHECKSUMS, "", "checksums-missing"),
        (CHECKSUMS, "more", "checksums-differ"),
        (CHECKSUMS, "less", "checksums-differ"),
        (MANIFEST, "", "manifest-missing"),
        (MANIFEST, "more", "manifest-differs"),
        (MANIFEST, "less", "manifest-differs"),
        (MANIFEST, "garbage", "manifest-differs"),
        (MANIFEST, "cut", "manifest-differs"),
    ],
)
def test_lists_are_held_against_the_catalog(
    vaulted: Vaulted, name: str, damage: str, kind: str
) -> None:
    """A list that is gone or tells otherwise is noticed, and the day is marked for the next run."""
    full(vaulted)
    file = vaulted.root / DAY / name
    text = file.read_text()
    file.unlink()
    if damage:
        lines = text.splitlines(keepends=True)
        wrong = {
            "more": text + lines[0],
            "less": "".join(lines[1:]),
            "garbage": text + "\0" * 3_000_000,
            "cut": text[:-1],
        }
        file.write_text(wrong[damage])
    assert kinds(verify(vaulted, code=6)) == {f"{DAY}/{name}": kind}
    verify(vaulted, "--repair", code=5)
    vaulted.write_days()
    assert text == file.read_text()
    assert verify(vaulted, code=0)["faults"] == 0


def test_a_manifest_tells_the_same_in_any_order_and_while_calls_are_leased(
    vaulted: Vaulted,
) -> None:
    """A claim marks no day, and moves a call in the order in which manifests are written."""
    full(vaulted)
    vaulted.books.add(called(SIDS[5]), called(SIDS[6]))
    vaulted.books.claim(SIDS[5])
    vaulted.write_days()
    file = vaulted.root / DAY / MANIFEST
    assert verify(vaulted, code=0)["faults"] == 0
    vaulted.books.end()
    assert verify(vaulted, code=0)["faults"] == 0
    file.write_text("".join(reversed(file.read_text().splitlines(keepends=True))))
    assert verify(vaulted, code=0)["faults"] == 0


def test_lists_that_are_known_to_be_behind_are_no_finding(vaulted: Vaulted) -> None:
    """They are written anew by the next run as it is."""
    full(vaulted)
    vaulted.archive(SIDS[7], sound(7))
    assert verify(vaulted, code=0)["recordings"] == 4


def test_damage_within_is_a_fault_unless_it_was_flagged(vaulted: Vaulted) -> None:
    """What is no whole audio though its hash is right came so; the flag says that it is known."""
    path, *_ = full(vaulted, 2)
    body = b"<html>"
    vaulted.file(path).write_bytes(body)
    sha256 = hashlib.sha256(body).hexdigest()
    vaulted.books.sql(
        "UPDATE recordings SET sha256 = ?, bytes = ? WHERE path = ?", sha256, len(body), path
    )
    beside = vaulted.sidecar(path)
    sidecar = json.loads(beside.read_text()) | {"sha256": sha256, "bytes": len(body)}
    beside.write_text(json.dumps(sidecar))
    vaulted.write_days()

    assert kinds(verify(vaulted, code=6)) == {path: "damaged"}
    vaulted.books.sql("UPDATE recordings SET flag = 'shorter-than-call' WHERE path = ?", path)
    assert kinds(verify(vaulted, code=6)) == {path: "damaged"}
    vaulted.books.sql("UPDATE recordings SET flag = 'cut' WHERE path = ?", path)
    told = verify(vaulted, code=0)
    assert (kinds(told), told["faults"]) == ({path: "damaged"}, 0)


def test_damage_that_came_so_is_flagged_and_known_from_then_on(vaulted: Vaulted) -> None:
    """An MP3 with a hole further in, of the bytes that were archived: not fetched again."""
    path, *_ = full(vaulted, 2)
    body = bytearray(vaulted.file(path).read_bytes())
    body[60_000:66_000] = bytes(6_000)
    vaulted.file(path).write_bytes(body)
    sha256 = hashlib.sha256(body).hexdigest()
    vaulted.books.sql("UPDATE recordings SET sha256 = ? WHERE path = ?", sha256, path)
    beside = vaulted.sidecar(path)
    beside.write_text(json.dumps(json.loads(beside.read_text()) | {"sha256": sha256}))
    vaulted.write_days()

    assert kinds(verify(vaulted, code=6)) == {path: "damaged"}
    assert verify(vaulted, "--repair", code=0)["repaired"] == {"flagged": 1}
    assert vaulted.file(path).read_bytes() == body
    assert [
        tuple(row) for row in vaulted.books.sql("SELECT flag FROM recordings WHERE path = ?", path)
    ] == [("damaged",)]
    assert verify(vaulted, code=0)["faults"] == 0


def test_a_sample_reads_a_part_and_looks_for_all(vaulted: Vaulted) -> None:
    """A file of the wrong length is found whether or not it is chosen."""
    path = full(vaulted, 9)[0]
    vaulted.file(path).write_bytes(b"")
    told = verify(vaulted, "--sample", "0.0001%", code=6)
    assert kinds(told) == {path: "truncated"}
    assert (told["recordings"], told["on_disk"]) == (9, 9)
    assert told["read"] < 9
    assert verify(vaulted, "--sample", "100%", code=6)["read"] == 8


def test_a_day_alone_is_looked_at(vaulted: Vaulted) -> None:
    """Nothing of other days is read or told."""
    full(vaulted, 1)
    other = vaulted.archive(SIDS[1], sound(1), started_at=NOW - timedelta(days=3))
    vaulted.write_days()
    vaulted.file(other).unlink()
    assert verify(vaulted, "--day", "2026-02-09", code=0)["recordings"] == 1
    assert kinds(verify(vaulted, "--day", "2026-02-07", code=6)) == {other: "missing"}
    assert kinds(verify(vaulted, "--account", "main", code=6)) == {other: "missing"}


@pytest.mark.parametrize(
    "words",
    [
        ("--sample", "0"),
        ("--sample", "101%"),
        ("--sample", "some"),
        ("--limit-rate", "fast"),
        ("--limit-rate", "0"),
        ("--day", "unknown"),
        ("--day", "2026-13-01"),
        ("--account", "nobody"),
    ],
)
def test_what_makes_no_sense_is_refused(vaulted: Vaulted, words: tuple[str, ...]) -> None:
    """With a message that says what would."""
    full(vaulted, 1)
    error = vaulted.terminal.refuses("verify", *words)
    assert isinstance(error, InputError)
    assert error.hint


@pytest.mark.parametrize("rate", ["10M", "10MiB", "10MB/s", "500k", "1G", "1000000"])
def test_a_rate_is_written_as_people_write_it(vaulted: Vaulted, rate: str) -> None:
    """And files are read all the same."""
    full(vaulted, 1)
    assert verify(vaulted, "--limit-rate", rate, code=0)["read"] == 1


def test_a_root_or_catalog_out_of_reach_is_fatal(vaulted: Vaulted) -> None:
    """An empty mount point is not taken for an archive whose files are all missing."""
    full(vaulted, 1)
    parts = vaulted.root / ".parts"
    parts.rmdir()
    error = vaulted.terminal.refuses("verify", "--repair")
    assert isinstance(error, StoreError)
    assert vaulted.state(SIDS[0]) == ("archived", "")
    parts.mkdir()
    vaulted.lose_catalog()
    error = vaulted.terminal.refuses("verify")
    assert isinstance(error, CatalogError)
    assert "rebuild" in error.hint
    assert not vaulted.catalog.exists()


def test_it_says_in_words_what_it_found(vaulted: Vaulted) -> None:
    """Each finding with its path, then the counts, then what can be done."""
    path = full(vaulted)[1]
    vaulted.file(path).write_bytes(sound(1)[:-1])
    result = vaulted.terminal.run("verify")
    assert result.return_value == 6
    size = len(sound(1))
    first = f"truncated  {path}  ({size - 1:,} of {size:,} bytes)"
    assert result.stdout.splitlines()[0] == first
    assert "3  recordings in the catalog" in result.stdout
    assert "--repair" in result.stderr
    result = vaulted.terminal.run("verify", "--repair")
    assert "work --drain" in result.stdout


def test_the_other_recordings_of_a_call_stay(vaulted: Vaulted) -> None:
    """Where sources told of several, only the wrong one is fetched again."""
    path = full(vaulted, 1)[0]
    vaulted.hint(SIDS[0], "second.mp3")
    second = path.replace(SIDS[0], f"{SIDS[0]}_2")
    vaulted.file(second).write_bytes(sound(2))
    beside = json.loads(vaulted.sidecar(path).read_text())
    sha256 = hashlib.sha256(sound(2)).hexdigest()
    beside |= {"file": f"{SIDS[0]}_2.mp3", "object": "second.mp3", "sha256": sha256}
    vaulted.sidecar(second).write_text(json.dumps(beside))
    vaulted.books.sql(
        "INSERT INTO recordings SELECT account, sid, 'second.mp3', ?, ?, ?, format, channels, "
        "sample_rate, seconds, archived_ms, flag, root FROM recordings",
        second,
        sha256,
        len(sound(2)),
    )
    vaulted.write_days()
    vaulted.file(path).unlink()

    assert outcomes(verify(vaulted, "--repair", code=5)) == {path: "to be fetched again"}

    assert vaulted.state(SIDS[0]) == ("expected", "file-missing")
    assert [second] == [row[0] for row in vaulted.books.sql("SELECT path FROM recordings")]
    assert not vaulted.books.balance().faults


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_in_a_files_place_is_waited_for_by_nobody(
    vaulted: Vaulted, kind: str
) -> None:
    """A pipe would be waited for for ever: it is a fault like any other, and is set aside."""
    first, second, _ = full(vaulted)
    strange = [vaulted.file(first), vaulted.sidecar(second)]
    for path in strange:
        path.unlink()
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "link":
                path.symlink_to(vaulted.folder / "config.toml")
            case _:
                path.mkdir()

    assert verify(vaulted, code=6)["faults"] >= 1
    verify(vaulted, "--repair", code=5)
    assert vaulted.state(SIDS[0])[:1] == ("expected",)
    assert not os.path.lexists(vaulted.file(first))


def test_all_wrong_recordings_of_a_call_are_put_back_in_line(vaulted: Vaulted) -> None:
    """Each of them, though the first has put the call in line already: none is beyond repair."""
    full(vaulted, 1)
    base = "https://recordings.exotel.com/exotelrecordings/acme1"
    urls = tuple(f"{base}/{name}.mp3" for name in (SIDS[0], f"{SIDS[0]}_2"))
    vaulted.books.add(called(SIDS[0], recording_urls=urls))
    second = proved(SIDS[0], object_name=f"{SIDS[0]}_2.mp3", number=2)
    vaulted.books.claim(SIDS[0], lease="second")
    vaulted.books.archive(second, lease="second")
    vaulted.books.end("second")
    keep_with_provider(vaulted)
    for path in list(vaulted.root.glob("main/*/*/*/*/*.mp3")):
        path.unlink()
    vaulted.write_days()

    told = verify(vaulted, "--repair", code=5)
    found = [one for one in told["findings"] if one["kind"] == "missing"]
    assert [one["outcome"] for one in found] == ["to be fetched again"] * 2


@pytest.mark.parametrize("name", [CHECKSUMS, MANIFEST])
def test_a_pipe_in_a_lists_place_is_waited_for_by_nobody(vaulted: Vaulted, name: str) -> None:
    """It is a fault like any other, of the list."""
    full(vaulted)
    place = vaulted.root / DAY / name
    place.unlink()
    os.mkfifo(place)
    assert verify(vaulted, code=6)["faults"] == 1
