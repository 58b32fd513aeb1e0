"""What was purged stays purged, whichever catalog comes back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from archive.layout import CHECKSUMS, MANIFEST
from archive.manifest import BadLineError, tombstones_of
from tests.unit.books import SIDS, called
from tests.unit.vaulted import DAY, HOUR, Vaulted, sound

if TYPE_CHECKING:
    from typing import Any

WHY = "request 118"


@pytest.fixture
def restored(vaulted: Vaulted) -> Vaulted:
    """A call was purged on request after a backup of the catalog, which is put back.

    The backup has it and another one as archived, and does not know of a third one that was
    purged as well.
    """
    vaulted.archive(SIDS[0], sound(0))
    vaulted.archive(SIDS[1], sound(1))
    vaulted.write_days()
    kept = vaulted.folder / "kept.db"
    vaulted.terminal.says("catalog", "backup", str(kept))
    vaulted.archive(SIDS[2], sound(2))
    vaulted.terminal.says("purge", "--yes", "--sid", SIDS[0], "--sid", SIDS[2], "--reason", WHY)
    vaulted.lose_catalog()
    shutil.copy(kept, vaulted.catalog)
    vaulted.reopen()
    assert vaulted.state(SIDS[0]) == ("archived", "")
    return vaulted


def manifest(vaulted: Vaulted) -> dict[str, dict[str, Any]]:
    """Return the lines of the day's manifest by Sid."""
    lines = vaulted.file(f"{DAY}/{MANIFEST}").read_text().splitlines()
    return {line["sid"]: line for line in map(json.loads, lines)}


def check_is_purged(vaulted: Vaulted) -> None:
    """Both calls are purged with their reasons, and nothing contradicts that."""
    for sid in (SIDS[0], SIDS[2]):
        assert vaulted.state(sid) == ("purged", "on-request")
        (gone,) = manifest(vaulted)[sid]["purged"]
        assert (gone["why"], gone["file"]) == (WHY, f"17/{sid}.mp3")
    assert vaulted.state(SIDS[1]) == ("archived", "")
    assert not vaulted.books.balance().faults
    assert vaulted.terminal.says("catalog", "check")


def findings(vaulted: Vaulted, *words: str) -> dict[str, list[str]]:
    """Verify, and return the Sids or paths that were found by kind."""
    found: dict[str, list[str]] = {}
    for one in json.loads(vaulted.terminal.run("verify", "--json", *words).stdout)["findings"]:
        found.setdefault(one["kind"], []).append(one["sid"] or one["path"])
    return {kind: sorted(names) for kind, names in found.items()}


def test_a_day_that_is_written_anew_keeps_its_tombstones(restored: Vaulted) -> None:
    """The catalog takes them over, also of a call that it never knew."""
    restored.books.sql("INSERT INTO changed_days VALUES (?, 1)", DAY)
    restored.write_days()
    restored.write_days()
    check_is_purged(restored)
    assert findings(restored) == {}


def test_verify_tells_what_was_purged_and_takes_it_over(restored: Vaulted) -> None:
    """Not as missing: nothing is put in line, and nothing is fetched again."""
    assert findings(restored) == {
        "purged-elsewhere": [SIDS[0], SIDS[2]],
        "checksums-differ": [f"{DAY}/{CHECKSUMS}"],
        "manifest-differs": [f"{DAY}/{MANIFEST}"],
    }
    assert restored.state(SIDS[0]) == ("archived", "")
    result = restored.terminal.run("verify", "--repair")
    assert f"{SIDS[0]} was purged on" in result.stdout
    assert "taken over as purged" in result.stdout
    restored.write_days()
    check_is_purged(restored)
    assert findings(restored) == {}


def test_a_file_that_came_back_with_the_backup_goes(restored: Vaulted) -> None:
    """Files of a purged call that were put back as well are removed by the next purge."""
    restored.file(HOUR).mkdir(exist_ok=True)
    restored.file(f"{HOUR}/{SIDS[0]}.mp3").write_bytes(sound(0))
    restored.terminal.run("verify", "--repair")
    assert restored.file(f"{HOUR}/{SIDS[0]}.mp3").exists()
    restored.terminal.says("catalog", "tidy")
    assert not restored.file(f"{HOUR}/{SIDS[0]}.mp3").exists()
    check_is_purged(restored)


def test_a_new_catalog_does_not_bring_purged_calls_back(restored: Vaulted) -> None:
    """The former one's manifest is set aside, and what it tells of purges is taken over."""
    restored.lose_catalog()
    restored.reopen()
    restored.books.add(called(SIDS[0]), called(SIDS[1]))
    restored.write_days()
    assert restored.state(SIDS[0]) == ("purged", "on-request")
    assert restored.state(SIDS[1])[0] == "expected"
    assert manifest(restored)[SIDS[2]]["state"] == "purged"
    assert len(list(restored.file(DAY).glob("manifest.*.jsonl"))) == 1


def test_a_call_that_a_worker_holds_lets_its_manifest_wait(restored: Vaulted) -> None:
    """What tells of its purge is not overwritten before it was taken over."""
    restored.books.sql("UPDATE calls SET state = 'expected' WHERE sid = ?", SIDS[0])
    restored.books.claim(SIDS[0])
    with pytest.raises(AssertionError):
        restored.write_days()
    assert manifest(restored)[SIDS[0]]["state"] == "purged"
    restored.books.end()
    restored.books.sql("UPDATE calls SET state = 'expected', lease = NULL WHERE sid = ?", SIDS[0])
    restored.write_days()
    check_is_purged(restored)


def test_a_manifest_never_brings_a_purged_call_back(restored: Vaulted) -> None:
    """An old manifest that calls it archived is overwritten."""
    old = manifest(restored)[SIDS[1]]
    restored.terminal.says("purge", "--yes", "--sid", SIDS[1], "--reason", WHY)
    restored.file(f"{DAY}/{MANIFEST}").write_text(json.dumps(old, separators=(",", ":")) + "\n")
    restored.books.sql("INSERT INTO changed_days VALUES (?, 1)", DAY)
    restored.write_days()
    assert restored.state(SIDS[1]) == ("purged", "on-request")
    assert manifest(restored)[SIDS[1]]["state"] == "purged"


def test_a_tombstone_that_cannot_be_used_is_not_lost(restored: Vaulted) -> None:
    """Its manifest is set aside; one of another account purges nothing."""
    file = restored.file(f"{DAY}/{MANIFEST}")
    line = manifest(restored)[SIDS[0]]
    bad = json.dumps({**line, "account": "other"}, separators=(",", ":"))
    file.write_text(bad + "\n")
    (told,) = tombstones_of(file, DAY)
    assert isinstance(told, BadLineError)
    restored.books.sql("INSERT INTO changed_days VALUES (?, 1)", DAY)
    restored.write_days()
    (aside,) = restored.file(DAY).glob("manifest.*.jsonl")
    assert bad + "\n" == aside.read_text()
    assert restored.state(SIDS[0]) == ("archived", "")
