"""``callvault init``: settings written on a terminal and without one, and the regions asked."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.acceptance.vault import COMMAND, Vault
from tests.provider import KEY, TOKEN, running_provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provider import Provider

BOUND_S: Final = 60
NOBODY: Final = "http://127.0.0.1:9"
GIVEN: Final = ("--sid", "sandbox1", "--retention-days", "90")
END: Final = "\x04"
"""What Ctrl-D sends."""
KEYLESS: Final = {"EXOTEL_API_KEY": "", "EXOTEL_API_TOKEN": ""}


@pytest.fixture
def bare(tmp_path: Path) -> Vault:
    """Return a folder without settings."""
    vault = Vault(tmp_path)
    (tmp_path / "config.toml").unlink()
    return vault


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Return a stand-in that knows the account."""
    with running_provider("--calls", "1") as running:
        yield running


def test_without_a_terminal_all_that_is_missing_is_named_at_once(bare: Vault) -> None:
    """Nobody is there to be asked: exit 2, each flag that is needed, and no file."""
    done = bare.run("init", **KEYLESS)

    done.says(2, "--sid, --retention-days, --region")
    assert not (bare.folder / "config.toml").exists()


def test_what_is_written_is_read_by_every_command(bare: Vault) -> None:
    """Flags alone will do; others may not read the file; its folders are made."""
    words = ("--config", "deep/er/config.toml", "init", *GIVEN, "--region", "mumbai")
    done = bare.good(*words, "--root", "calls of 2026", "--web", **KEYLESS)

    file = bare.folder / "deep" / "er" / "config.toml"
    assert file.stat().st_mode & 0o777 == 0o640
    assert "EXOTEL_API_KEY" in done.out
    assert "EXOTEL_WEBHOOK_SECRET" in done.out
    assert "no region was asked: no EXOTEL_API_KEY" in done.err
    assert 'api_base = "https://api.in.exotel.com"' in file.read_text()
    bare.run("--config", str(file), "status").says(
        7, "there is no catalog yet", "callvault enqueue"
    )
    assert "Next: callvault --config deep/er/config.toml enqueue cdr EXPORT, then" in done.out


def test_what_is_odd_is_noted(bare: Vault) -> None:
    """It may be meant, so it is written. Settings that are found by themselves need no --config."""
    words = ("--retention-days", "3000", "--min-free", "900TB", "--region", "mumbai")
    done = bare.good("init", "--sid", "sandbox1", *words, "--no-check")

    assert "note: 3000 days are longer than any plan keeps recordings" in done.err
    assert "note: 900TB are to be left free, and the disk of recordings has not more" in done.err
    assert "Next: callvault enqueue cdr EXPORT, then callvault work --drain" in done.out


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_nothing_is_overwritten(bare: Vault, kind: str) -> None:
    """What stands in its place stays as it is: exit 2. --print shows what would be written."""
    file = bare.folder / "config.toml"
    if kind == "file":
        file.write_text("mine", encoding="utf-8")
    else:
        file.symlink_to("nowhere")
    words = ("init", *GIVEN, "--region", "singapore", "--no-check")

    bare.run(*words).says(2, "config.toml is there already")
    shown = bare.good(*words, "--print")

    assert "[accounts.main]\n" in shown.out
    assert not shown.err
    assert kind == "dangling link" or file.read_text(encoding="utf-8") == "mine"
    assert not (bare.folder / "nowhere").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--sid", "a b"], "--sid 'a b': 1 to 64 letters"),
        (["--sid", "acme1", "--root", "a\udcffb"], "text in UTF-8"),
        (["--sid", "acme1", "--min-free", "some"], "--min-free 'some': a size"),
        (["--sid", "acme1", "--name", "x y"], "--name 'x y': a name is"),
        (["--sid", "acme1", "--api-base", NOBODY], "--region and --api-base exclude each other"),
    ],
)
def test_a_choice_that_cannot_be_is_told(bare: Vault, words: list[str], named: str) -> None:
    """By the option's own name, before anything is written."""
    done = bare.run("init", "--retention-days", "30", "--region", "mumbai", "--no-check", *words)

    done.says(2, named)
    assert not (bare.folder / "config.toml").exists()


@pytest.mark.parametrize(
    ("token", "bases", "code", "words"),
    [
        (TOKEN, ["right", NOBODY], 0, ["--api-base 1", "answered", "cannot be reached"]),
        (TOKEN, [NOBODY, "right"], 0, ["--api-base 2", "answered", "cannot be reached"]),
        (TOKEN, ["right", "right"], 2, ["several regions know this account"]),
        ("wrong", ["right", "right"], 7, ["no region accepts", "401", "--no-check"]),
        (TOKEN, [NOBODY, NOBODY], 5, ["no region can be reached", "--no-check"]),
        ("wrong", [NOBODY, "right"], 5, ["no region answered", "401", "cannot be reached"]),
        (TOKEN, ["http://example.org", "right"], 2, ["--api-base 'http://example.org': https://"]),
    ],
)
def test_the_regions_are_asked_who_knows_the_account(
    bare: Vault, provider: Provider, token: str, bases: list[str], code: int, words: list[str]
) -> None:
    """The one that answers is said and written; where none does, each one's answer is told.

    One request each is made, and neither key nor token is said or written.
    """
    provider.reset()
    asked = [provider.api_base if base == "right" else base for base in bases]
    options = [word for base in asked for word in ("--api-base", base)]

    done = bare.run("init", *GIVEN, *options, EXOTEL_API_TOKEN=token)

    done.says(code, *words)
    assert (
        bases.count("right") * (code != 2 or len(set(bases)) == 1)
        == provider.stats()["api_requests"]
    )
    assert (code == 0) is (bare.folder / "config.toml").exists()
    if code == 0:
        text = (bare.folder / "config.toml").read_text(encoding="utf-8")
        assert f'api_base = "{provider.api_base}"' in text
        assert not {KEY, token} & set(re.findall(r"[\w-]+", text + done.out + done.err))


def test_a_wrong_option_is_told_before_anybody_is_asked(bare: Vault, provider: Provider) -> None:
    """The provider hears nothing of a run that could not write its settings."""
    provider.reset()
    words = ("--sid", "sandbox1", "--retention-days", "-3", "--api-base", provider.api_base)

    done = bare.run("init", *words, EXOTEL_API_TOKEN=TOKEN)

    done.says(2, "--retention-days '-3': a whole number from 1 to 36500")
    assert provider.stats()["api_requests"] == 0


def test_an_address_of_one_s_own_is_written_unasked(bare: Vault) -> None:
    """With --no-check, as it was given."""
    bare.good("init", *GIVEN, "--no-check", "--api-base", NOBODY)

    assert f'api_base = "{NOBODY}"' in (bare.folder / "config.toml").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_told_first(bare: Vault) -> None:
    """Before the options that are missing, and so before any question."""
    (bare.folder / "taken").write_text("", encoding="utf-8")

    bare.run("--config", "taken/config.toml", "init").says(2, "is no folder in which we may")


def converse(vault: Vault, *answers: tuple[str, str], **environment: str) -> tuple[int, str]:
    """Run ``callvault init`` on a terminal; give each answer when its question is asked."""
    leader, follower = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [str(COMMAND), "init", *environment.pop("words", "").split()],
        cwd=vault.folder,
        env=vault.environment(TERM="xterm", **environment),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    ) as process:
        os.close(follower)
        said, looked = "", 0
        waiting, deadline = list(answers), time.monotonic() + BOUND_S
        try:
            while select.select([leader], [], [], max(0, deadline - time.monotonic()))[0]:
                said += os.read(leader, 65_536).decode()
                if waiting and waiting[0][0] in said[looked:]:
                    looked = len(said)
                    answer = waiting.pop(0)[1]
                    os.write(leader, answer.encode() if answer == END else f"{answer}\n".encode())
        except OSError:  # what Linux says when the other end is closed
            pass
        os.close(leader)
        code = process.wait(BOUND_S)
    assert not waiting, (waiting, said)
    return code, said


def test_on_a_terminal_it_asks(bare: Vault, provider: Provider) -> None:
    """Wrong answers are asked again; the token is not shown; an empty answer takes the default."""
    code, said = converse(
        bare,
        ("Account Sid", "no sid"),
        ("1 to 64 letters", ""),
        ("Account Sid", "sandbox1"),
        ("API key", KEY),
        ("API token", TOKEN),
        ("Days until", "0"),
        ("Days until", "90"),
        ("Zone", "Asia/Kolkatta"),
        ("a zone of the tz database", ""),
        ("Folder for recordings", "~nobody-of-this-name/calls"),
        ("nobody here is called so", "calls"),
        ("Folder for catalog", "my state"),
        ("a path without blanks", ""),
        ("Room to be left free", "2GiB"),
        ("Worker processes", "1"),
        ("Receive the provider's callbacks", "y"),
        words=f"--api-base {provider.api_base} --api-base {NOBODY}",
        **KEYLESS,
    )

    assert code == 0, said
    assert "--api-base 1" in said
    assert TOKEN not in said
    assert KEY not in said
    text = (bare.folder / "config.toml").read_text(encoding="utf-8")
    assert TOKEN not in text
    for line in ("retention_days = 90", 'root = "calls"', 'min_free = "2GiB"', "processes = 1"):
        assert re.search(rf"^{re.escape(line)}(?= )", text, re.MULTILINE), line
    assert re.search(r"^port = 8080", text, re.MULTILINE)


def test_without_a_key_a_person_is_asked_for_the_region(bare: Vault) -> None:
    """An empty answer leaves the check out; Ctrl-D ends it with nothing written."""
    questions = [("Account Sid", "acme1"), ("API key", ""), ("Region", "mumbai")]
    code, said = converse(bare, *questions, ("Days until", END), **KEYLESS)

    assert code == 130, said
    assert not (bare.folder / "config.toml").exists()
