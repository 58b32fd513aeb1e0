"""What is lost of an archive is noticed, and comes back from what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.acceptance.proof import assert_archive_is_true, assert_manifests_tell_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

SETTLED = "SELECT sid, state, reason, day, delete_by_ms, settled_ms, status FROM calls ORDER BY sid"
SEEN = "SELECT * FROM sightings ORDER BY sid"
KEPT = "SELECT * FROM recordings ORDER BY path"


def full(begin: Callable[..., Vault], *options: str) -> Vault:
    """Begin with an archive that is complete."""
    vault = begin("--calls", "120", *options)
    vault.good("enqueue", "cdr", "calls.csv")
    vault.good("work", "--drain")
    return vault


def lose_catalog(vault: Vault) -> None:
    """Remove the catalog with its companions."""
    for file in vault.catalog.parent.glob("catalog.db*"):
        file.unlink()


def told(vault: Vault) -> list[tuple[Any, ...]]:
    """Return what the catalog knows."""
    return [row for sql in (SETTLED, SEEN, KEPT) for row in vault.rows(sql)]


def test_a_lost_catalog_is_rebuilt_and_nothing_is_asked_again(begin: Callable[..., Vault]) -> None:
    """It knows every call as before, absent ones too: a drain has nothing to do."""
    vault = full(begin)
    before = told(vault)
    lose_catalog(vault)
    assert vault.provider is not None
    vault.provider.reset()

    done = vault.good("rebuild")

    assert before == told(vault)
    assert "knows 120 calls" in done.out
    vault.good("work", "--drain")
    assert_archive_is_true(vault)
    assert vault.provider.stats()["downloads"]["total"] == 0
    assert vault.provider.stats()["api_requests"] == 0
    vault.run("rebuild").says(2, "knows 120 calls", "move it away")


def test_what_a_rebuild_misses_is_fetched_again(begin: Callable[..., Vault]) -> None:
    """Missing and damaged recordings and those calls alone; the wrong file is set aside."""
    vault = full(begin, "--mix", "clean")
    paths = sorted(vault.recordings())
    (vault.root / paths[0]).unlink()
    (vault.root / paths[1]).write_bytes(b"not what it was")
    lose_catalog(vault)
    assert vault.provider is not None
    vault.provider.reset()

    vault.run("rebuild", "--no-progress").says(6, paths[0], paths[1], "file-missing")
    vault.good("work", "--drain")

    assert vault.archived() == 120
    assert vault.provider.stats()["downloads"]["total"] == 2
    truth = {call["sid"]: call["sha256"] for call in vault.provider.truth()}
    kept = {path.rpartition("/")[2].partition(".")[0]: h for path, h in vault.recordings().items()}
    assert truth == kept
    assert_manifests_tell_all(vault)
    (aside,) = (vault.root / ".quarantine" / "main").iterdir()
    assert aside.read_bytes() == b"not what it was"
