"""Bad input: one clear message, the right exit code, no traceback, and nothing lost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.acceptance.proof import assert_archive_is_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.acceptance.vault import Done, Vault

HEADER: Final = "CallSid,DateCreated,Status\n"
SID: Final = "{:032d}".format
BOUND_S: Final = 40


def assert_only_known(vault: Vault, *sids: str) -> None:
    """Check that the catalog holds these calls, all of them expected, and no others."""
    assert vault.rows("PRAGMA quick_check") == [("ok",)]
    assert {(sid, "expected") for sid in sids} == set(vault.rows("SELECT sid, state FROM calls"))


def is_one_message(done: Done) -> bool:
    """Tell whether all that was said is one message with at most one hint."""
    heads = [line for line in done.err.splitlines() if not line.startswith("  ")]
    return len(heads) == 1 and heads[0].startswith("callvault: ")


NO_EXPORTS: Final[list[tuple[str, bytes | None, list[str]]]] = [
    ("absent.csv", None, ["absent.csv", "no such file"]),
    ("empty.csv", b"", ["empty.csv", "is empty"]),
    ("blank.csv", b"\n\n  \n", ["blank.csv", "holds no rows"]),
    ("call.mp3", b"ID3\x04" + bytes(400), ["no CSV", "MP3"]),
    ("sheet.csv", b"PK\x03\x04" + bytes(400), ["no CSV", "Excel"]),
    ("noise.csv", bytes(range(256)) * 8, ["no CSV"]),
    ("page.csv", b"<!doctype html>\n<p>Please log in, again</p>\n", ["no column", "doctype"]),
    ("other.csv", b"Name,Phone Number,City\na,b,c\n", ["'Name', 'Phone Number', 'City'"]),
]


def test_files_that_are_no_exports_are_refused(alone: Vault) -> None:
    """Each is refused with exit code 2 and what is wrong; what the catalog knew stays.

    None, an empty one, a recording, a workbook, noise, a web page, other columns.
    """
    alone.good("enqueue", "sids", SID(1))
    for name, content, words in NO_EXPORTS:
        if content is not None:
            (alone.folder / name).write_bytes(content)

        done = alone.run("enqueue", "cdr", name)

        done.says(2, *words)
        assert is_one_message(done)
    assert_only_known(alone, SID(1))


def test_a_bad_file_among_good_ones_loses_none_of_them(alone: Vault) -> None:
    """Those before and after the bad one are kept, and the command can be repeated without it."""
    for number in (1, 2):
        text = f"{HEADER}{SID(number)},,\n"
        (alone.folder / f"{number}.csv").write_text(text, encoding="utf-8")

    done = alone.run("enqueue", "cdr", "1.csv", "absent.csv", "2.csv")
    done.says(2, "absent.csv")
    again = alone.good("enqueue", "cdr", "1.csv", "2.csv")

    assert again.out == "2 rows read: 0 calls new, 2 already known, 0 rows rejected\n"
    assert_only_known(alone, SID(1), SID(2))


BAD_SIDS: Final = (
    "../../etc/passwd",
    "a/b/c/d/e",
    "..",
    "abc def",
    "x" * 10_000,
    "sid\x1b[31m\x07",
)


def test_rows_with_bad_sids_are_reported_and_stop_nothing(alone: Vault) -> None:
    """Each is named by file, line and reason, safe to print; the rows around them are taken."""
    rows = [f"{SID(n)},2026-01-05 10:00:00,completed\n{sid},,\n" for n, sid in enumerate(BAD_SIDS)]
    (alone.folder / "mixed.csv").write_text(HEADER + "".join(rows), encoding="utf-8")

    done = alone.good("enqueue", "cdr", "mixed.csv")

    assert done.out == "12 rows read: 6 calls new, 0 already known, 6 rows rejected\n"
    *lines, note = done.err.splitlines()
    assert "rejected rows are in" in note
    assert [f"mixed.csv:{3 + 2 * n}" for n in range(6)] == [
        line.partition(": ")[0] for line in lines
    ]
    assert all(len(line) < 120 and line.isprintable() for line in lines)
    assert_only_known(alone, *(SID(n) for n in range(6)))
    assert not list(alone.folder.rglob("*passwd*"))


def test_bad_sids_among_bare_ones_are_reported(alone: Vault) -> None:
    """The good ones are taken with exit code 0; nothing but bad ones is exit code 2."""
    given = "\n".join([SID(1), *BAD_SIDS, "nul\0nul", SID(2)])

    some = alone.good("enqueue", "sids", "-", stdin=given)
    none = alone.run("enqueue", "sids", *BAD_SIDS)

    assert some.out == "9 Sids: 2 calls new, 0 already known, 7 rows rejected\n"
    assert some.err.splitlines()[0].startswith("sids:2: '../../etc/passwd'")
    assert all(len(line) < 120 and line.isprintable() for line in some.err.splitlines())
    none.says(2, "sids:1: ")
    assert_only_known(alone, SID(1), SID(2))


def test_every_mistake_of_the_settings_is_told_at_once(alone: Vault) -> None:
    """Wrong types, unknown keys and sections, a wrong variable: all named with what would do."""
    alone.configure(
        account={"timezone": "Mars/Olympus", "api_base": "http://example.org", "sidd": "x"},
        worker={"processes": "many", "downloads": 0},
        readiness={"window": 15},
        archive={"min_free": "some"},
        archives={"root": "x"},
    )

    done = alone.run("status", CALLVAULT_LOG_LEVEL="loud")

    keys = (
        *("accounts.main.timezone", "accounts.main.api_base", "accounts.main.sidd"),
        *("worker.processes", "worker.downloads", "readiness.window", "archive.min_free"),
        *("archives", "CALLVAULT_LOG_LEVEL"),
    )
    done.says(2, "9 mistakes", *keys, "'many'", '"15m"', "Asia/Kolkata", "https")
    assert is_one_message(done)
    assert not alone.catalog.exists()


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        ([], None, "callvault init"),
        (["--config", "nowhere.toml"], None, "nowhere.toml"),
        (["--config", "broken.toml"], "[accounts\n", "are no TOML"),
        (["--config", "bytes.toml"], "\nsid = '\udcff'", "not in UTF-8: line 2"),
        (["--config", "none.toml"], "[worker]\n", "[accounts.NAME]"),
        (["--config", "."], None, "are a folder"),
    ],
)
def test_settings_that_cannot_be_read(
    alone: Vault, words: list[str], text: str | None, message: str
) -> None:
    """No settings, no such file, no TOML: exit code 2 and one message."""
    (alone.folder / "config.toml").unlink()
    if text is not None:
        (alone.folder / words[1]).write_text(text, encoding="utf-8", errors="surrogateescape")

    done = alone.run(*words, "status")

    done.says(2, message)


@pytest.mark.parametrize(
    "words",
    [
        ["enqueue", "cdr"],
        ["enqueue", "sids"],
        ["enqueue", "range", "--from", "2026-01-02", "--to", "2026-01-01"],
        ["enqueue", "range", "--from", "soon", "--to", "today"],
        ["report", "--day", "2026-02-30"],
        ["status", "--account", "other"],
        ["explode"],
        ["work", "--drainn"],
        ["work", "--json"],
        ["run", "--no-web", "--json"],
    ],
)
def test_a_command_line_that_makes_no_sense(alone: Vault, words: list[str]) -> None:
    """Exit code 2 and a message."""
    done = alone.run(*words)

    done.says(2)
    assert done.err.strip()


def test_wrong_credentials_stop_at_once_and_lose_nothing(begin: Callable[..., Vault]) -> None:
    """401: exit 7, saying which address was tried and what else to try, after few requests.

    The account is paused meanwhile, with its reason; with the right token the next run completes.
    """
    vault = begin("--calls", "400", "--mix", "clean", "--bytes", "2000")
    assert vault.provider is not None
    vault.good("enqueue", "cdr", "calls.csv")

    done = vault.run("work", "--drain", EXOTEL_API_TOKEN="wrong")

    done.says(7, vault.provider.api_base, "401", "key and token", "api.in.exotel.com")
    assert "wrong" not in done.err + done.out
    assert vault.provider.stats()["api_requests"] <= 6
    status = vault.status()
    assert (status["known"], status["expected"]) == (400, 400)
    assert "api-unauthorised" in status["paused"]
    vault.good("work", "--drain")
    assert vault.states() == {"archived": 400}
    assert vault.status()["paused"] is None


def test_a_listing_refused_says_which_region(begin: Callable[..., Vault]) -> None:
    """Asking for a range with a wrong token: exit 7 and the address; nothing is taken in."""
    vault = begin("--calls", "5")
    assert vault.provider is not None

    done = vault.run(
        "enqueue", "range", "--from", "yesterday", "--to", "today", EXOTEL_API_TOKEN="wrong"
    )

    done.says(7, vault.provider.api_base, "region", "api.in.exotel.com")
    assert is_one_message(done)
    assert vault.states() == {}


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["work"], "EXOTEL_API_KEY"),
        (["work", "--drain"], "EXOTEL_API_TOKEN"),
        (["enqueue", "range", "--from=today", "--to=today"], "EXOTEL_API_TOKEN"),
    ],
)
def test_without_credentials_nothing_begins(alone: Vault, words: list[str], missing: str) -> None:
    """Exit 7, naming the variable and the credential that would do."""
    alone.good("enqueue", "sids", SID(1))

    done = alone.run(*words, **{missing: ""})

    done.says(7, missing, missing.lower().replace("_", "-"))
    assert_only_known(alone, SID(1))


@pytest.mark.parametrize(
    "words", [["work", "--drain"], ["enqueue", "range", "--from=today", "--to=today"]]
)
@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALL_PROXY", "socks5://me:secret@127.0.0.1:1080"), ("SSL_CERT_FILE", "/nowhere.pem")],
)
def test_a_way_out_that_cannot_be_used_is_told_before_anything_begins(
    alone: Vault, words: list[str], variable: str, value: str
) -> None:
    """Going without the proxy would show what was to be hidden; its password is not told."""
    done = alone.run(*words, **{variable: value})
    done.says(2, variable)
    assert is_one_message(done)
    assert "secret" not in done.err


def test_a_root_that_cannot_be_written(begin: Callable[..., Vault]) -> None:
    """A file stands where the root should be: exit 7, naming it; without it all is archived."""
    vault = begin("--calls", "10", "--mix", "clean", "--bytes", "2000")
    vault.good("enqueue", "cdr", "calls.csv")
    vault.root.write_text("in the way", encoding="utf-8")

    done = vault.run("work", "--drain")

    done.says(7, str(vault.root), "[archive] root")
    assert is_one_message(done)
    vault.root.unlink()
    vault.good("work", "--drain")
    assert_archive_is_true(vault)


def test_a_disk_without_the_room_to_be_left_free(begin: Callable[..., Vault]) -> None:
    """Less is free than min_free: exit 7 before anything is asked; with room, all is archived."""
    vault = begin("--calls", "10", "--mix", "clean", "--bytes", "2000")
    assert vault.provider is not None
    vault.good("enqueue", "cdr", "calls.csv")

    done = vault.run("work", "--drain", CALLVAULT_ARCHIVE_MIN_FREE="9000TB")

    done.says(7, "disk-full", "min_free")
    assert vault.provider.stats()["api_requests"] == 0
    assert vault.states() == {"expected": 10}
    vault.good("work", "--drain")
    assert_archive_is_true(vault)


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a disk of 1 MB; where that is not allowed, bound the size of files instead."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "callvault-test", str(folder)]
    try:
        done = subprocess.run(mount, check=False, capture_output=True)  # noqa: S603 - no shell
        mounted = done.returncode == 0
    except OSError:
        mounted = False
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not mounted:
        # Passed on to what is started. Our own reports are smaller.
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, former[1]))
    try:
        yield mounted
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)  # noqa: S603, S607 - no shell


def test_a_full_disk_loses_nothing(begin: Callable[..., Vault]) -> None:
    """The disk is full in the middle: exit 7 and what to do; whatever is there is whole.

    With room made, the next run archives the rest.
    """
    vault = begin("--calls", "6", "--mix", "clean", "--bytes", "3MB")
    vault.good("enqueue", "cdr", "calls.csv")
    vault.root.mkdir()

    with small_disk(vault.root) as mounted:
        done = vault.run("work", "--drain")
        files = (path.name for path in vault.root.rglob("*") if path.is_file())
        # The manifests tell of the calls that are known, none of which has its recording; the
        # root has its mark.
        left = sorted(name for name in files if name not in ("manifest.jsonl", ".root"))

    done.says(7, "paused", "disk-full" if mounted else "disk-refuses", "[archive] root")
    assert left == []
    assert vault.states() == {"expected": 6}
    vault.good("work", "--drain")
    assert_archive_is_true(vault)


@pytest.mark.parametrize("words", [["status"], ["enqueue", "sids", SID(1)], ["work", "--drain"]])
def test_a_catalog_that_is_no_database_is_left_alone(alone: Vault, words: list[str]) -> None:
    """Exit 7, naming the file and what to do; not a byte of it is changed."""
    alone.catalog.parent.mkdir()
    alone.catalog.write_text("these are notes, not a database\n" * 99, encoding="utf-8")

    done = alone.run(*words)

    done.says(7, str(alone.catalog), "no catalog")
    assert is_one_message(done)
    assert alone.catalog.read_text(encoding="utf-8") == "these are notes, not a database\n" * 99


@pytest.mark.parametrize("words", [["work", "--drain"], ["work"]])
def test_a_queue_where_nobody_listens(alone: Vault, words: list[str]) -> None:
    """Nothing answers at the queue's URL: exit 7 within a bounded time, and nothing is lost."""
    alone.good("enqueue", "sids", SID(1))
    alone.configure(queue={"url": "redis://127.0.0.1:9/0"})

    done = alone.run(*words)

    done.says(7, "Redis does not answer", "[queue] url")
    assert_only_known(alone, SID(1))


def test_no_server_for_the_queue_is_one_sentence(alone: Vault) -> None:
    """The queue's folder cannot be made: exit 7 and one message that names it."""
    alone.good("enqueue", "sids", SID(1))
    (alone.folder / "state" / "queue").write_text("in the way", encoding="utf-8")

    done = alone.run("work", "--drain")

    done.says(7, str(alone.folder / "state" / "queue"))
    assert is_one_message(done)
    assert_only_known(alone, SID(1))


def test_a_provider_out_of_reach_loses_nothing(begin: Callable[..., Vault]) -> None:
    """Nobody answers at the API base: it is retried and waited out, until it is back."""
    vault = begin("--calls", "10", "--mix", "clean", "--bytes", "2000")
    vault.good("enqueue", "cdr", "calls.csv")
    away = vault.run(
        *("enqueue", "range", "--from", "today", "--to", "today"),
        CALLVAULT_ACCOUNTS_MAIN_API_BASE="http://127.0.0.1:9",
    )

    away.says(5, "http://127.0.0.1:9")
    assert is_one_message(away)
    vault.good("work", "--drain")
    assert_archive_is_true(vault)


def test_output_that_nobody_reads_is_no_traceback(alone: Vault) -> None:
    """The reader of standard output has gone (``callvault report | head -0``): no traceback."""
    alone.good("enqueue", "sids", SID(1))
    from tests.acceptance.vault import COMMAND  # noqa: PLC0415 - used here alone

    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [str(COMMAND), "report", "--json"],
        cwd=alone.folder,
        env=alone.environment(),
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
        timeout=BOUND_S,
    )
    os.close(write)

    assert b"Traceback" not in done.stderr
    assert json.loads(alone.good("report", "--json").out)["known"] == 1
