"""Gathering what a run left: the catalog, the files, what commands say and the provider counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from archive.layout import CHECKSUMS, MANIFEST
from archive.roots import MARK_FILE
from tests.acceptance.proof import checksum_faults, checksummed
from tests.chaos.judge import Evidence, Failure, Stored
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from tests.acceptance.vault import Done, Vault

_AUDIO: Final = frozenset({".mp3", ".wav"})
_CHUNK: Final = 2**20
_RECORDINGS: Final = "SELECT sid, object_name, path, sha256, bytes FROM recordings"
_TROUBLED: Final = "SELECT sid, state, reason FROM calls WHERE state IN ('failed', 'lost')"


def gather(
    vault: Vault,
    truth: Sequence[Mapping[str, Any]],
    *,
    told: AbstractSet[str],
    most_requests: int,
    last_drain: int,
    command_faults: Sequence[str],
    odd_ends: Sequence[str],
) -> Evidence:
    """Read everything; nothing may run in the vault any more."""
    assert vault.provider is not None
    status, report = vault.run("status", "--json"), vault.run("report", "--json")
    return Evidence(
        truth=truth,
        told=told,
        ended_at=datetime.now(UTC),
        calls=dict(vault.rows("SELECT sid, state FROM calls")),
        stored=[Stored(*row) for row in vault.rows(_RECORDINGS)],
        files=vault.recordings(),
        sidecars={
            str(path.relative_to(vault.root)): path.read_text(encoding="utf-8")
            for path in (vault.root / "main").rglob("*.json")
        },
        strays=list(_strays(vault.root)),
        listed=checksummed(vault.root),
        unsummed=checksum_faults(vault.root),
        secrets=list(_secrets(vault.folder)),
        status_code=status.code,
        status=_document(status),
        report_code=report.code,
        report=_document(report),
        stats=vault.provider.stats(),
        most_requests=most_requests,
        last_drain=last_drain,
        command_faults=command_faults,
        odd_ends=odd_ends,
    )


def failures(vault: Vault) -> list[Failure]:
    """Return the calls that failed or were lost, with the reasons of their looks in order."""
    return [
        Failure(sid, state, reason, _looks(vault, sid))
        for sid, state, reason in vault.rows(_TROUBLED)
    ]


def _looks(vault: Vault, sid: str) -> list[str]:
    # A Sid of the sandbox is letters and digits.
    assert sid.isalnum()
    rows = vault.rows(f"SELECT reason FROM looks WHERE sid = '{sid}' ORDER BY rowid")  # noqa: S608
    return [reason for (reason,) in rows]


def _document(done: Done) -> dict[str, Any]:
    try:
        return done.json
    except ValueError:
        return {}


def _strays(root: Path) -> Iterator[str]:
    """Name what lies below the root and is neither a recording nor a file of the format."""
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_dir() or name == MARK_FILE or name.startswith(".quarantine/"):
            continue
        if name.startswith("main/") and (
            path.suffix in {*_AUDIO, ".json"} or path.name in {CHECKSUMS, MANIFEST}
        ):
            continue
        yield name


def _secrets(folder: Path) -> Iterator[str]:
    """Name the files in which the key or the token stands, whoever wrote them."""
    wanted = [word.encode() for word in (KEY, TOKEN)]
    for path in sorted(folder.rglob("*")):
        # The recordings are the provider's bytes, and each is held against its hash.
        if path.is_file() and path.suffix not in _AUDIO and _has_any(path, wanted):
            yield str(path.relative_to(folder))


def _has_any(path: Path, wanted: Sequence[bytes]) -> bool:
    longest = max(map(len, wanted))
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            seen = tail + chunk
            if any(word in seen for word in wanted):
                return True
            tail = seen[-longest:]
    return False


def story_of(vault: Vault, sid: str) -> str:
    """Return what `explain` tells of a call."""
    if not sid:
        return ""
    done = vault.run("explain", sid)
    return done.out or done.err
