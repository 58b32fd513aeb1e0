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
        for secret in (KEY, TOKEN, "?", "Signature", "Basic ", "http"):
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


def _assert_sidecar_agrees(root: Path, call: dict[str, Any]) -> None:
    """Check one sidecar: whose recording it is, what the file is, nothing secret."""
    path = expected_path(call)
    text = (root / path).with_suffix(".json").read_text(encoding="utf-8")
    told = json.loads(text)
    expected = {
        "callvault": 1,
        "account": "main",
        "sid": call["sid"],
        "file": path.rpartition("/")[2],
        "object": call["object"],
        "sha256": call["sha256"],
        "bytes": call["bytes"],
    }
    assert expected == {key: told[key] for key in expected}
    assert call["url_path"] == f"/exotelrecordings/sandbox1/{told['source'].rpartition('/')[2]}"
    for secret in (KEY, TOKEN, "?", "Signature", "Basic "):
        assert secret not in text


def _assert_checksums_pass(root: Path, recordings: int) -> None:
    """Check that ``sha256sum -c`` accepts every day's list, and that they list everything."""
    lists = sorted(root.glob("main/*/*/*/SHA256SUMS"))
    assert recordings == sum(len(path.read_text().splitlines()) for path in lists)
    for path in lists:
        subprocess.run(  # noqa: S603 - coreutils, no shell
            ["sha256sum", "--check", "--strict", "--quiet", path.name],  # noqa: S607
            cwd=path.parent,
            check=True,
        )
