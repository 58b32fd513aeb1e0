"""What a person or a machine sees: status, reports, help, logs, the progress bar."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tests.acceptance.vault import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.vault import Vault

STATES: Final = (
    *("expected", "leased", "archived", "absent"),
    *("excluded", "lost", "failed", "purged"),
)
BOUND_S: Final = 60


def test_status_and_report_tell_the_balance(begin: Callable[..., Vault]) -> None:
    """The promised fields are numbers that add up, ``paused`` is null, reasons have totals.

    The days of the calls add up to the whole, and a day without calls is all noughts.
    """
    vault = begin("--calls", "40", "--bytes", "3000")

    done = vault.good("run", "calls.csv", "--drain", "--json").json
    status = vault.status()
    report = vault.good("report", "--json").json

    assert done == {key: status[key] for key in done}
    counts = {name: status[name] for name in ("known", *STATES, "recordings", "bytes")}
    assert all(type(count) is int for count in counts.values())
    assert 40 == counts["known"] == sum(counts[state] for state in STATES)
    assert counts["bytes"] == sum(
        path.stat().st_size for path in vault.root.rglob("*") if path.suffix in {".mp3", ".wav"}
    )
    assert status["paused"] is None
    assert status["balanced"] is True
    assert {state: counts[state] for state in STATES} == {s: report[s]["total"] for s in STATES}
    assert report["absent"]["total"] == sum(report["absent"]["reasons"].values())
    assert vault.provider is not None
    days = {call["started_at"][:10] for call in vault.provider.truth()}
    by_day = [vault.good("report", "--json", "--day", day).json for day in (*days, "1999-01-01")]
    assert sum(told["known"] for told in by_day) == 40
    assert by_day[-1]["known"] == 0
    text = vault.good("report").out
    assert f"{counts['archived']:>12,}  archived  proved and on disk\n" in text
    assert "no-answer" in text
    assert "the books balance" in text


def test_enqueue_tells_counts_as_json(alone: Vault) -> None:
    """With ``--json`` the counts of rows read, new, known and rejected are numbers."""
    (alone.folder / "some.csv").write_text("Id,Status\nabcdef1,ok\nabcdef1,ok\n?,\n")

    done = alone.good("enqueue", "cdr", "some.csv", "--json")

    assert done.json == {"rows": 3, "new": 1, "known": 1, "rejected": 1}


def test_help_lists_every_command(alone: Vault) -> None:
    """``--help`` needs no settings and names all commands and exit codes; commands have theirs."""
    (alone.folder / "config.toml").unlink()

    text = alone.good("--help").out

    names = re.findall(r"^  ([a-z]+)  ", text.partition("Options:")[2], re.MULTILINE)
    assert {"enqueue", "work", "run", "status", "report", "sandbox"} <= set(names)
    assert "Exit codes" in text
    assert alone.good("--version").out.startswith("callvault")
    for name in ("enqueue", "work"):
        assert "Usage:" in alone.good(name, "--help").out


def test_the_sandbox_is_started_by_its_command(alone: Vault) -> None:
    """``callvault sandbox`` hands over to the stand-in: its own help, and its own work."""
    shown = alone.good("sandbox", "--help").out
    alone.good("sandbox", "--calls", "5", "--write-cdr", "five.csv", "--no-serve")

    assert "--write-cdr" in shown
    assert len((alone.folder / "five.csv").read_text().splitlines()) == 6


def test_log_lines_are_json_where_no_terminal_is(begin: Callable[..., Vault]) -> None:
    """Each line of the log is a JSON object with event, level and a time with its offset."""
    vault = begin("--calls", "12", "--bytes", "3000")

    done = vault.good("run", "calls.csv", "--drain", CALLVAULT_LOG_LEVEL="debug")

    lines = [json.loads(line) for line in done.err.splitlines()]
    assert {"debug"} <= {line["level"] for line in lines}
    assert all(line["event"] for line in lines)
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    archived = [line["call_sid"] for line in lines if line["event"] == "call archived"]
    assert vault.archived() == len(set(archived)) == len(archived)


def test_a_terminal_shows_a_progress_bar(begin: Callable[..., Vault]) -> None:
    """On a terminal a bar tells calls settled, megabytes and rate; no log line spoils it.

    It is drawn on standard error: standard output holds the result and nothing else.
    """
    vault = begin("--calls", "60", "--bytes", "30KB", "--mix", "clean")
    vault.good("enqueue", "cdr", "calls.csv")
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(COMMAND), "work", "--drain", "--json"],
        cwd=vault.folder,
        env=vault.environment(TERM="xterm", COLUMNS="120"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        shown = _read_all(ours)
        out, _ = process.communicate(timeout=BOUND_S)
    os.close(ours)

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert process.returncode == 0
    assert re.search(r"60/60 settled", text), text
    assert re.search(r"[0-9.]+ MB, [0-9]+/s", text), text
    assert '"event"' not in text
    assert "Traceback" not in text
    assert json.loads(out)["archived"] == 60


def test_an_alarm_is_said_once_on_a_terminal(alone: Vault) -> None:
    """What the report says of a catalog that cannot be read is not said below it once more.

    Where standard output goes elsewhere, standard error has it.
    """
    alone.catalog.parent.mkdir()
    alone.catalog.write_text("no catalog at all " * 500)
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(COMMAND), "report", "--day", "2026-02-09"],
        cwd=alone.folder,
        env=alone.environment(TERM="dumb"),
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = " ".join(_read_all(ours).split())
        assert process.wait(BOUND_S) == 7
    os.close(ours)
    assert shown.count("ALARM") == 1
    assert "callvault: " not in shown

    alone.run("report", "--day", "2026-02-09").says(7, "callvault: ", "catalog")


def test_a_bar_can_be_refused_and_nothing_is_drawn_elsewhere(begin: Callable[..., Vault]) -> None:
    """Where standard error is no terminal nothing is drawn, and no escape sequence is written."""
    vault = begin("--calls", "5", "--bytes", "3000", "--mix", "clean")
    vault.good("enqueue", "cdr", "calls.csv")

    done = vault.good("work", "--drain", "--no-progress")

    assert "\x1b" not in done.out + done.err


def _read_all(terminal: int) -> str:
    """Read what is shown until the other end is closed, which Linux tells as an error."""
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    return shown.decode(errors="replace")
