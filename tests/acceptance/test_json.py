"""``--json`` of each command, against docs/json.md: what is printed is what is written there."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from archive.call import State
from archive.morning.facts import Counts, Spread
from worker.cli import cli
from worker.commands.roots import Joined
from worker.sending.parcel import Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.vault import Vault

PAGE: Final = Path(__file__).parents[2] / "docs" / "json.md"
HEADING: Final = re.compile(r"^## `(callvault [^`]+)`$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW: Final = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:")


PLACEHOLDERS: Final = {
    "STATE": [state.value for state in State],
    "COUNT": Counts.__struct_fields__,
    "SPREAD": Spread.__struct_fields__,
}


def _spelt_out(row: str) -> list[str]:
    """Return the fields that a row stands for: some have a word for several names."""
    for word, names in PLACEHOLDERS.items():
        if word in row:
            return [row.replace(word, name) for name in names]
    return [row]


def documented() -> dict[str, set[str]]:
    """Return the fields of each command as the page has them, states spelt out."""
    found = {}
    for name, text in HEADING.findall(PAGE.read_text(encoding="utf-8")):
        rows = ROW.findall(text)
        found[name] = {spelt for row in rows for spelt in _spelt_out(row)}
    return found


def open_ended(fields: set[str]) -> set[str]:
    """Return the fields whose keys are data, such as reasons: the page has ``reasons.*``."""
    return {field.removesuffix(".*") for field in fields if field.endswith(".*")}


def fields_of(document: Any, maps: set[str], above: str = "") -> Iterator[str]:  # noqa: ANN401 - any document
    """Yield the path of each field, in the page's way of writing it."""
    if isinstance(document, list):
        for item in document:
            yield from fields_of(item, maps, f"{above}[]")
        return
    if not isinstance(document, dict):
        return
    for key, value in document.items():
        name = "*" if above in maps else key
        path = f"{above}.{name}".removeprefix(".")
        yield path
        yield from fields_of(value, maps, path)


def values_of(document: Any) -> Iterator[Any]:  # noqa: ANN401 - any document
    """Yield every value that holds no others."""
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from values_of(value)
    else:
        yield document


def is_below_nothing(field: str, printed: set[str]) -> bool:
    """Tell whether a field was not printed because the list or object that it is in was empty."""
    above = field.rpartition(".")[0]
    empty = above.removesuffix("[]") in printed
    return empty and not any(other.startswith(f"{above}.") for other in printed)


def with_json() -> set[str]:
    """Return the commands that have the option."""
    found = set()
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        below = command.commands if isinstance(command, click.Group) else {"": command}
        for last, leaf in below.items():
            assert leaf is not None
            if any("--json" in option.opts for option in leaf.params):
                found.add(f"callvault {name} {last}".strip())
    return found


class Printed:
    """Runs commands with --json, and gathers the fields of each."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._pages = documented()
        self.fields: dict[str, set[str]] = {}

    def run(self, name: str, *words: str, code: int | None = 0) -> list[Any]:
        """Run a command; everything that it prints has to be JSON, with dates that have a zone."""
        typed = name.removeprefix("callvault ").split()
        done = self._vault.run(*typed, *words, "--json")
        assert code in {None, done.code}, done
        documents = [json.loads(line) for line in done.out.splitlines()]
        maps = open_ended(self._pages.get(name, set()))
        for document in documents:
            self.fields.setdefault(name, set()).update(fields_of(document, maps))
            for value in values_of(document):
                if isinstance(value, str) and MOMENT.match(value):
                    assert datetime.fromisoformat(value).tzinfo is not None, value
        return documents


def test_every_field_of_every_command_is_documented(begin: Callable[..., Vault]) -> None:
    """docs/json.md has each field that a command prints, and none that it does not."""
    vault = begin("--calls", "40", "--bytes", "2000", "--several", "1", "--ready", "at-once")
    printed = Printed(vault)
    sid = "0" * 32
    (vault.folder / "old").mkdir()
    (vault.folder / "old" / f"{sid}.mp3").write_bytes(b"no recording")

    printed.run("callvault enqueue cdr", "calls.csv", "--dry-run")
    printed.run("callvault enqueue cdr", "calls.csv")
    printed.run("callvault enqueue range", "--from", "3 days ago", "--to", "today")
    printed.run("callvault poll")
    printed.run("callvault reconcile", "--from", "3 days ago")
    printed.run("callvault pause", "--why", "moving")
    printed.run("callvault status")
    printed.run("callvault resume")
    printed.run("callvault work", "--drain")
    printed.run("callvault doctor", "--offline")
    printed.run("callvault enqueue sids", sid)
    printed.run("callvault report")
    printed.run("callvault report", "--day", "yesterday")
    printed.run("callvault catalog tidy")
    printed.run("callvault catalog backup", "copy.db")
    printed.run("callvault catalog check")
    printed.run("callvault catalog copy", f"sqlite:///{vault.catalog}", "sqlite:///moved.db")
    found = printed.run("callvault find")
    kept = next(call for call in found if call["recordings"])
    printed.run("callvault locate", kept["sid"])
    printed.run("callvault catalog roots")
    # There is only one.
    printed.fields["callvault catalog join"] = set(Joined.__struct_fields__)
    printed.run("callvault explain", kept["sid"])
    printed.run("callvault purge", "--dry-run", "--sid", kept["sid"], "--reason", "asked for")
    printed.run("callvault doctor", "--offline", code=None)  # it depends on the machine
    (vault.root / kept["recordings"][0]["path"]).unlink()
    printed.run("callvault verify", code=6)
    printed.run("callvault retry", "--absent")
    printed.run("callvault adopt", "old", code=6)
    vault.catalog.rename(vault.catalog.with_suffix(".old"))
    printed.run("callvault rebuild", code=6)

    # Nobody is there to be sent to.
    printed.fields["callvault alert"] = {f"[].{name}" for name in Sent.__struct_fields__}
    page = documented()
    assert set(page) == set(printed.fields)
    for name, fields in printed.fields.items():
        assert fields <= page[name], (name, sorted(fields - page[name]))
        missing = {field for field in page[name] - fields if not is_below_nothing(field, fields)}
        assert not missing, (name, sorted(missing))
    assert with_json() == {*page, "callvault run"}
