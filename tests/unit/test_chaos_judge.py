"""The judge of a chaos run: what is right passes, and each thing that is wrong is found."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.chaos.judge import CHECKS, Evidence, Failure, Stored, judge, judge_failures, kept_of
from tests.provider import TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable

ENDED = datetime(2026, 2, 10, 12, tzinfo=UTC)
NEW, OLD = "2026-02-09T17:30:00+05:30", "2025-12-24T17:30:00+05:30"
ROOT = "main/2026/02/09/17"
TALKED, SILENT, GONE = "talked1", "silent1", "gone001"


def recording(name: str) -> dict[str, Any]:
    """Return the truth of a recording with this name."""
    return {
        "object": name,
        "url_path": f"/exotelrecordings/sandbox1/{name}",
        "bytes": 100 + len(name),
        "sha256": name.encode().hex().ljust(64, "0"),
    }


def call(sid: str, started_at: str, *names: str) -> dict[str, Any]:
    """Return the truth of a call with recordings of these names."""
    found = [recording(name) for name in names]
    return {
        "sid": sid,
        "kind": "mp3",
        "recorded": bool(found),
        "object": names[0] if names else None,
        "started_at": started_at,
        "recordings": found,
    }


TRUTH = [
    call(TALKED, NEW, "other_name.mp3", "other_name_2.mp3"),
    call(SILENT, NEW),
    call(GONE, OLD, "gone001.mp3"),
]


def sidecar(path: str, told: dict[str, Any]) -> str:
    """Return the sidecar of a recording at a path."""
    document = {
        "callvault": 1,
        "account": "main",
        "sid": TALKED,
        "file": path.rpartition("/")[2],
        "source": f"http://127.0.0.1{told['url_path']}",
        **{key: told[key] for key in ("object", "sha256", "bytes")},
    }
    return json.dumps(document)


def good(*, several: bool = False) -> Evidence:
    """Return what a run leaves that kept every promise."""
    told = {str(one["object"]) for one in TRUTH[0]["recordings"] if several}
    kept = kept_of(TRUTH[0], told=told)
    size = sum(told["bytes"] for told in kept.values())
    states = {"archived": 1, "absent": 1, "lost": 1}
    states |= dict.fromkeys(("failed", "expected", "leased", "excluded", "purged"), 0)
    counts = {"known": 3, "recordings": len(kept), "bytes": size, "balanced": True, "paused": None}
    return Evidence(
        truth=TRUTH,
        told=told,
        ended_at=ENDED,
        calls={TALKED: "archived", SILENT: "absent", GONE: "lost"},
        stored=[
            Stored(TALKED, told["object"], path, told["sha256"], told["bytes"])
            for path, told in kept.items()
        ],
        files={path: told["sha256"] for path, told in kept.items()},
        sidecars={
            f"{path.rpartition('.')[0]}.json": sidecar(path, dict(told))
            for path, told in kept.items()
        },
        strays=[],
        listed=sorted(kept),
        unsummed=[],
        secrets=[],
        status_code=0,
        status=counts | states,
        report_code=0,
        report=counts | {name: {"total": count} for name, count in states.items()},
        stats={"misplaced_credentials": 0, "elsewhere": {}, "api_peak_per_minute": 200},
        most_requests=200,
        last_drain=0,
        command_faults=[],
        odd_ends=[],
    )


PATH = f"{ROOT}/{TALKED}.mp3"
SIDECAR = f"{ROOT}/{TALKED}.json"


def changed(**fields: object) -> Callable[[Evidence], Evidence]:
    """Return what replaces fields of the evidence."""
    return lambda evidence: msgspec.structs.replace(evidence, **fields)


def also(field: str, more: object) -> Callable[[Evidence], Evidence]:
    """Return what adds to a field of the evidence: a dict's entries, or a list's."""

    def change(evidence: Evidence) -> Evidence:
        old = getattr(evidence, field)
        new = {**old, **more} if isinstance(more, dict) else [*old, more]
        return msgspec.structs.replace(evidence, **{field: new})

    return change


def without_sidecar(evidence: Evidence) -> Evidence:
    """Take the sidecar away."""
    return msgspec.structs.replace(evidence, sidecars={})


@pytest.mark.parametrize("several", [False, True])
def test_a_run_that_kept_every_promise_has_no_violation(several: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """With the first recording of each call, or with all of them."""
    assert judge(good(several=several)) == []


@pytest.mark.parametrize(
    ("change", "condition", "sid"),
    [
        (also("calls", {TALKED: "absent"}), "stands wrongly", TALKED),
        (also("calls", {TALKED: "lost"}), "stands wrongly", TALKED),
        (also("calls", {TALKED: "expected"}), "stands wrongly", TALKED),
        (also("calls", {SILENT: "archived"}), "stands wrongly", SILENT),
        (also("calls", {SILENT: "lost"}), "stands wrongly", SILENT),
        (also("calls", {SILENT: "failed"}), "stands wrongly", SILENT),
        (also("calls", {GONE: "absent"}), "stands wrongly", GONE),
        (also("calls", {"stranger": "absent"}), "stands wrongly", "stranger"),
        (changed(calls={TALKED: "archived", SILENT: "absent"}), "stands wrongly", GONE),
        (also("files", {PATH: "f" * 64}), "stored wrongly", TALKED),
        (changed(files={}), "stored wrongly", TALKED),
        (also("files", {f"{ROOT}/{SILENT}.mp3": "0" * 64}), "stored wrongly", SILENT),
        (also("files", {f"{ROOT}/{TALKED}.wav": "0" * 64}), "stored wrongly", TALKED),
        (without_sidecar, "stored wrongly", TALKED),
        (also("sidecars", {SIDECAR: "{}"}), "stored wrongly", TALKED),
        (
            also("sidecars", {SIDECAR: sidecar(PATH, {**recording("other_name.mp3"), "bytes": 1})}),
            "stored wrongly",
            TALKED,
        ),
        (also("sidecars", {SIDECAR: '{"callvault": 1,'}), "stored wrongly", TALKED),
        (also("strays", ".parts/abc.def.part"), "left behind", ""),
        (
            also("stored", Stored(TALKED, "other_name.mp3", "elsewhere.mp3", "0" * 64, 1)),
            "stored twice",
            TALKED,
        ),
        (changed(stored=[]), "recorded wrongly", TALKED),
        (
            changed(stored=[Stored(TALKED, "other_name.mp3", PATH, "0" * 64, 114)]),
            "recorded wrongly",
            TALKED,
        ),
        (
            changed(
                stored=[Stored(TALKED, "x.mp3", PATH, recording("other_name.mp3")["sha256"], 114)]
            ),
            "recorded wrongly",
            TALKED,
        ),
        (
            changed(
                stored=[
                    Stored(TALKED, "other_name.mp3", PATH, recording("other_name.mp3")["sha256"], 1)
                ]
            ),
            "recorded wrongly",
            TALKED,
        ),
        (also("unsummed", "main/2026/02/09: FAILED"), "checksums", ""),
        (changed(listed=[]), "checksums", ""),
        (changed(listed=[PATH, PATH]), "checksums", ""),
        (changed(status_code=1), "balance", ""),
        (changed(report_code=1), "balance", ""),
        (also("status", {"known": 2}), "balance", ""),
        (also("status", {"leased": 1}), "balance", ""),
        (also("status", {"bytes": 0}), "balance", ""),
        (also("status", {"paused": "chaos"}), "balance", ""),
        (also("report", {"archived": {"total": 0}}), "balance", ""),
        (also("report", {"balanced": False}), "balance", ""),
        (changed(last_drain=5), "balance", ""),
        (also("stats", {"misplaced_credentials": 1}), "credentials", ""),
        (also("stats", {"elsewhere": {"200": 1}}), "credentials", ""),
        (also("secrets", "state/catalog.db"), "credentials", ""),
        (also("stats", {"api_peak_per_minute": 201}), "limit", ""),
        (also("command_faults", "callvault status ended with 1"), "commands", ""),
        (also("odd_ends", "ended with 2"), "runs", ""),
    ],
)
def test_each_violation_is_found(
    change: Callable[[Evidence], Evidence], condition: str, sid: str
) -> None:
    """Whatever is made wrong in a good run is told by its condition and its call."""
    found = {(one.condition, one.sid) for one in judge(change(good()))}
    assert (condition, sid) in found


def test_a_secret_in_a_sidecar_is_found() -> None:
    """Also where everything else in it is right."""
    evidence = good()
    text = evidence.sidecars[SIDECAR].replace("127.0.0.1", f"{TOKEN}@127.0.0.1")
    (violation,) = judge(msgspec.structs.replace(evidence, sidecars={SIDECAR: text}))
    assert TOKEN in violation.found


def test_no_check_is_idle() -> None:
    """Each check finds something in a run that broke every promise."""
    bad = msgspec.structs.replace(
        good(),
        calls={},
        stored=[],
        listed=[],
        status_code=1,
        stats={"misplaced_credentials": 1, "elsewhere": {}, "api_peak_per_minute": 999},
        odd_ends=["ended with 2"],
    )
    assert all(list(check(bad)) for check in CHECKS)


def test_a_further_recording_that_is_missing_is_found() -> None:
    """Where all recordings of a call are kept, its first one alone is not enough."""
    evidence = good(several=True)
    kept = {path: told for path, told in evidence.files.items() if path == PATH}
    found = judge(msgspec.structs.replace(evidence, files=kept))
    assert ("stored wrongly", TALKED) in {(one.condition, one.sid) for one in found}
    assert len(evidence.files) == 2


def test_a_recording_that_was_deleted_meanwhile_may_be_archived_or_lost() -> None:
    """What came before its deletion is kept: its bytes are checked like any other's."""
    path = "main/2025/12/24/17/gone001.mp3"
    told = recording("gone001.mp3")
    evidence = msgspec.structs.replace(good(), calls={**good().calls, GONE: "archived"})
    assert {"stands wrongly"}.isdisjoint(one.condition for one in judge(evidence))
    assert any(path in one.found for one in judge(evidence))
    right = msgspec.structs.replace(evidence, files={**evidence.files, path: told["sha256"]})
    assert not any(f"{path} is None" in one.found for one in judge(right))


@pytest.mark.parametrize(
    ("state", "reason", "looks", "rightly", "wrongly"),
    [
        ("failed", "body-short", ["fetch-timeout"] * 4, 1, 0),
        ("failed", "body-short", ["fetch-timeout"] * 3, 0, 1),
        ("failed", "body-short", ["not-ready"] * 9, 0, 1),
        ("failed", "internal-error", ["fetch-timeout"] * 9, 0, 1),
        ("failed", "call-unknown", ["fetch-timeout"] * 9, 0, 1),
        ("failed", "fetch-bad-address", ["fetch-timeout"] * 9, 0, 1),
        ("lost", "fetch-gone", ["fetch-gone"] * 3, 0, 0),
    ],
)
def test_only_passing_faults_may_lead_to_failed(
    state: str, reason: str, looks: list[str], rightly: int, wrongly: int
) -> None:
    """Enough of them, of the download; what is lost is judged by the truth at the end."""
    found = judge_failures([Failure("abcdef", state, reason, looks)])
    assert (rightly, wrongly) == (len(found[0]), len(found[1]))
