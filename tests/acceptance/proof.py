"""The check of a whole archive against the provider's own truth."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.vault import Vault


def expected_path(call: dict[str, Any]) -> str:
    """Return where a call's recording has to lie, from when it began in the account's zone."""
    began = datetime.fromisoformat(call["started_at"])
    suffix = call["object"].rpartition(".")[2]
    return f"main/{began:%Y/%m/%d/%H}/{call['sid']}.{suffix}"


def assert_archive_is_true(vault: Vault) -> list[dict[str, Any]]:
    """Check every file, sidecar and checksum list, and every call that has none; return the truth.

    Holds for an archive whose calls are all settled and whose recordings all exist.
    """
    assert vault.provider is not None
    truth = vault.provider.truth()
    recorded = [call for call in truth if call["recorded"]]

    assert {expected_path(call): call["sha256"] for call in recorded} == vault.recordings()
    states = dict(vault.rows("SELECT sid, state FROM calls"))
    expected = {call["sid"]: "archived" if call["recorded"] else "absent" for call in truth}
    assert expected == states
    for call in recorded:
        _assert_sidecar_agrees(vault.root, call)
    _assert_checksums_pass(vault.root, len(recorded))
    assert vault.parts() == []
    assert not (vault.root / ".quarantine").exists()
    assert vault.provider.stats()["misplaced_credentials"] == 0
    return truth


def _assert_sidecar_agrees(root: Path, call: dict[str, Any]) -> None:
    """Check one sidecar: whose recording it is, what the file is, nothing secret."""
    path = expected_path(call)
    text = (root / path).with_suffix(".json").read_text(encoding="utf-8")
    assert sidecar_faults(text, path, call["sid"], call) == []


def sidecar_faults(text: str, path: str, sid: str, recording: dict[str, Any]) -> list[str]:
    """Return what a sidecar tells wrongly of the recording at a path, or should not tell at all.

    ``recording`` is the truth: its object's name and path at the host, bytes and SHA-256.
    """
    try:
        told = json.loads(text)
    except ValueError:
        return ["it is no JSON"]
    expected = {
        "callvault": 1,
        "account": "main",
        "sid": sid,
        "file": path.rpartition("/")[2],
        "object": recording["object"],
        "sha256": recording["sha256"],
        "bytes": recording["bytes"],
    }
    faults = [
        f"{key} is {told.get(key)!r}, not {value!r}"
        for key, value in expected.items()
        if told.get(key) != value
    ]
    source = str(told.get("source"))
    if recording["url_path"] != f"/exotelrecordings/sandbox1/{source.rpartition('/')[2]}":
        faults.append(f"the source is {source}")
    secrets = (KEY, TOKEN, "?", "Signature", "Basic ")
    return faults + [f"it has {secret!r} in it" for secret in secrets if secret in text]


def _assert_checksums_pass(root: Path, recordings: int) -> None:
    """Check that ``sha256sum -c`` accepts every day's list, and that they list everything."""
    assert recordings == len(checksummed(root))
    assert checksum_faults(root) == []


def checksummed(root: Path) -> list[str]:
    """Return the paths below the root that the days' lists have, one for each line."""
    return [
        str(path.parent.relative_to(root) / line.partition("  ")[2])
        for path in _checksum_lists(root)
        for line in path.read_text().splitlines()
    ]


def checksum_faults(root: Path) -> list[str]:
    """Return what ``sha256sum -c`` says of every day's list; it is silent where all is right."""
    faults = []
    for path in _checksum_lists(root):
        done = subprocess.run(  # noqa: S603 - coreutils, no shell
            ["sha256sum", "--check", "--strict", "--quiet", path.name],  # noqa: S607
            cwd=path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or done.stdout or done.stderr:
            faults.append(f"{path.parent.relative_to(root)}: {done.stdout}{done.stderr}".strip())
    return faults


def _checksum_lists(root: Path) -> list[Path]:
    return sorted(root.glob("main/*/*/*/SHA256SUMS"))
