"""An archive's root that is not mounted: nobody who looks says that all is well."""

from __future__ import annotations

import secrets
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from archive.catalog import roots, troubles
from archive.errors import Exit
from archive.roots import Root, RootFiles, missing_at
from tests.unit.books import NOW, SIDS
from tests.unit.vaulted import sound
from worker.live.gather import Gatherer
from worker.settings import load_settings
from worker.troubled import with_root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.vaulted import Vaulted

DAY = ("report", "--day", "2026-02-09")
HOST = socket.gethostname()
OURS = Root(number=1, mark="a" * 16, places=(("one", "/r"),), has_recordings=True)
THEIRS = Root(number=2, mark="b" * 16, places=(("two", "/r"),), has_recordings=True)
EMPTY = Root(number=1, mark="a" * 16, places=(("one", "/r"),))
STRANGE = "it has the mark of another root"
BARE = "it has neither mark nor recordings"


@pytest.fixture
def kept(vaulted: Vaulted) -> Vaulted:
    """An archive with a recording, whose root a worker of this host has registered."""
    vaulted.archive(SIDS[0], sound(1))
    vaulted.write_days()
    register(vaulted)
    return vaulted


def register(vaulted: Vaulted, *, host: str = HOST, shared: bool = True) -> None:
    """Register a root as a worker does when it starts."""
    with vaulted.books.database.write() as tx:
        roots.register(
            tx,
            RootFiles(vaulted.root),
            host=host,
            shared=shared,
            fresh_mark=secrets.token_hex(8),
            now=NOW,
        )


def emptied(root: Path) -> None:
    """Leave the mount point of a disk that is not mounted."""
    shutil.rmtree(root)
    root.mkdir()


def replaced(root: Path) -> None:
    """Mount another archive in its place."""
    shutil.rmtree(root)
    RootFiles(root).give("f" * 16)


def unreadable(root: Path) -> None:
    """Have something for a mark that is none."""
    (root / ".root").write_text("../../etc")


def a_file(root: Path) -> None:
    """Have a file where the folder was."""
    shutil.rmtree(root)
    root.write_text("no folder")


@pytest.mark.parametrize(
    ("known", "mark", "at", "holds", "expected"),
    [
        # In its place, by its mark or, where that was lost, by what lies in it.
        ([OURS, THEIRS], "a" * 16, ("one", "/r"), 0, ""),
        ([OURS, THEIRS], "", ("one", "/r"), 1, ""),
        # Moved to another folder of the same host.
        ([OURS, THEIRS], "a" * 16, ("one", "/new"), 0, ""),
        # Not there: unmounted, another's disk, or settings that name another folder.
        ([OURS, THEIRS], "", ("one", "/r"), 0, BARE),
        ([OURS, THEIRS], "", ("one", "/new"), 0, BARE),
        ([OURS, THEIRS], "b" * 16, ("one", "/r"), 0, STRANGE),
        ([OURS, THEIRS], "c" * 16, ("one", "/r"), 0, STRANGE),
        # Nothing is missed in a root that has nothing, nor where none was seen.
        ([EMPTY, THEIRS], "", ("one", "/r"), 0, ""),
        ([OURS, THEIRS], "", ("three", "/r"), 0, ""),
        ([Root(number=1, mark="", has_recordings=True)], "", ("one", "/r"), 0, ""),
    ],
)
def test_only_a_hosts_own_root_is_missed(
    known: list[Root], mark: str, at: tuple[str, str], holds: int, expected: str
) -> None:
    """Other hosts' roots are theirs to judge; a host that has none may only read reports."""
    found = missing_at(
        known, mark=mark, host=at[0], path=at[1], holds=lambda root: root.number == holds
    )
    assert expected == found


@pytest.mark.parametrize("spoil", [emptied, shutil.rmtree, replaced, unreadable, a_file])
def test_a_missing_root_is_told_by_all_who_look(
    kept: Vaulted, spoil: Callable[[Path], None]
) -> None:
    """Status as a trouble, the report as an alarm, metrics as both; find warns beside its lines."""
    assert kept.terminal.tells("status")["troubles"] == []
    assert kept.terminal.says(*DAY, "--check").startswith("Complete: ")
    assert kept.terminal.run("find", "--paths").stderr == ""
    spoil(kept.root)
    (trouble,) = kept.terminal.tells("status")["troubles"]
    assert (trouble["what"], trouble["host"]) == (troubles.ROOT, HOST)
    assert f"TROUBLE: root on {HOST} since " in kept.terminal.says("status")
    result = kept.terminal.run(*DAY, "--check")
    assert result.return_value == Exit.PERMANENT_LOSSES
    assert " ".join(result.stdout.split()).startswith("ALARM: the archive that the catalog knows")
    assert "$ callvault doctor" in result.stdout
    verdict = kept.terminal.tells(*DAY)["morning"]["verdict"]
    assert (verdict["level"], len(verdict["notes"])) == ("alarm", 1)
    prom = kept.terminal.says("metrics")
    assert f'callvault_trouble{{host="{HOST}",what="root"}} 1.0' in prom
    for words in (("find",), ("report",)):
        result = kept.terminal.run(*words)
        assert result.return_value == Exit.COMPLETE
        assert result.stderr.startswith("warning: the archive that the catalog knows is not in ")


def test_the_live_view_tells_of_it(kept: Vaulted) -> None:
    """Beside the troubles that the catalog knows; a leader's own word for it is told once."""
    settings = load_settings(kept.folder / "config.toml", {})
    gatherer = Gatherer(
        kept.books.database,
        list(settings.accounts.values()),
        lambda: NOW,
        met=lambda tx, now: with_root(tx, settings, now),
    )
    assert gatherer.look().troubles == ()
    emptied(kept.root)
    (trouble,) = gatherer.look().troubles
    assert (trouble.what, trouble.host) == (troubles.ROOT, HOST)
    with kept.books.database.write() as tx:
        troubles.note_trouble(tx, troubles.ROOT, "as the leader says", host=HOST, now=NOW)
    assert [one.detail for one in gatherer.look().troubles] == ["as the leader says"]


def test_other_hosts_have_theirs(kept: Vaulted) -> None:
    """A second root in the catalog, whose files are not before this host, is no trouble here."""
    kept.root.rename(kept.folder / "first")
    register(kept, host="second", shared=False)
    kept.root.rename(kept.folder / "second")
    (kept.folder / "first").rename(kept.root)
    kept.books.sql("UPDATE recordings SET root = 2")
    assert kept.terminal.tells("status")["troubles"] == []
    emptied(kept.root)
    # Nothing of the catalog was in it.
    assert kept.terminal.tells("status")["troubles"] == []
