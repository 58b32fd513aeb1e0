"""The documents against the code: what stands in the reference is what there is."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_type_hints
from zoneinfo import ZoneInfo

import click
import msgspec
import pytest

from archive import selection, timings
from archive.accounts import Account
from archive.audio import AudioFacts, AudioKind
from archive.call import UNSETTLED, CallFacts, State
from archive.catalog.work import ClaimedCall
from archive.errors import Exit
from archive.fetch import Fetched
from archive.flags import FLAGS
from archive.hours import Backfill
from archive.manifest import Gone, Hint, Line, Seen, Told, encode
from archive.polling import Poll
from archive.readiness import Readiness
from archive.retention import Kept
from archive.store import Pending, Place, Store
from archive.verdicts import RULES, Rule, Symptom
from jobs.recording import _about
from jobs.targets import Target
from sandbox.__main__ import main as sandbox_command
from tests.chaos.__main__ import main as chaos_command
from tests.cluster.__main__ import main as cluster_command
from worker import sections, settings, values
from worker.cli import cli
from worker.sending.section import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parents[2]
_DOCS: Final = _ROOT / "docs"
_PAGES: Final = sorted([*_ROOT.glob("*.md"), *_DOCS.rglob("*.md")])
_SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "accounts.NAME": Account,
    "archive": sections.Archive,
    "catalog": sections.CatalogSettings,
    "queue": sections.Queue,
    "worker": sections.Workers,
    "readiness": Readiness,
    "web": sections.Web,
    "poll": Poll,
    "backfill": Backfill,
    "report": Report,
    "log": sections.Log,
}
_NOT_A_KEY: Final = {"accounts.NAME": {"name", "retention", "selection"}}
_ARRAYS: Final[dict[str, type[msgspec.Struct]]] = {
    "[[selection]]": selection.Rule,
    "[[accounts.NAME.retention]]": Kept,
}
_MINUTE: Final = timedelta(minutes=1)


def _read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _parts(text: str) -> dict[str, str]:
    """Return the text below each heading, up to the next one of any level."""
    found = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def _table(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables, headers and rulers left out."""
    rows = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        is_header = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("| ") and not is_header:
            rows.append([cell.strip() for cell in line.strip().strip("|").split(" | ")])
    return rows


def _code(cell: str) -> str:
    """Return what stands in backticks, which is all of the cell."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell[1:-1]


def _fields(section: str) -> dict[str, Any]:
    """Return the keys of a section and their defaults, `msgspec.NODEFAULT` where there is none."""
    skipped = _NOT_A_KEY.get(section, set())
    fields = msgspec.structs.fields(_SECTIONS[section])
    return {field.name: field.default for field in fields if field.name not in skipped}


def _value(section: str, key: str, written: str) -> object:
    """Return what callvault makes of a value as it would stand in the settings file."""
    hint = get_type_hints(_SECTIONS[section], include_extras=True)[key]
    raw = tomllib.loads(f"value = {written}")["value"]
    return values.convert(raw, hint, is_text=False)


@pytest.mark.parametrize("array", _ARRAYS)
def test_each_key_of_an_array_of_tables_stands_in_the_reference(array: str) -> None:
    """In the order in which they are looked at."""
    written = [_code(row[0]) for row in _table(_parts(_read("docs/settings.md"))[array])]
    assert written == list(_ARRAYS[array].__struct_encode_fields__)


# --- Settings -------------------------------------------------------------------------------------


def test_every_section_of_the_settings_is_known_here() -> None:
    """A new section of the settings cannot go past these tests."""
    assert {*settings._SECTIONS.values(), Account} == set(_SECTIONS.values())
    assert {*settings._SECTIONS, "accounts.NAME"} == set(_SECTIONS)


@pytest.mark.parametrize("section", _SECTIONS)
def test_each_setting_stands_in_the_reference_with_its_default(section: str) -> None:
    """docs/settings.md has a row for each key and for nothing else; default and variable agree."""
    rows = {_code(row[0]): row for row in _table(_parts(_read("docs/settings.md"))[f"[{section}]"])}
    expected = _fields(section)
    assert list(rows) == list(expected)
    prefix = "ACCOUNTS_<NAME>" if section == "accounts.NAME" else section.upper()
    for key, default in expected.items():
        _, _, written, meaning, variable = rows[key]
        assert meaning
        assert _code(variable) == f"CALLVAULT_{prefix}_{key.upper()}"
        if default is msgspec.NODEFAULT:
            assert written == "required"
        else:
            assert _value(section, key, _code(written)) == default, key


@pytest.mark.parametrize("section", _SECTIONS)
def test_each_setting_stands_in_the_example_with_its_default(section: str) -> None:
    """config.toml shows each key, commented out with its default where it has one."""
    text = _read("config.toml")
    heading = section.replace("NAME", "main")
    body = text.partition(f"[{heading}]\n")[2].partition("\n[")[0]
    shown = dict(re.findall(r"^# (\w+) = (\S.*?)(?:  +#.*)?$", body, re.MULTILINE))
    given = dict(re.findall(r"^(\w+) = (\S.*?)(?:  +#.*)?$", body, re.MULTILINE))
    expected = _fields(section)
    assert {*shown, *given} == set(expected)
    assert set(given) == {key for key, value in expected.items() if value is msgspec.NODEFAULT}
    for key, written in shown.items():
        value = _value(section, key, written)
        if key == "storage_hosts":  # only the first one is shown; the comment says so
            assert value == expected[key][:1]
        else:
            assert value == expected[key], key


# --- Commands -------------------------------------------------------------------------------------


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield what can be called, the group at the top for its own options, and its full name."""
    if isinstance(command, click.Group):
        if command is cli:
            yield name, command
        ctx = click.Context(command)
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            assert found is not None
            yield from _commands(found, f"{name} {below}")
    else:
        yield name, command


def _options(command: click.Command) -> set[str]:
    return {
        written
        for option in command.params
        if isinstance(option, click.Option)
        for written in (*option.opts, *option.secondary_opts)
    }


def test_each_command_and_option_stands_in_the_reference() -> None:
    """docs/commands.md has a section for each command, a row for each option, and no others."""
    parts = _parts(_read("docs/commands.md"))
    sections = {_code(name): text for name, text in parts.items() if name.startswith("`callvault")}
    commands = dict(_commands(cli, "callvault"))
    assert set(sections) == set(commands)
    for name, command in commands.items():
        written = {
            option.split()[0]
            for row in _table(sections[name])
            for option in re.findall(r"`([^`]+)`", row[0])
        }
        real = sandbox_command if name == "callvault sandbox" else command
        assert written == _options(real), name


def test_each_option_of_a_chaos_run_stands_in_its_page() -> None:
    """docs/chaos.md has every option of ``python -m tests.chaos``, and no others."""
    rows = _table(_parts(_read("docs/chaos.md"))["The report"])
    written = {option.split()[0] for row in rows for option in re.findall(r"`(--[^`]+)`", row[0])}
    assert written == _options(chaos_command)


def test_each_option_of_a_run_on_a_cluster_stands_in_its_page() -> None:
    """docs/cluster.md has every option of ``python -m tests.cluster``, and no others."""
    rows = _table(_parts(_read("docs/cluster.md"))["What is checked"])
    written = {option.split()[0] for row in rows for option in re.findall(r"`(--[^`]+)`", row[0])}
    assert written == _options(cluster_command)


def test_each_condition_of_a_chaos_run_stands_in_its_page() -> None:
    """docs/chaos.md explains every condition that a violation can be told with."""
    rows = _table(_parts(_read("docs/chaos.md"))["What is checked"])
    written = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    sources = [_read(f"tests/chaos/{name}.py") for name in ("judge", "run")]
    named = {name for text in sources for name in re.findall(r'Violation\(\s*"([^"]+)"', text)}
    assert written == named


def test_each_command_stands_in_the_readme() -> None:
    """README.md names each command in its table."""
    named = " ".join(row[0] for row in _table(_parts(_read("README.md"))["Commands"]))
    for name, _ in _commands(cli, "callvault"):
        assert f"`{name}" in named or name == "callvault", name


@pytest.mark.parametrize(
    ("page", "heading"), [("docs/exit-codes.md", "Exit codes"), ("README.md", "Commands")]
)
def test_each_exit_code_is_explained(page: str, heading: str) -> None:
    """The tables have a row for each exit code there is, and for no other."""
    first_cells = [row[0] for row in _table(_parts(_read(page))[heading])]
    codes = [int(cell) for cell in first_cells if cell.isdigit()]
    assert codes == sorted(Exit)


# --- What is decided ------------------------------------------------------------------------------


def _spoken(delay: timedelta) -> str:
    return f"{delay // _MINUTE} min" if delay >= _MINUTE else f"{delay.seconds} s"


def _row_of(symptom: Symptom, rule: Rule) -> list[str]:
    return [
        f"`{symptom}`",
        str(rule.act),
        _spoken(rule.base),
        _spoken(rule.cap),
        "none" if rule.limit is None else str(rule.limit),
        "-" if rule.limit is None else str(rule.finally_),
        "yes" if rule.fatal else "no",
    ]


def test_each_symptom_stands_in_the_reference_as_it_is_decided() -> None:
    """docs/verdicts.md has the rows of RULES in their order, with all that they decide."""
    rows = _table(_parts(_read("docs/verdicts.md"))["Verdicts"])
    written = [[row[0], *row[2:]] for row in rows]
    assert all(row[1] for row in rows)
    assert written == [_row_of(symptom, rule) for symptom, rule in RULES.items()]


def test_each_state_stands_in_the_architecture() -> None:
    """The table of states has each state once, and says which of them are settled."""
    text = _parts(_read("docs/architecture.md"))["States of a call"]
    rows = {_code(row[0]): row[2] for row in _table(text)}
    assert rows == {state.value: "no" if state in UNSETTLED else "yes" for state in State}


def test_the_picture_of_the_states_knows_no_others() -> None:
    """Every state that something leads to is in the picture."""
    text = _parts(_read("docs/architecture.md"))["States of a call"]
    picture = text.partition("```text")[2].partition("```")[0]
    drawn = {word for word in re.findall(r"[a-z]+", picture) if word in set(State)}
    assert drawn == {state.value for state in State} - {"excluded"}


def test_the_times_are_those_of_the_code() -> None:
    """docs/architecture.md lists each time of archive/timings.py with its value."""
    text = _parts(_read("docs/architecture.md"))["Dispatch, claim, lease, rescue"]
    written = {_code(row[0]): row[1] for row in _table(text)}
    assert written == {
        name: f"{getattr(timings, name)} s" for name in dir(timings) if name.isupper()
    }


# --- The format on disk ---------------------------------------------------------------------------


def _sidecar(root: Path) -> dict[str, Any]:
    """Publish a recording as a job does, and return the sidecar it got."""
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    facts = CallFacts(sid="0123456789abcdef", started_at=now)
    place = Place(
        account="main", sid=facts.sid, object_name="1.mp3", began=now, zone=ZoneInfo("Asia/Kolkata")
    )
    call = ClaimedCall(facts=facts, delete_by=now, tries=0, refreshes=0, late_looks=0)
    target = Target(call=call, facts=facts, url="https://recordings.exotel.com/1.mp3", place=place)
    fetched = Fetched(
        body=b"audio",
        part=None,
        head=b"",
        size=5,
        sha256="0" * 64,
        content_type="",
        etag="",
    )
    pending = Pending(
        lease="lease",
        place=place,
        audio=AudioFacts(AudioKind.MP3, 1, 8000, 128_000, 1.0),
        sha256=fetched.sha256,
        size=fetched.size,
        body=fetched.body,
        about=_about(target, fetched, now),
    )
    (proof,) = Store(root).publish([pending])
    assert not isinstance(proof, OSError)
    document: dict[str, Any] = msgspec.json.decode(
        (root / proof.path).with_suffix(".json").read_bytes()
    )
    return document


def _keys(document: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in document.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")


def test_each_key_of_a_sidecar_is_described(tmp_path: Path) -> None:
    """docs/format.md has the keys of a real sidecar, in its order, and no others."""
    rows = _table(_parts(_read("docs/format.md"))["The sidecar"])
    assert [_code(row[0]) for row in rows] == list(_keys(_sidecar(tmp_path)))


def test_each_flag_is_described() -> None:
    """docs/format.md has each flag that a recording can have, in its order, and no others."""
    rows = _table(_parts(_read("docs/format.md"))["Flags"])
    assert [_code(row[0]) for row in rows] == list(FLAGS)
    assert all(row[1] for row in rows)


def _line_keys() -> Iterator[str]:
    moment = datetime(2026, 11, 22, 12, tzinfo=UTC)
    told = Told(
        object="1.mp3",
        file="17/1.mp3",
        sha256="0" * 64,
        bytes=5,
        format="mp3",
        channels=1,
        sample_rate=8000,
        seconds=1.0,
        flag="",
        archived_at=moment,
    )
    line = Line(
        account="main",
        sid="0123456789abcdef",
        state=State.ARCHIVED,
        reason="",
        call=CallFacts(sid="0123456789abcdef"),
        sightings=[Seen("cdr", moment)],
        delete_by=moment,
        settled_at=moment,
        recordings=[told],
        candidates=[Hint(object="2.mp3", url="https://x", source="cdr", at=moment)],
        purged=[
            Gone(object="3.mp3", file="17/3.mp3", sha256="0" * 64, bytes=5, at=moment, why="age")
        ],
    )
    for key, value in msgspec.json.decode(encode(line)).items():
        yield key
        if isinstance(value, list):
            yield from (f"{key}.{below}" for below in value[0])


def test_each_key_of_a_manifest_is_described() -> None:
    """docs/format.md has the keys of a line, in its order, and no others."""
    rows = _table(_parts(_read("docs/format.md"))["manifest.jsonl"])
    assert [_code(row[0]) for row in rows] == list(_line_keys())


# --- The pages themselves -------------------------------------------------------------------------


def _links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each link within the repository names a file, and a heading of it where it names one."""
    for link in _links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_each_page_can_be_reached_from_the_readme() -> None:
    """No page is only found by those who know that it is there."""
    reached, waiting = set(), [_ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = (link.partition("#")[0] for link in _links(page))
        waiting.extend((page.parent / file).resolve() for file in targets if file)
    assert reached >= set(_PAGES)
