"""One worker process as the supervisor starts it: it never outlives its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.provider import KEY, TOKEN, write_config
from worker.main import PROCESS_VARIABLE, QUEUE_URL_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

ENDS_WITHIN = 20


@pytest.fixture
def process(tmp_path: Path, valkey_url: str) -> subprocess.Popen[bytes]:
    """A worker process whose standard input is a pipe that the test holds."""
    account = {"sid": "nobody1", "api_base": "http://127.0.0.1:9"}
    config = write_config(tmp_path / "config.toml", accounts={"main": account})
    ours = {
        "CALLVAULT_CONFIG": str(config),
        QUEUE_URL_VARIABLE: valkey_url,
        PROCESS_VARIABLE: "a-process",
        "EXOTEL_API_KEY": KEY,
        "EXOTEL_API_TOKEN": TOKEN,
    }
    bare = {name: text for name, text in os.environ.items() if not name.startswith("CALLVAULT")}
    return subprocess.Popen(
        [sys.executable, "-m", "worker.main"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=bare | ours,
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int | None, bytes]:
    """Wait for its end, and see to it that it has one; return its code and what it said."""
    with process:
        try:
            _, said = process.communicate(timeout=ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None, b""
        return process.returncode, said


def test_it_ends_though_its_supervisor_is_gone_before_it_began(
    process: subprocess.Popen[bytes],
) -> None:
    """The supervisor dies while the process is still starting: it ends by itself all the same."""
    code, said = ended(process)

    assert code == 0
    assert b"Traceback" not in said


def test_it_ends_when_it_is_told_to(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """SIGTERM, once it has opened the catalog, ends it with 0 and no traceback."""
    with process:
        while not (tmp_path / "recordings" / ".parts").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        code, said = ended(process)

    assert code == 0
    assert b"Traceback" not in said
