"""The check of a whole archive against the provider's own truth."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any

from archive.layout import stem_of
from tests.provider import KEY, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.vault import Vault


def expected_path(call: dict[str, Any], number: int = 1) -> str:
    """Return where a call's recording has to lie, from when it began in the account's zone."""
    began = datetime.fromisoformat(call["started_at"])
    suffix = call["object"].rpartition(".")[2]
    return f"main/{began:%Y/%m/%d/%H}/{stem_of(call['sid'], number)}.{suffix}"


def recordings_of(truth: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Return for each recording the path where it has to lie, its call, and what is true of it."""
    return [
        (expected_path(call, number), call, recording)
        for call in truth
        for number, recording in enumerate(call["recordings"], start=1)
    ]


def assert_archive_is_true(vault: Vault) -> list[dict[str, Any]]:
    """Check every file, sidecar and checksum list, and every call that has none; return the truth.

    Holds for an archive whose calls are all settled and whose recordings all exist.
    """
    assert vault.provider is not None
    truth = vault.provider.truth()
    recorded = recordings_of(truth)

    assert {path: one["sha256"] for path, _, one in recorded} == vault.recordings()
    states = dict(vault.rows("SELECT sid, state FROM calls"))
    expected = {call["sid"]: "archived" if call["recorded"] else "absent" for call in truth}
    assert expected == states
    for path, call, one in recorded:
        _assert_sidecar_agrees(vault.root, path, call, one)
    _assert_checksums_pass(vault.root, len(recorded))
    assert_manifests_tell_all(vault)
    assert vault.parts() == []
    assert not (vault.root / ".quarantine").exists()
    assert vault.provider.stats()["misplaced_credentials"] == 0
    return truth


def assert_manifests_tell_all(vault: Vault) -> None:
    """Check that each known call stands in one line, with its state and recordings, no secrets."""
    told: dict[str, tuple[str, list[str]]] = {}
    for file in (*vault.root.glob("*/manifest.jsonl"), *vault.root.glob("*/*/*/*/manifest.jsonl")):
        text = file.read_text(encoding="utf-8")
        for secret in (KEY, TOKEN, "?", "Signature", "Basic "):
            assert secret not in text
        for line in map(json.loads, text.splitlines()):
            assert line["sid"] not in told, "a call is told of once"
            below = file.parent.relative_to(vault.root)
            files = [str(below / recording["file"]) for recording in line["recordings"]]
            told[line["sid"]] = (line["state"], files)
    recordings: dict[str, list[str]] = {}
    for sid, path in vault.rows("SELECT sid, path FROM recordings"):
        recordings.setdefault(sid, []).append(path)
    states = vault.rows("SELECT sid, state FROM calls")
    assert {sid: (state, recordings.get(sid, [])) for sid, state in states} == told


def _assert_sidecar_agrees(
    root: Path, path: str, call: dict[str, Any], recording: dict[str, Any]
) -> None:
    """Check one sidecar: whose recording it is, what the file is, nothing secret."""
    text = (root / path).with_suffix(".json").read_text(encoding="utf-8")
    assert sidecar_faults(text, path, call["sid"], recording) == []


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
