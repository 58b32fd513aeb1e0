"""The units as `callvault systemd install` writes them: whole, and for any path."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from archive.errors import InputError
from worker import units
from worker.installing import shipped, sysusers

SHIPPED: Final = shipped()
USUAL: Final = units.Place(
    program=Path("/opt/callvault/bin/callvault"),
    config=Path("/etc/callvault/config.toml"),
    credentials=Path("/etc/callvault"),
    root=Path("/srv/callvault"),
    state=Path("/var/lib/callvault"),
    catalog=Path("/var/lib/callvault"),
    user="callvault",
    accounts=("main",),
)
EVERY: Final = units.PARTS
_ANALYSE: Final = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(_ANALYSE is None, reason="there is no systemd-analyze here")

# What a folder may be called that units can name, blanks, specifiers and comment signs included.
NAMES: Final = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/\"'\\$`"),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in {".", ".."} and name.isprintable())
PATHS: Final = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: Path("/", *names))


def rendered(unit: str, place: units.Place = USUAL) -> str:
    """Return a shipped file as it is for a place."""
    return units.render(SHIPPED[unit], place)


def values(text: str, key: str) -> list[str]:
    """Return the values of a key in a unit."""
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


def place(**changed: object) -> units.Place:
    """Return the usual place with something else about it."""
    return units.Place(**{name: getattr(USUAL, name) for name in USUAL.__struct_fields__} | changed)


def silent(folder: Path, unit: str) -> None:
    """Check that systemd has nothing to say about a unit."""
    assert _ANALYSE is not None
    done = subprocess.run(  # noqa: S603 - systemd's own tool on a file of ours
        [_ANALYSE, "verify", str(folder / unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def written(folder: Path, where: units.Place) -> list[str]:
    """Write all units for a place; return the names of those that are no drop-in."""
    files = units.rendered(SHIPPED, EVERY, where)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return [name for name in files if "/" not in name]


@pytest.mark.parametrize("unit", SHIPPED)
def test_the_shipped_files_are_those_for_the_usual_paths(unit: str) -> None:
    """So a person may copy them as they are: only a web service's condition is written longer."""
    expected = SHIPPED[unit].replace("ConditionPathExists=/", "ConditionPathExists=|/")
    assert expected == rendered(unit)


@pytest.mark.parametrize("unit", SHIPPED)
def test_no_line_names_a_folder_that_is_another_here(unit: str) -> None:
    """Nor does a comment."""
    other = Path("/data")
    paths = ("program", "config", "credentials", "root", "state", "catalog")
    text = rendered(unit, place(**dict.fromkeys(paths, other), encrypted=True))
    assert not re.findall(r"/(?:etc|srv|opt|var/lib)/callvault.*", text)


@needs_systemd
@pytest.mark.parametrize("odd", ["/srv/call vault/50% off;#1", "/data/recordings"])
def test_systemd_has_nothing_to_say_about_units_with_odd_paths(tmp_path: Path, odd: str) -> None:
    """All of them, with several accounts and encrypted keys, by a program in such a folder too."""
    program = tmp_path / "venv 5%" / "callvault"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    where = place(
        program=program,
        config=Path(f"{odd}/config.toml"),
        credentials=Path(odd),
        root=Path(f"{odd}/recordings"),
        state=Path(f"{odd}/state"),
        catalog=Path(f"{odd}/catalog"),
        accounts=("main", "second-one"),
        encrypted=True,
    )
    folder = tmp_path / "units"
    folder.mkdir()
    names = written(folder, where)
    assert len(names) == 8 + 5 + 2
    for name in names:
        silent(folder, name)


@settings(max_examples=50)
@given(program=PATHS, config=PATHS, root=PATHS, state=PATHS)
def test_any_path_comes_out_of_a_unit_as_it_went_in(
    program: Path, config: Path, root: Path, state: Path
) -> None:
    """Words are split and quotes and specifiers undone as systemd.syntax(7) has it."""
    assume(not state.is_relative_to("/var/lib"))
    where = place(program=program, config=config, root=root, state=state, catalog=state)
    units.check(where)
    text = rendered("callvault-worker.service", where)
    (command,) = values(text, "ExecStart")
    assert [str(program), "--config", str(config), "work"] == words(command)
    assert [[str(state)], [str(root)]] == [words(v) for v in values(text, "ReadWritePaths")]
    assert [[str(root)]] == [words(v) for v in values(text, "RequiresMountsFor")]
    assert [str(state)] == [v.replace("%%", "%") for v in values(text, "WorkingDirectory")]
    assert not values(text, "StateDirectory")


def words(value: str) -> list[str]:
    """Split a value as systemd does: at blanks, but for what is quoted."""
    assert not re.search(r"(?<!%)(%%)*%(?!%)", value), value
    found = re.findall(r'"[^"]*"|[^\s"]+', value)
    return [word.strip('"').replace("%%", "%") for word in found]


@pytest.mark.parametrize(
    "path",
    [
        "relative",
        "/a\nExecStart=/bin/sh",
        '/a"b',
        "/a'b",
        "/a\\b",
        "/a$HOME",
        "/a`b",
        "/a/../b",
        "/\x7f",
        "/a\u2028b",
    ],
)
@pytest.mark.parametrize("field", ["program", "config", "credentials", "root", "state", "catalog"])
def test_a_path_that_would_mean_something_else_is_refused(field: str, path: str) -> None:
    """Nothing is written with it; the error names it, on one line."""
    with pytest.raises(InputError) as raised:
        units.rendered(SHIPPED, EVERY, place(**{field: Path(path)}))
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("user", ["", "Call Vault", "-x", "root\nUser=root", "ü"])
def test_a_user_who_cannot_be_one_is_refused(user: str) -> None:
    """The name goes into units and into the commands that are shown."""
    with pytest.raises(InputError):
        units.check(place(user=user))


def test_there_are_only_the_parts_that_there_are() -> None:
    """The error lists them."""
    with pytest.raises(InputError) as raised:
        units.files_of(["worker", "../../etc/passwd"])
    assert "worker, poller" in raised.value.hint


@pytest.mark.parametrize("profile", units.PROFILES)
def test_a_profile_has_all_that_it_needs(profile: str) -> None:
    """Its services and timers, what tells of failures, and the target; each of them is shipped."""
    files = units.files_of(units.PROFILES[profile])
    assert set(files) <= set(SHIPPED)
    assert {"callvault.target", "callvault-failed@.service"} <= set(files)
    assert set(units.enabled_of(units.PROFILES[profile])) <= set(files)
    assert not [unit for unit in units.enabled_of(EVERY) if "[Install]" not in SHIPPED[unit]]


def test_all_parts_together_are_all_that_is_shipped() -> None:
    """No file of the folder is forgotten."""
    assert sorted(SHIPPED) == sorted(units.files_of(EVERY))


def test_each_account_has_its_keys() -> None:
    """One command is for all accounts, and has the credentials of each."""
    text = rendered("callvault-nightly.service", place(accounts=("main", "other")))
    assert len(values(text, "ExecStart")) == 1
    names = [value.partition(":")[0] for value in values(text, "LoadCredential")]
    kinds = ("exotel-api-key", "exotel-api-token")
    assert [f"{kind}-{name}" for kind in kinds for name in ("main", "other")] == names


def test_only_webhooks_that_have_a_secret_are_asked_for() -> None:
    """A file that is missing would keep the service from starting, so the others decide."""
    accounts = ("main", "other")
    there = frozenset({"exotel-webhook-secret-other"})
    for secrets, expected in ((there, ["other"]), (frozenset(), ["main", "other"])):
        where = place(accounts=accounts, secrets=secrets)
        text = rendered("callvault-web.service", where)
        given = [v.partition(":")[0].rpartition("-")[2] for v in values(text, "LoadCredential")]
        assert expected == given
        assert len(expected) == len(values(text, "ConditionPathExists"))


def test_encrypted_keys_are_loaded_as_such() -> None:
    """By the key that decrypts them, from files named after them."""
    text = rendered("callvault-worker.service", place(encrypted=True))
    assert not values(text, "LoadCredential")
    assert values(text, "LoadCredentialEncrypted") == [
        "exotel-api-key:/etc/callvault/exotel-api-key.cred",
        "exotel-api-token:/etc/callvault/exotel-api-token.cred",
    ]


@pytest.mark.parametrize("unit", [name for name in SHIPPED if name.endswith(".service")])
def test_folders_that_systemd_does_not_make_may_be_written(unit: str) -> None:
    """State and catalog elsewhere: no StateDirectory=, and the root only for whom it was."""
    where = place(state=Path("/data/state"), catalog=Path("/fast/catalog"))
    text = rendered(unit, where)
    assert not values(text, "StateDirectory") + values(text, "StateDirectoryMode")
    root = values(SHIPPED[unit], "ReadWritePaths")
    assert ["/data/state", "/fast/catalog", *root] == values(text, "ReadWritePaths")
    nested = rendered(unit, place(state=Path("/var/lib/a/b")))
    assert values(nested, "StateDirectory") == ["a/b"]


def test_homes_are_opened_only_where_something_lies_there() -> None:
    """What else is hidden from all services is shown, and not more than that."""
    for root, expected in (
        ("/home/ops/recordings", ["read-only"]),
        ("/root/recordings", ["read-only"]),
        ("/homes/recordings", ["yes"]),
    ):
        text = rendered("callvault-.service.d/hardening.conf", place(root=Path(root)))
        assert expected == values(text, "ProtectHome")
        assert values(text, "PrivateTmp") == ["yes"]
    temporary = Path("/var/tmp/x")  # noqa: S108 - nothing is made there
    text = rendered("callvault-.service.d/hardening.conf", place(state=temporary))
    assert values(text, "PrivateTmp") == ["no"]


@settings(max_examples=50)
@given(st.text(), st.text())
def test_a_change_by_a_person_is_seen(text: str, added: str) -> None:
    """Whatever was added; and a file of somebody else's is none of ours."""
    ours = units.marked(text)
    assert units.is_ours(ours)
    assert units.was_ours(ours)
    assert units.is_ours(ours + added) is (added == "")
    assert units.is_ours(text) is (units.was_ours(text) and units.is_ours(text))
    assert not units.was_ours(f"#{ours}")


def test_the_user_can_be_made_by_what_is_shipped() -> None:
    """One line of sysusers.d(5), for the user of the units."""
    lines = [line for line in sysusers().read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    (line,) = lines
    assert shlex.split(line)[:3] == ["u", "callvault", "-"]
    assert shlex.split(line)[-1] == "/var/lib/callvault"
