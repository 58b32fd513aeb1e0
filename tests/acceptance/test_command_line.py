"""The command line itself: help that is quick, completion, endings that a shell expects."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from shutil import which
from typing import TYPE_CHECKING, Final

import pytest

from tests.acceptance.vault import COMMAND
from worker.cli import _COMMANDS, _PURPOSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.acceptance.vault import Vault

BOUND_S: Final = 60
SLOW: Final = ("aiohttp", "arq", "redis", "uvloop", "prometheus_client", "multiprocessing")
"""What takes its time to load, and what no command's help needs."""
SLOWER_THAN_HELP: Final = ("asyncio", "rich", "structlog", "msgspec", "sqlite3", "email")
"""What the help of all commands does without, too."""

LOADED: Final = """
import json, sys
from worker.cli import cli
for words in json.loads(sys.argv[1]):
    cli.main([*words, "--help"], prog_name="callvault", standalone_mode=False)
print(json.dumps([name for name in json.loads(sys.argv[2]) if name in sys.modules]))
"""


def loaded(commands: Sequence[Sequence[str]], modules: Sequence[str]) -> list[str]:
    """Return which of these modules the help of these commands loads."""
    done = subprocess.run(  # noqa: S603 - our own Python, no shell
        [sys.executable, "-c", LOADED, json.dumps(commands), json.dumps(modules)],
        check=True,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_the_help_loads_nothing_slow() -> None:
    """``callvault --help`` loads no HTTP, no Redis, no event loop, no logging, no database."""
    assert loaded([[]], SLOW + SLOWER_THAN_HELP) == []


def test_the_help_of_a_command_loads_no_http_and_no_redis() -> None:
    """Whichever it is; what works with them loads them when it begins."""
    deeper = [["enqueue", name] for name in ("cdr", "sids", "range")]
    # The sandbox is another program, which shows its own.
    names = [[name] for name in _COMMANDS if name != "sandbox"]

    assert loaded([*names, *deeper], SLOW) == []


def test_every_command_has_a_purpose() -> None:
    """The help puts each command below one heading, and no other."""
    named = [name for names in _PURPOSES.values() for name in names]

    assert sorted(_COMMANDS) == sorted(named)


def test_without_a_command_it_helps(alone: Vault) -> None:
    """``callvault`` alone shows the help, and says with 2 that nothing was done."""
    done = alone.run()

    done.says(2, "Get calls:", "Set up:", "enqueue")
    assert done.out == ""


@pytest.mark.parametrize(
    ("typed", "meant"), [("hlep", "help"), ("stauts", "status"), ("verfy", "verify")]
)
def test_a_mistyped_command_is_guessed(alone: Vault, typed: str, meant: str) -> None:
    """The nearest one is named, and nothing is done."""
    alone.run(typed).says(2, f"there is no command {typed!r}", f"did you mean {meant!r}?")


def test_a_word_like_no_command_is_not_guessed(alone: Vault) -> None:
    """No guess is better than a wild one."""
    done = alone.run("xylophone")

    done.says(2, "there is no command 'xylophone'")
    assert "mean" not in done.err


def test_help_is_a_command_too(alone: Vault) -> None:
    """It shows what --help shows, of groups and of what is in them; no such command is said."""
    for words in (["status"], ["enqueue"], ["enqueue", "cdr"]):
        assert alone.good(*words, "--help").out == alone.good("help", *words).out
    assert alone.good("--help").out == alone.good("help").out
    alone.run("help", "enqueue", "nothing").says(2, "there is no command 'enqueue nothing'")


# --- Completion -----------------------------------------------------------------------------------


def completed(vault: Vault, words: str, incomplete: str = "", asked_by: str = "bash") -> list[str]:
    """Return what a shell is offered, asked as its script asks."""
    typed = ["callvault", *words.split()]
    # fish names the word alone, the others its number.
    number = incomplete if asked_by == "fish" else str(len(typed))
    asked = [*typed, incomplete]
    done = vault.good(
        _CALLVAULT_COMPLETE=f"{asked_by}_complete", COMP_WORDS=" ".join(asked), COMP_CWORD=number
    )
    assert not done.err
    return [line for line in done.out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ("", "re", ["reconcile", "report", "retry", "rebuild", "resume"]),
        ("enqueue", "s", ["sids"]),
        ("find --state", "a", ["archived", "absent"]),
        ("find --account", "", ["main"]),
        ("report --account", "x", []),
        ("find --source", "l", ["listing"]),
        ("report --day", "", ["today", "yesterday", "unknown"]),
        ("retry --reason", "call-o", ["call-out-of-history"]),
        ("poll --only", "ex", ["exophone="]),
        ("find --flag", "dam", ["damaged"]),
        ("completion", "z", ["zsh"]),
        ("help", "rec", ["reconcile"]),
        ("help enqueue", "s", ["sids"]),
        ("help status", "", []),
        ("systemd install --only", "re", ["reconcile", "report"]),
        ("systemd install --only", "report,re", ["report,reconcile"]),
    ],
)
def test_values_complete(alone: Vault, words: str, incomplete: str, expected: list[str]) -> None:
    """Commands, and values that the settings and the code know."""
    found = [line.partition(",")[2] for line in completed(alone, words, incomplete)]

    assert expected == found


def test_completion_without_settings_offers_nothing(alone: Vault) -> None:
    """Where they are broken or not there a completion is empty, and no message spoils the line."""
    for text in ("[accounts\n", None):
        config = alone.folder / "config.toml"
        config.unlink()
        if text is not None:
            config.write_text(text, encoding="utf-8")
        assert completed(alone, "find --account") == []
        config.touch()


def test_fish_is_told_what_commands_do(alone: Vault) -> None:
    """Its script shows a line of help beside each."""
    found = completed(alone, "", "stat", asked_by="fish")

    assert "Show how many calls stand where." in " ".join(found)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_printed(alone: Vault, shell: str) -> None:
    """It asks with the variable that the command knows, and can be read by its shell if there."""
    script = alone.good("completion", shell).out

    assert f"_CALLVAULT_COMPLETE={shell}_complete" in script
    if program := which(shell):
        subprocess.run([program, "-n"], input=script, text=True, check=True)  # noqa: S603 - a shell


@pytest.mark.skipif(which("bash") is None, reason="needs bash")
def test_bash_completes_with_the_script(alone: Vault) -> None:
    """What the script defines offers the values of this folder's settings."""
    (alone.folder / "callvault.bash").write_text(alone.good("completion", "bash").out)
    asks = (
        "source ./callvault.bash; COMP_WORDS=(callvault find --account ''); COMP_CWORD=3; "
        "_callvault_completion callvault; echo ${COMPREPLY[@]}"
    )
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    with alone.launched(["bash", "-c", asks], PATH=path) as running:
        assert running.wait().out == "main\n"


# --- Endings --------------------------------------------------------------------------------------


def shell(vault: Vault, line: str, **environment: str) -> tuple[int, str, str]:
    """Run a line of shell in which $CV is the command."""
    with vault.launched(["bash", "-c", line], CV=str(COMMAND), **environment) as running:
        done = running.wait()
    return done.code, done.out, done.err


@pytest.mark.parametrize(
    "words", ["report", "report --json", "--help", "find --csv", "verify", "nonsense"]
)
def test_a_reader_that_has_gone_ends_it_quietly(empty: Vault, words: str) -> None:
    """``callvault report | head -0``: no message, and the code of a program that SIGPIPE ends."""
    (empty.root / ".parts").mkdir(parents=True, exist_ok=True)
    read, write = os.pipe()
    os.close(read)
    stream = {"stderr" if words == "nonsense" else "stdout": write}
    done = subprocess.run(  # type: ignore[call-overload] # noqa: S603 - our own command
        [str(COMMAND), *words.split()],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **stream},
        cwd=empty.folder,
        env=empty.environment(),
        check=False,
        timeout=BOUND_S,
    )
    os.close(write)

    assert done.returncode == 141
    assert not done.stdout
    assert not done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(alone: Vault, closed: str) -> None:
    """The catalog does not get the number of a stream, into which something would be written."""
    alone.good("enqueue", "sids", "0" * 32)
    code, _, err = shell(alone, f'"$CV" report {closed}')

    assert (code, err) == (0, "")
    assert alone.rows("PRAGMA quick_check") == [("ok",)]


def test_a_disk_that_is_full_is_said(empty: Vault) -> None:
    """Results that cannot be written are no success."""
    code, _, err = shell(empty, '"$CV" report >/dev/full')

    assert code == 7
    assert err == "callvault: writing the output: No space left on device\n"


PLAIN: Final = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("environment", [PLAIN, {"PYTHONIOENCODING": "latin-1"}, {"LANG": "C"}])
def test_a_terminal_without_unicode_shows_escapes(
    alone: Vault, environment: dict[str, str]
) -> None:
    """What its encoding does not have is written as an escape; JSON is UTF-8 all the same."""
    text = f"CallSid,Status,GroupName\n{'0' * 32},completed,Zoë ☎ सेवा\n"
    (alone.folder / "calls.csv").write_text(text, encoding="utf-8")
    alone.good("enqueue", "cdr", "calls.csv", **environment)
    alone.good("find", **environment)
    alone.good("explain", "0" * 32, **environment)
    done = alone.good("find", "--json", **environment)

    assert done.json["group"] == "Zoë ☎ सेवा"
    alone.run("status", "--account", "☎", **environment).says(2, "there is no account")


@pytest.mark.parametrize("words", [["status"], ["--version"], ["find"], ["nonsense"]])
def test_an_empty_environment_will_do(empty: Vault, words: list[str]) -> None:
    """No HOME, no TERM, no PATH, no LANG."""
    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [str(COMMAND), *words],
        cwd=empty.folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=BOUND_S,
    )

    assert (2 if words == ["nonsense"] else 0) == done.returncode
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone_is_said(alone: Vault) -> None:
    """The folder in which it is started was removed."""
    line = 'mkdir gone && cd gone && rmdir ../gone && "$CV" status'
    code, _, err = shell(alone, line)

    assert code == 2
    assert "no settings" in err


COMMANDS: Final = (
    *("enqueue cdr x.csv", "enqueue sids abcdef", "enqueue range --from today --to today"),
    *("poll", "reconcile", "work --drain", "run --drain", "web", "status", "report", "find"),
    "locate abcdef",
    *("explain abcdef", "retry --failed", "verify", "rebuild", "adopt .", "pause --why x"),
    *("resume", "catalog check", "purge --dry-run", "alert x", "metrics"),
)


def test_no_command_meets_bad_settings_with_a_traceback(alone: Vault) -> None:
    """Each says one thing, in words, names the mistake, and ends with 2."""
    alone.configure(worker={"downloads": 0})

    for words in COMMANDS:
        done = alone.run(*words.split())
        done.says(2, "worker.downloads", "a whole number from 1 to 512")
        assert "1 mistake in the settings" in done.err.splitlines()[0], words
    assert not alone.catalog.exists()


def test_the_commands_tried_are_all_there_are() -> None:
    """Those that read no settings are left out, and doctor, which tells of all mistakes itself."""
    tried = {words.split()[0] for words in COMMANDS}
    others = {"init", "completion", "sandbox", "help", "doctor", "systemd"}

    assert set(_COMMANDS) - others == tried


# --- What --debug shows ---------------------------------------------------------------------------


def test_debug_shows_what_caused_an_error(alone: Vault) -> None:
    """Beside the message, of which there is one all the same; without it there is no traceback."""
    (alone.folder / "config.toml").write_text("[accounts\n", encoding="utf-8")

    alone.run("status").says(2, "are no TOML")
    done = alone.run("--debug", "status")

    assert done.code == 2
    assert "TOMLDecodeError" in done.err
    assert "direct cause" in done.err
    assert done.err.splitlines()[-1].startswith("callvault: the settings config.toml are no TOML")


# --- Colours --------------------------------------------------------------------------------------


def on_terminal(vault: Vault, *words: str, **environment: str) -> bytes:
    """Run a command whose output goes to a terminal, and return what that was sent."""
    leader, follower = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(COMMAND), *words],
        cwd=vault.folder,
        env=vault.environment(TERM="xterm-256color", **environment),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        sent = bytearray()
        try:
            while chunk := os.read(leader, 65_536):
                sent += chunk
        except OSError:  # what Linux says when the other end is closed
            pass
        os.close(leader)
        assert process.wait(BOUND_S) == 0
    return bytes(sent)


ESCAPE: Final = b"\x1b["


def test_a_terminal_is_shown_colours(alone: Vault) -> None:
    """On a terminal, unless NO_COLOR or TERM says otherwise."""
    alone.good("pause", "--why", "moving")

    assert ESCAPE in on_terminal(alone, "status")
    assert ESCAPE in on_terminal(alone, "report", "--day", "yesterday")
    assert ESCAPE not in on_terminal(alone, "status", NO_COLOR="1")
    assert ESCAPE not in on_terminal(alone, "status", CLICOLOR="0")


def test_a_pipe_is_given_none_unless_they_are_forced(alone: Vault) -> None:
    """A file or pipe has plain text; with FORCE_COLOR it has what a terminal is shown."""
    alone.good("pause", "--why", "moving")

    assert "\x1b" not in alone.good("status").out
    assert "\x1b" in alone.good("status", FORCE_COLOR="1").out
    assert "\x1b" not in alone.good("status", FORCE_COLOR="1", NO_COLOR="1").out
    assert "\x1b" not in alone.good("status", "--json", FORCE_COLOR="1").out
