"""What is lost of an archive is noticed, and comes back from what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.acceptance.proof import assert_archive_is_true, assert_manifests_tell_all
from tests.acceptance.vault import until

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


def test_damage_is_found_and_fetched_again(begin: Callable[..., Vault]) -> None:
    """Deleted, changed, cut and moved files and lists: verify names them, and all come back."""
    vault = full(begin, "--mix", "clean")
    vault.good("verify", "--no-progress")
    paths = sorted(vault.recordings())
    bodies = [(vault.root / path).read_bytes() for path in paths[:4]]
    (vault.root / paths[0]).unlink()
    (vault.root / paths[1]).write_bytes(bytes([bodies[1][0] ^ 1]) + bodies[1][1:])
    (vault.root / paths[2]).write_bytes(bodies[2][:-1])
    (vault.root / paths[3]).rename(vault.root / "main" / "moved.mp3")
    (vault.root / paths[4]).with_suffix(".json").unlink()
    for file in vault.root.rglob("SHA256SUMS"):
        file.unlink()
    assert vault.provider is not None
    vault.provider.reset()

    done = vault.run("verify", "--no-progress")
    assert done.code == 6
    for kind, path in zip(["missing", "changed", "truncated", "missing"], paths, strict=False):
        assert f"{kind}  {path}" in done.out
    assert "misnamed  main/moved.mp3" in done.out
    assert "119  of them on disk" not in done.out
    assert "118  of them on disk" in done.out

    repaired = vault.run("verify", "--repair", "--no-progress", "--json")
    assert repaired.code == 5, repaired
    lists = len({path[: len("main/2026/11/22")] for path in paths})
    assert repaired.json["repaired"] == {
        "moved back": 2,
        "to be fetched again": 3,
        "written anew": 1,
        "to be written anew": lists,
    }
    vault.good("work", "--drain")

    vault.good("verify", "--no-progress", "--limit-rate", "100M")
    assert vault.archived() == 120
    assert vault.provider.stats()["downloads"]["total"] == 3
    truth = {call["sid"]: call["sha256"] for call in vault.provider.truth()}
    kept = {path.rpartition("/")[2].partition(".")[0]: h for path, h in vault.recordings().items()}
    assert truth == kept
    assert_manifests_tell_all(vault)
    reasons = sorted(path.suffix for path in (vault.root / ".quarantine" / "main").iterdir())
    assert reasons == [".changed", ".truncated"]


def test_verify_beside_workers_tells_no_lies(begin: Callable[..., Vault]) -> None:
    """While calls are being archived nothing is missing and nothing too many."""
    vault = begin("--calls", "400", "--mix", "clean", "--bytes", "60KB")
    vault.configure(worker={"processes": 1, "downloads": 4, "batch": 40})
    vault.good("enqueue", "cdr", "calls.csv")
    looks = 0
    with vault.started("work", "--drain") as work:
        until(lambda: vault.archived() >= 20, while_running=work)
        while vault.archived() < 400:
            done = vault.run("verify", "--no-progress", "--json")
            assert done.code == 0, done
            looks += 1
        assert work.wait().code == 0
    assert looks > 0
    assert vault.good("verify", "--json").json["on_disk"] == 400
