"""``make run``: the main job from nothing, against the sandbox provider, in about a minute.

It does what a user would do, with the commands a user would type, and then checks every file
against the sandbox's own truth.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archive.layout import PARTS, QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOME: Final = Path("demo")
_MARKER: Final = _HOME / ".made-by-callvault-demo"
_CALLS: Final = 500
_LATE: Final = 25
_MINUTE_S: Final = 1
"""Real seconds for a minute of the provider's processing."""

_CONFIG: Final = """\
[accounts.demo]
sid = "{account}"
api_base = "{api_base}"
recording_hosts = ["{recording_host}"]
storage_hosts = ["{storage_host}"]

[readiness]                 # the defaults, with the sandbox's seconds for minutes
first_look = "750ms"
window = "15s"
recheck = "5s"
give_up_after = "60s"
"""


def main() -> int:
    """Run the demonstration; return 0 if every recording is there and right."""
    began = time.monotonic()
    if _HOME.exists() and not _MARKER.exists():
        sys.stderr.write(f"{_HOME.resolve()} is not the demonstration's: move it away first\n")
        return 2
    shutil.rmtree(_HOME, ignore_errors=True)
    _HOME.mkdir()
    _MARKER.touch()
    with _sandbox() as told:
        (_HOME / "config.toml").write_text(_CONFIG.format(**told), encoding="utf-8")
        for arguments in (["enqueue", "cdr", str(_HOME / "export.csv")], ["work", "--drain"]):
            if code := _callvault(*arguments):
                return code
        wrong = _compare(_truth(told["api_base"]))
    for line in wrong:
        _say(f"WRONG: {line}")
    _say(f"\n{'FAILED' if wrong else 'done'} in {time.monotonic() - began:.0f} s.")
    _say(f"The recordings are in {(_HOME / 'recordings').resolve()}, by account, day and hour;")
    _say("each has a JSON beside it, and each day a SHA256SUMS for 'sha256sum -c'.")
    _say("README.md shows in five lines how the same is done with your own account.")
    return 1 if wrong else 0


@contextmanager
def _sandbox() -> Iterator[dict[str, Any]]:
    """Run the stand-in provider; it ends with us even if we are killed."""
    arguments = [
        *("--calls", str(_CALLS), "--late", str(_LATE), "--minute", str(_MINUTE_S)),
        *("--write-cdr", str(_HOME / "export.csv"), "--until-stdin-closes"),
    ]
    _say(f"$ callvault sandbox {' '.join(arguments)} &")
    process = subprocess.Popen(  # noqa: S603 - our own program and arguments
        [sys.executable, "-P", "-m", "sandbox", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _callvault(*arguments: str) -> int:
    config = str(_HOME / "config.toml")
    _say(f"\n$ callvault --config {config} {' '.join(arguments)}")
    environment = {
        **os.environ,
        # The sandbox's own, which protect nothing.
        "EXOTEL_API_KEY": "sandbox-key",
        "EXOTEL_API_TOKEN": "sandbox-token",
    }
    code = "from worker.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "--config", config, *arguments]
    done = subprocess.run(command, env=environment, check=False)  # noqa: S603 - our own program
    return done.returncode


def _truth(api_base: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{api_base}/sandbox/truth") as answer:  # noqa: S310 - loopback
        return [json.loads(line) for line in answer]


def _compare(truth: list[dict[str, Any]]) -> list[str]:
    """Hash every file and hold it against what the sandbox says it served."""
    root = _HOME / "recordings"
    files = {
        path.stem: path
        for path in root.rglob("*")
        if path.suffix in {".mp3", ".wav"} and not {PARTS, QUARANTINE} & set(path.parts)
    }
    wrong = []
    for call in truth:
        path = files.pop(call["sid"], None)
        if call["recorded"] != (path is not None):
            wrong.append(f"{call['sid']}: recorded is {call['recorded']}, archived is {path}")
        elif path is not None and _sha256(path) != call["sha256"]:
            wrong.append(f"{path}: other bytes than the provider's")
    wrong.extend(f"{path}: of no known call" for path in files.values())
    recorded = sum(call["recorded"] for call in truth)
    _say(f"\n{recorded} recordings hashed and held against what the sandbox served: ", end="")
    _say(f"{len(wrong)} wrong" if wrong else "all right")
    return wrong


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say(text: str, end: str = "\n") -> None:
    sys.stdout.write(f"{text}{end}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
