"""What services need before they start: user, settings, folders and keys."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import InputError
from worker import units
from worker.installing import shipped
from worker.preparing import (
    Lacking,
    Look,
    Person,
    Seen,
    lacking,
    look,
    may,
    person,
    refuse_unprepared,
)

PLACE: Final = units.Place(
    program=Path("/opt/callvault/bin/callvault"),
    config=Path("/etc/callvault/config.toml"),
    credentials=Path("/etc/callvault"),
    root=Path("/srv/callvault"),
    state=Path("/var/lib/callvault"),
    catalog=Path("/var/lib/callvault"),
    user="callvault",
    accounts=("main",),
)
NEW: Final = Person(name="callvault", group="callvault")
MADE: Final = Person(name="callvault", group="vault", uid=990, groups=frozenset({980}))
OPEN: Final = Seen(0, 0, 0o755)
READY: Final = {
    "/opt/callvault": OPEN,
    "/etc/callvault": Seen(0, 980, 0o750),
    "/etc/callvault/config.toml": Seen(0, 980, 0o640),
    "/etc/callvault/exotel-api-key": Seen(0, 0, 0o600),
    "/etc/callvault/exotel-api-token": Seen(0, 0, 0o600),
    "/srv/callvault": Seen(990, 980, 0o750),
}
"""A machine on which all is as it should be, for the user that is there."""


def machine(**changed: Seen | None) -> Look:
    """Return what looks at that machine with something else about it; None takes a thing away."""
    there = {**READY, **changed}
    return lambda path: there.get(str(path))


def commands(
    looks: Look, who: Person = MADE, place: units.Place = PLACE, only: str = "worker"
) -> list[str]:
    """Return the commands that are told for a part."""
    return [step.command for step in found(looks, who, place, only).steps]


def found(
    looks: Look, who: Person = MADE, place: units.Place = PLACE, only: str = "worker"
) -> Lacking:
    """Return what is lacking for a part."""
    return lacking(place, units.rendered(shipped(), [only], place), who, looks)


def test_a_machine_that_is_ready_needs_nothing() -> None:
    """Keys are for root alone, who hands them out."""
    ready = found(machine())
    assert Lacking((), ()) == ready
    refuse_unprepared(PLACE, ready)


def test_settings_that_root_wrote_are_opened_to_the_services() -> None:
    """As ``init`` leaves them: a folder and a file that others may not read."""
    root = {"/etc/callvault": Seen(0, 0, 0o750), "/etc/callvault/config.toml": Seen(0, 0, 0o640)}
    opened = ["chgrp vault /etc/callvault", "chgrp vault /etc/callvault/config.toml"]
    assert opened == commands(machine(**root))
    closed = {"/etc/callvault/config.toml": Seen(0, 980, 0o600)}
    assert commands(machine(**closed)) == ["chmod g+r /etc/callvault/config.toml"]
    own = {"/etc/callvault/config.toml": Seen(990, 980, 0o060)}
    assert commands(machine(**own)) == ["chmod u+r /etc/callvault/config.toml"]
    everybodys = {"/etc/callvault": OPEN, "/etc/callvault/config.toml": Seen(0, 0, 0o644)}
    assert commands(machine(**everybodys)) == []


def test_a_user_that_is_yet_to_be_made_is_made_first() -> None:
    """Folders and settings are handed to him after that, whosever they are now."""
    first, *others = commands(machine(), NEW)
    assert first.startswith("systemd-sysusers ")
    assert others == [
        "chgrp callvault /etc/callvault",
        "chgrp callvault /etc/callvault/config.toml",
        "chown -R callvault:callvault /srv/callvault",
    ]
    other = msgspec.structs.replace(NEW, name="vault", group="vault")
    assert commands(machine(), other)[0].startswith("useradd --system ")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, ["install -d -o callvault -g vault -m 0750 /srv/callvault"]),
        (Seen(0, 0, 0o755), ["chown -R callvault:vault /srv/callvault"]),
        (Seen(990, 980, 0o550), ["chmod u+rwx /srv/callvault"]),
        (Seen(0, 980, 0o770), []),
    ],
    ids=["missing", "root's", "read-only", "the group's"],
)
def test_a_folder_of_recordings_is_made_or_handed_over(
    seen: Seen | None, expected: list[str]
) -> None:
    """One that is there and is somebody else's is no better than none."""
    assert expected == commands(machine(**{"/srv/callvault": seen}))


def test_state_is_looked_at_only_where_systemd_does_not_make_it() -> None:
    """Names with blanks come out as one word of the shell."""
    elsewhere = msgspec.structs.replace(
        PLACE, state=Path("/data/my state"), catalog=Path("/fast/catalog")
    )
    assert commands(machine(), MADE, elsewhere) == [
        "install -d -o callvault -g vault -m 0750 '/data/my state'",
        "install -d -o callvault -g vault -m 0750 /fast/catalog",
    ]


def test_keys_are_asked_for_by_the_units_that_do_not_start_without() -> None:
    """Not those of callbacks and of the report, which may be missing."""
    nowhere = msgspec.structs.replace(PLACE, credentials=Path("/nope"))
    assert commands(machine(), MADE, nowhere) == [
        "install -D -m 0600 /dev/stdin /nope/exotel-api-key",
        "install -D -m 0600 /dev/stdin /nope/exotel-api-token",
    ]
    for part in ("web", "report"):
        assert commands(machine(), MADE, nowhere, part) == []
    several = msgspec.structs.replace(nowhere, accounts=("a", "b"), encrypted=True)
    made = commands(machine(), MADE, several)
    assert "systemd-creds encrypt --name=exotel-api-token-b - /nope/exotel-api-token-b.cred" in made
    assert len(made) == 4


def test_a_python_in_the_home_of_root_is_told_and_nothing_is_started() -> None:
    """A program's Python may lie elsewhere than the program; where that home is open it will do."""
    there = msgspec.structs.replace(PLACE, python=Path("/root/.local/share/uv/python/3.12"))
    closed = found(machine(**{"/root": Seen(0, 0, 0o700)}), MADE, there)
    (text,) = closed.misplaced
    assert text.endswith("lies in /root, which callvault may not enter")
    with pytest.raises(InputError) as raised:
        refuse_unprepared(there, closed)
    assert "PYTHON=/usr/bin/python3" in raised.value.hint
    assert units.loosened(there) == {"ProtectHome": "read-only"}
    assert found(machine(**{"/root": OPEN}), MADE, there).misplaced == ()


def test_what_is_mended_by_a_command_is_not_misplaced() -> None:
    """State below the recordings, and recordings beside the settings."""
    below = msgspec.structs.replace(
        PLACE,
        root=Path("/etc/callvault/calls"),
        state=Path("/etc/callvault/calls/state"),
        catalog=Path("/etc/callvault/calls/state"),
    )
    closed = {"/etc/callvault": Seen(0, 0, 0o700), "/etc/callvault/calls": Seen(0, 0, 0o700)}
    assert found(machine(**closed), MADE, below).misplaced == ()


def test_nothing_is_started_before_all_is_there(tmp_path: Path) -> None:
    """The error has the commands; the files are looked at as they are on the disk."""
    here = msgspec.structs.replace(
        PLACE,
        user="nobody-yet",
        **dict.fromkeys(("credentials", "root", "state", "catalog"), tmp_path / "calls"),
        config=tmp_path / "config.toml",
    )
    with pytest.raises(InputError) as raised:
        refuse_unprepared(here, msgspec.structs.replace(_of_disk(here), misplaced=()))
    assert "useradd --system" in raised.value.hint
    made = f"install -d -o nobody-yet -g nobody-yet -m 0750 {tmp_path}/calls"
    assert made in raised.value.hint
    (tmp_path / "config.toml").touch(0o600)
    for name in ("exotel-api-key", "exotel-api-token"):
        (tmp_path / "calls").mkdir(exist_ok=True)
        (tmp_path / "calls" / name).touch()
    assert _of_disk(msgspec.structs.replace(here, user=getpass.getuser())).steps == ()


def _of_disk(place: units.Place) -> Lacking:
    files = units.rendered(shipped(), ["worker"], place)
    return lacking(place, files, person(place.user), look)


@given(mode=st.integers(0, 0o777), bits=st.sampled_from([4, 1, 7]))
def test_owner_group_and_others_have_what_their_part_of_the_mode_says(mode: int, bits: int) -> None:
    """The owner has his own part even where others have more."""
    for seen, shift in ((Seen(990, 980, mode), 6), (Seen(0, 980, mode), 3), (Seen(0, 0, mode), 0)):
        expected = all(mode & (bit << shift) for bit in (4, 2, 1) if bit & bits)
        assert expected is may(MADE, seen, bits)
