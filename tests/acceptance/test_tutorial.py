"""The tutorial, typed command by command from a fresh clone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.shell import Shell, Step, fits, steps

_ROOT: Final = Path(__file__).parents[2]
_PORTS: Final = ("8081", "8082", "8083")
_ODD: Final = {"callvault verify\n": 6, "callvault verify --repair\n": 5}
"""What does not end with 0, since the page has broken something on purpose."""
_GIT: Final = shutil.which("git")


def test_what_a_page_shows_is_held_against_what_is_printed() -> None:
    """Numbers may be others, the dots stand for anything, and all else has to be there."""
    assert fits("152  recordings, 84.6 MB\n", "  151 recordings, 7.0 MB")
    assert fits("first\n…\nlast\n", "first\nand much\nmore\nlast\n")
    assert fits("…\n", "")
    assert not fits("152  recordings\n", "152 recordings and more")
    assert not fits("all right\n", "")


def test_a_page_is_taken_apart_into_commands() -> None:
    """Blocks of ``sh`` are run whole, those of ``console`` line by line with what they print."""
    page = (
        "Text.\n```sh\none\ntwo\n```\n```console\n$ three\nout\n$ four\n```\n```toml\nfive\n```\n"
    )
    expected = [Step("one\ntwo\n", None), Step("three\n", "out\n"), Step("four\n", "")]
    assert expected == list(steps(page))


def test_a_block_fails_with_the_first_of_its_commands_that_does(tmp_path: Path) -> None:
    """Though the ones after it go well."""
    with Shell(tmp_path, {"PATH": os.environ["PATH"]}) as shell:
        assert shell.run("echo one\n(exit 3)\necho two\n") == (3, "one\ntwo\n")
        assert shell.run("true\n") == (0, "")
        assert shell.run("cd /\npwd\n") == (0, "/\n")


def _repository(folder: Path) -> Path:
    """Return a repository of what would be committed now."""
    assert _GIT is not None

    def git(*words: str, at: Path = folder) -> str:
        done = subprocess.run(  # noqa: S603 - git, on folders of ours
            [_GIT, *words], cwd=at, check=True, capture_output=True, text=True
        )
        return done.stdout

    folder.mkdir()
    for name in git("ls-files", "-co", "--exclude-standard", at=_ROOT).splitlines():
        if (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_ROOT / name, folder / name)
    git("init", "--quiet")
    git("add", "--all")
    git("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "-m", "x")
    return folder


def _free_ports() -> list[str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
    ports = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


@pytest.mark.skipif(
    _GIT is None or not (_ROOT / ".git").exists(), reason="this is no clone, or git is not here"
)
def test_the_tutorial_can_be_followed_to_its_end(tmp_path: Path) -> None:
    """Each command does what the page says, on ports that are free here."""
    page = (_ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    page = page.replace("<this repository>", str(_repository(tmp_path / "origin")))
    for written, free in zip(_PORTS, _free_ports(), strict=True):
        page = page.replace(written, free)
    ours = ("CALLVAULT", "EXOTEL", "VIRTUAL_ENV", "PYTHON", "COLUMNS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    with Shell(tmp_path, environment) as shell:
        for step in steps(page):
            code, printed = shell.run(step.command)
            allowed = _ODD.get(step.command, 0) if step.prints is not None else 0
            assert allowed == code, f"{step.command}{printed}"
            assert step.prints is None or fits(step.prints, printed), (
                f"{step.command}printed:\n{printed}\nthe page has:\n{step.prints}"
            )
    files = list((tmp_path / "try" / "recordings").rglob("*.mp3"))
    assert files
