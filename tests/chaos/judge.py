"""The check of a run's end: what was promised, held against the provider's own truth.

A pure function of the evidence; how that is gathered is in `tests.chaos.evidence`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.acceptance.proof import expected_path, sidecar_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

_RETENTION: Final = timedelta(days=30)
_PASSING: Final = ("fetch-", "body-")
_NEVER: Final = ("fetch-forbidden-address", "fetch-bad-address")
_ENOUGH_SETBACKS: Final = 4
"""The fewest setbacks that the table of verdicts takes for enough: see docs/verdicts.md."""


class Violation(msgspec.Struct, frozen=True):
    """A condition that does not hold: of which call (empty: of none), and what was found."""

    condition: str
    sid: str
    found: str


class Stored(msgspec.Struct, frozen=True):
    """A row of the catalog's recordings."""

    sid: str
    object_name: str
    path: str
    sha256: str
    bytes: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run left.

    ``calls`` has each known call's state; ``files`` the SHA-256 of each audio file and
    ``sidecars`` the text of each sidecar by its path below the root; ``strays`` what lies there and
    has no business to; ``listed`` the paths in the days' SHA256SUMS, and ``unsummed`` what
    sha256sum says of them; ``secrets`` the files in which a credential stands. ``told`` are the
    objects that exports told of, beside the API. ``most_requests`` in a minute are allowed.
    """

    truth: Sequence[Mapping[str, Any]]
    told: AbstractSet[str]
    ended_at: datetime
    calls: Mapping[str, str]
    stored: Sequence[Stored]
    files: Mapping[str, str]
    sidecars: Mapping[str, str]
    strays: Sequence[str]
    listed: Sequence[str]
    unsummed: Sequence[str]
    secrets: Sequence[str]
    status_code: int
    status: Mapping[str, Any]
    report_code: int
    report: Mapping[str, Any]
    stats: Mapping[str, Any]
    most_requests: int
    last_drain: int
    command_faults: Sequence[str]
    odd_ends: Sequence[str]


class Failure(msgspec.Struct, frozen=True):
    """A call that failed or was lost in the first part of a run, with the reasons of its looks."""

    sid: str
    state: str
    reason: str
    looks: Sequence[str]


def judge(evidence: Evidence) -> list[Violation]:
    """Return everything that is not as it should be."""
    return [violation for check in CHECKS for violation in check(evidence)]


def judge_failures(failures: Sequence[Failure]) -> tuple[list[str], list[Violation]]:
    """Tell apart who rightly failed (their Sids) and who should not have.

    The provider spoils three answers in a row at most, and then serves rightly: no call is given up
    for its faults alone. But where a right answer came in vain, because its worker was killed or
    its disk was full, three more may follow. So a call may rightly have failed of passing faults of
    its download, if its looks show at least four; it is put back, and has to be archived then.
    """
    rightly, violations = [], []
    for one in failures:
        setbacks = sum(look.startswith(_PASSING) for look in one.looks)
        passing = one.reason.startswith(_PASSING) and one.reason not in _NEVER
        if one.state == "failed" and passing and setbacks >= _ENOUGH_SETBACKS:
            rightly.append(one.sid)
        elif one.state == "failed":
            found = f"failed for {one.reason} after {list(one.looks)}"
            violations.append(Violation("failed wrongly", one.sid, found))
    return rightly, violations


def kept_of(call: Mapping[str, Any], *, told: AbstractSet[str]) -> dict[str, Mapping[str, Any]]:
    """Return the recordings of a call that are to be kept, by their path below the root.

    They are the API's own, and what an export told of: of what had just ended it knew none yet.
    """
    recordings = [
        recording
        for place, recording in enumerate(call["recordings"])
        if place == 0 or recording["object"] in told
    ]
    first = expected_path(dict(call)) if recordings else ""
    paths = {}
    for place, recording in enumerate(recordings, 1):
        stem, _, _ = first.rpartition(".")
        suffix = recording["object"].rpartition(".")[2]
        paths[f"{stem}{'' if place == 1 else f'_{place}'}.{suffix}"] = recording
    return paths


def _settles_rightly(evidence: Evidence) -> Iterator[Violation]:
    """Every recording that the provider has is archived; what is absent or lost truly is so."""
    for call in evidence.truth:
        sid, state = call["sid"], evidence.calls.get(call["sid"], "unknown")
        allowed = _allowed(call, evidence.ended_at)
        if state not in allowed:
            found = f"it is {state}, and has to be {' or '.join(sorted(allowed))}"
            yield Violation("stands wrongly", sid, f"{found} ({call['kind']})")
    for sid in evidence.calls.keys() - {call["sid"] for call in evidence.truth}:
        yield Violation("stands wrongly", sid, "the provider knows no such call")


def _allowed(call: Mapping[str, Any], now: datetime) -> set[str]:
    deleted_at = datetime.fromisoformat(call["started_at"]) + _RETENTION
    is_over = deleted_at <= now
    if call["recorded"]:
        return {"archived", "lost"} if is_over else {"archived"}
    # Where a recording would be deleted by now, nobody can say that there was none.
    return {"absent", "lost"} if is_over else {"absent"}


def _keeps_what_it_should(evidence: Evidence) -> Iterator[Violation]:
    """Each archived call has its files with the right bytes; nothing else is there."""
    expected = {}
    for call in evidence.truth:
        if evidence.calls.get(call["sid"]) != "archived":
            continue
        for path, recording in kept_of(call, told=evidence.told).items():
            expected[path] = call["sid"]
            yield from _is_right(evidence, call["sid"], path, recording)
    for path in evidence.files.keys() - expected.keys():
        yield Violation("stored wrongly", _sid_of(path), f"{path} should not be there")
    for path in evidence.strays:
        yield Violation("left behind", "", path)


def _is_right(
    evidence: Evidence, sid: str, path: str, recording: Mapping[str, Any]
) -> Iterator[Violation]:
    found = evidence.files.get(path)
    if found != recording["sha256"]:
        yield Violation("stored wrongly", sid, f"{path} is {found}, not {recording['sha256']}")
    sidecar = evidence.sidecars.get(path.rpartition(".")[0] + ".json")
    if sidecar is None:
        yield Violation("stored wrongly", sid, f"{path} has no sidecar")
        return
    for fault in sidecar_faults(sidecar, path, sid, dict(recording)):
        yield Violation("stored wrongly", sid, f"the sidecar of {path}: {fault}")


def _records_what_it_keeps(evidence: Evidence) -> Iterator[Violation]:
    """Each file is one row of the catalog, and each row is a file with its bytes."""
    rows: dict[str, Stored] = {}
    objects: set[tuple[str, str]] = set()
    for row in evidence.stored:
        if row.path in rows or (row.sid, row.object_name) in objects:
            yield Violation("stored twice", row.sid, f"{row.object_name} at {row.path}")
        rows[row.path] = row
        objects.add((row.sid, row.object_name))
        if evidence.files.get(row.path) != row.sha256:
            yield Violation("recorded wrongly", row.sid, f"{row.path} has other bytes, or none")
    truth = {
        path: recording
        for call in evidence.truth
        for path, recording in kept_of(call, told=evidence.told).items()
    }
    for path in evidence.files:
        if path not in rows:
            yield Violation("recorded wrongly", _sid_of(path), f"no row has {path}")
        elif path in truth and truth[path]["object"] != rows[path].object_name:
            yield Violation("recorded wrongly", rows[path].sid, rows[path].object_name)
        elif path in truth and truth[path]["bytes"] != rows[path].bytes:
            yield Violation("recorded wrongly", rows[path].sid, f"{rows[path].bytes} bytes")


def _lists_every_file(evidence: Evidence) -> Iterator[Violation]:
    """`sha256sum -c` is silent for every day, and the lists have every file once."""
    for said in evidence.unsummed:
        yield Violation("checksums", "", said)
    if sorted(evidence.listed) != sorted(evidence.files):
        odd = set(evidence.listed) ^ set(evidence.files)
        found = f"in the lists or on the disk alone: {sorted(odd)[:5]}" if odd else "listed twice"
        yield Violation("checksums", "", found)


def _balances(evidence: Evidence) -> Iterator[Violation]:
    """`status` and `report` end with 0, and their numbers are those of the truth."""
    states = [evidence.calls.get(call["sid"]) for call in evidence.truth]
    kept = [
        recording["bytes"]
        for call in evidence.truth
        if evidence.calls.get(call["sid"]) == "archived"
        for recording in kept_of(call, told=evidence.told).values()
    ]
    expected = {"known": len(evidence.truth), "recordings": len(kept), "bytes": sum(kept)}
    counts = {name: states.count(name) for name in ("archived", "absent", "lost", "failed")}
    counts |= dict.fromkeys(("expected", "leased", "excluded", "purged"), 0)
    expected |= {"balanced": True, "paused": None}
    reported = {
        **{name: evidence.report.get(name) for name in expected},
        **{name: (evidence.report.get(name) or {}).get("total") for name in counts},
    }
    for name, code, told in (
        ("status", evidence.status_code, evidence.status),
        ("report", evidence.report_code, reported),
    ):
        if code:
            yield Violation("balance", "", f"{name} ended with {code}")
        for key, value in (expected | counts).items():
            if told.get(key) != value:
                found = f"{name} says {key} {told.get(key)!r}, and it is {value!r}"
                yield Violation("balance", "", found)
    if evidence.last_drain:
        yield Violation("balance", "", f"the last drain ended with {evidence.last_drain}")


def _keeps_secrets(evidence: Evidence) -> Iterator[Violation]:
    """No credential went where it must not, and none was written down."""
    misplaced = evidence.stats["misplaced_credentials"]
    if misplaced:
        yield Violation("credentials", "", f"{misplaced} requests had them misplaced")
    if evidence.stats["elsewhere"]:
        found = f"redirects were followed: {evidence.stats['elsewhere']}"
        yield Violation("credentials", "", found)
    for path in evidence.secrets:
        yield Violation("credentials", "", f"a key or token stands in {path}")


def _keeps_the_limit(evidence: Evidence) -> Iterator[Violation]:
    """No minute had more requests than the provider allows."""
    peak = evidence.stats["api_peak_per_minute"]
    if peak > evidence.most_requests:
        found = f"{peak} requests in a minute, {evidence.most_requests} are allowed"
        yield Violation("limit", "", found)


def _ends_well(evidence: Evidence) -> Iterator[Violation]:
    """Every command beside the work ended well, and every run in a way that is documented."""
    for said in evidence.command_faults:
        yield Violation("commands", "", said)
    for said in evidence.odd_ends:
        yield Violation("runs", "", said)


CHECKS: Final[Sequence[Callable[[Evidence], Iterator[Violation]]]] = (
    _settles_rightly,
    _keeps_what_it_should,
    _records_what_it_keeps,
    _lists_every_file,
    _balances,
    _keeps_secrets,
    _keeps_the_limit,
    _ends_well,
)


def _sid_of(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]
