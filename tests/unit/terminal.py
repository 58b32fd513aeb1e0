"""The command line in this process, with settings and a catalog in a folder of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from archive.errors import CallvaultError
from worker.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SETTINGS = '[accounts.main]\nsid = "acme1"\n'
TWO_ACCOUNTS = f'{SETTINGS}[accounts.other]\nsid = "acme2"\n'


class Terminal:
    """Runs commands as a person types them, and looks at what they say."""

    def __init__(self, folder: Path, settings: str = SETTINGS) -> None:
        self._config = folder / "config.toml"
        self._config.write_text(settings)

    def run(self, *words: str, typed: str | bytes = "") -> Result:
        """Run a command, whichever way it ends."""
        arguments = ["--debug", "--config", str(self._config), *words]
        return CliRunner().invoke(cli, arguments, input=typed, standalone_mode=False)

    def says(self, *words: str, typed: str | bytes = "") -> str:
        """Run a command that ends well, and return what it prints."""
        result = self.run(*words, typed=typed)
        assert result.exception is None, result.exception
        assert result.return_value == 0
        return result.stdout

    def tells(self, *words: str, typed: str | bytes = "") -> Any:  # noqa: ANN401 - any document
        """Run a command with --json, and return its one document."""
        (line,) = self.says(*words, "--json", typed=typed).splitlines()
        return json.loads(line)

    def refuses(self, *words: str, typed: str | bytes = "") -> CallvaultError:
        """Run a command that ends with an error of ours, and return that."""
        error = self.run(*words, typed=typed).exception
        assert isinstance(error, CallvaultError), error
        return error
