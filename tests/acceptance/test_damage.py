"""Recordings that are damaged where nothing of the HTTP tells so: kept, flagged, and told of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archive.flags import FLAGS
from tests.acceptance.proof import assert_archive_is_true, expected_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault


@pytest.mark.parametrize(
    ("kind", "size", "flag"),
    [
        ("mp3", "200KB", "cut"),
        ("mp3", "3MB", "cut"),
        ("wav", "200KB", "shorter-than-header"),
    ],
)
def test_cut_recordings_are_kept_and_flagged(
    begin: Callable[..., Vault], tmp_path: Path, kind: str, size: str, flag: str
) -> None:
    """Length and ETag fit what was sent, so it is what the provider has: kept, and no failure.

    In memory and in part files. The report counts them, the sidecar has what was found, and
    `explain` says what it means.
    """
    rules = [{"kind": "cut", "where": "hosts", "parameters": {"keep": 0.45}}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    options = ("--calls", "3", "--mix", "clean", "--format", kind, "--bytes", size)
    vault = begin(*options, "--faults-file", str(tmp_path / "rules.json"))

    vault.good("run", "calls.csv", "--drain")

    assert vault.provider is not None
    truth = vault.provider.truth()
    expected = {expected_path(call): int(call["bytes"] * 0.45) for call in truth}
    assert expected == {name: (vault.root / name).stat().st_size for name in vault.recordings()}
    assert vault.good("report", "--json").json["flagged"] == {flag: 3}
    for name in expected:
        sidecar = json.loads((vault.root / name).with_suffix(".json").read_text())
        assert flag == sidecar["audio"]["damage"]
        story = vault.good("explain", Path(name).stem).out
        assert f"flagged {flag}: {FLAGS[flag]}" in story


@pytest.mark.parametrize(
    ("kind", "size"), [("mp3", "200KB"), ("mp3", "3MB"), ("wav", "200KB"), ("wav", "3MB")]
)
def test_what_was_cut_on_its_way_comes_whole_the_second_time(
    begin: Callable[..., Vault], tmp_path: Path, kind: str, size: str
) -> None:
    """A damaged recording is fetched once more before it is taken for what the provider has."""
    rules = [{"kind": "cut", "where": "hosts", "in_row": 1, "parameters": {"keep": 0.45}}]
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    options = ("--calls", "3", "--mix", "clean", "--format", kind, "--bytes", size)
    vault = begin(*options, "--faults-file", str(tmp_path / "rules.json"))

    vault.good("run", "calls.csv", "--drain")

    assert_archive_is_true(vault)
    assert vault.good("report", "--json").json["flagged"] == {}
    assert vault.rows("SELECT DISTINCT reason FROM looks") == [("",)]
