"""The stand-in provider as a real process, for tests: started, asked for the truth, and ended."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
KEY: Final = "key-7c1e5b"
TOKEN: Final = "token-94aa0d2f"
_ANSWER_S: Final = 60

Section: TypeAlias = "Mapping[str, object]"


class Provider(msgspec.Struct, frozen=True):
    """A stand-in that is running, and what it printed when it was ready."""

    ready: dict[str, Any]

    @property
    def api_base(self) -> str:
        """Where its API is."""
        return str(self.ready["api_base"])

    @property
    def account(self) -> dict[str, object]:
        """The settings of an account that is served by it."""
        return {
            "sid": self.ready["account"],
            "api_base": self.api_base,
            "recording_hosts": [self.ready["recording_host"]],
            "storage_hosts": [f"{self.ready['storage_host']}/exotelrecordings"],
        }

    def stats(self) -> dict[str, Any]:
        """Return what it was asked for since it started, or since `reset`."""
        return dict(json.loads(self._asked("GET", "stats")))

    def reset(self) -> None:
        """Begin to count anew."""
        self._asked("POST", "stats/reset")

    def spoil(self, *rules: Section) -> None:
        """Put rules of faults in force."""
        self._asked("POST", "faults", json.dumps(rules))

    def heal(self) -> None:
        """Take all rules of faults away."""
        self._asked("DELETE", "faults")

    def truth(self) -> list[dict[str, Any]]:
        """Return the whole truth about every call."""
        return [json.loads(line) for line in self._asked("GET", "truth").splitlines()]

    def _asked(self, method: str, path: str, sent: str | None = None) -> bytes:
        host = self.api_base.removeprefix("http://")
        line = http.client.HTTPConnection(host, timeout=_ANSWER_S)
        try:
            line.request(method, f"/sandbox/{path}", sent)
            answer = line.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return body
        finally:
            line.close()


@contextmanager
def running_provider(
    *options: str, environment: Mapping[str, str] | None = None, inside: Sequence[str] = ()
) -> Iterator[Provider]:
    """Start a stand-in with these options, and end it by closing its standard input.

    ``environment`` is what it has beside our own; ``inside`` are words that begin its command line.
    """
    environment = {**os.environ, "SANDBOX_KEY": KEY, "SANDBOX_TOKEN": TOKEN, **(environment or {})}
    with subprocess.Popen(  # noqa: S603 - our own command, no shell
        [*inside, sys.executable, "-m", "sandbox", "--until-stdin-closes", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the stand-in did not start"
        yield Provider(json.loads(line))


def write_config(file: Path, **sections: Section) -> Path:
    """Write settings: each section's keys by its name, accounts as ``accounts={name: keys}``."""
    accounts = sections.pop("accounts", {})
    tables = {**{f"accounts.{name}": keys for name, keys in accounts.items()}, **sections}
    text = "\n".join(_table(name, keys) for name, keys in tables.items())
    file.write_text(text, encoding="utf-8")
    return file


def _table(name: str, keys: object) -> str:
    assert isinstance(keys, dict)
    # Texts, numbers, truth values and lists of texts are written alike in JSON and in TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join((f"[{name}]", *lines, ""))
