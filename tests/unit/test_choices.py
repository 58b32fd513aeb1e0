"""What ``callvault init`` writes: settings that load as they were chosen, and all else as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.accounts import MUMBAI, SINGAPORE
from archive.errors import InputError, SettingsError
from worker.choices import (
    Choices,
    Places,
    missing_flags,
    odd,
    propose_free,
    propose_places,
    written,
)
from worker.filling import example, fill
from worker.settings import load_settings, read_settings
from worker.values import parse_size

ROOT: Final = Path(__file__).parents[2]
FILE: Final = Path("/home/you/calls/config.toml")

words = st.text(st.sampled_from("abcXYZ019_-"), min_size=1, max_size=64)
# Whatever a folder's name may hold, but for what no TOML file and no setting can.
folders = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0~"), min_size=1, max_size=40
).filter(str.strip)
choices = st.builds(
    Choices,
    sid=words,
    api_base=st.sampled_from([SINGAPORE, MUMBAI, "http://127.0.0.1:8080"]),
    retention_days=st.integers(1, 36_500),
    root=folders,
    state=st.sampled_from(["state", "/var/lib/callvault", "../a/b"]),
    min_free=st.integers(0, 2**50).map(propose_free),
    timezone=st.sampled_from(["Asia/Kolkata", "UTC", "Europe/Berlin"]),
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True),
    processes=st.integers(0, 256),
    web=st.booleans(),
    recording_hosts=st.sampled_from([(), ("recordings.exotel.com",), ("127.0.0.1:9", "b.c/d")]),
    storage_hosts=st.sampled_from([(), ("127.0.0.1:9/exotelrecordings",)]),
)


def some(**changed: Any) -> Choices:  # noqa: ANN401 - any choice
    """Return choices that are good, but for what is changed."""
    usual: dict[str, Any] = {
        "sid": "acme1",
        "api_base": MUMBAI,
        "retention_days": 90,
        "root": "recordings",
        "state": "state",
        "min_free": "5GiB",
        "timezone": "Asia/Kolkata",
    }
    return Choices(**{**usual, **changed})


def test_the_example_is_the_project_s() -> None:
    """What is filled in is the file in the project's root, whose defaults other tests hold."""
    assert (ROOT / "config.toml").read_text(encoding="utf-8") == example()


@settings(max_examples=40)
@given(chosen=choices)
def test_what_is_written_loads_as_it_was_chosen(chosen: Choices) -> None:
    """Whatever is chosen, the file has no mistake, and says what was chosen.

    Each other line is the example's, comments and defaults too.
    """
    text = written(chosen, FILE)
    read = read_settings(tomllib.loads(text), {}, file=FILE)

    lines = zip(text.split("\n"), example().split("\n"), strict=True)
    changed = [new for new, old in lines if new != old]
    assert not [line for line in changed if line.startswith("#")]
    assert len(changed) <= 14
    (account,) = read.accounts.values()
    assert (chosen.name, chosen.sid, chosen.api_base) == (
        account.name,
        account.sid,
        account.api_base,
    )
    assert (chosen.retention_days, chosen.timezone) == (account.retention_days, account.timezone)
    assert FILE.parent / chosen.root == read.archive.root
    assert FILE.parent / chosen.state / "catalog.db" == read.catalog_path
    assert FILE.parent / chosen.state == read.queue.state
    assert parse_size(chosen.min_free) == read.archive.min_free
    assert chosen.processes == read.worker.processes
    if chosen.recording_hosts:
        assert chosen.recording_hosts == account.recording_hosts
    if chosen.storage_hosts:
        assert chosen.storage_hosts == account.storage_hosts


def test_a_real_file_is_read(tmp_path: Path) -> None:
    """What is written can be named to any command."""
    file = tmp_path / "config.toml"
    file.write_text(written(some(), file), encoding="utf-8")

    assert load_settings(file, {}).account("main").region == "Mumbai"


@pytest.mark.parametrize(
    "changed",
    [
        {"sid": "a b"},
        {"sid": '"\n[worker]\nprocesses = 3\n#'},
        {"retention_days": 0},
        {"timezone": "Mars/Olympus"},
        {"api_base": "http://example.org"},
        {"min_free": "some"},
        {"processes": 1000},
        {"recording_hosts": ("https://x/?",)},
        {"state": "a b"},
    ],
)
def test_what_would_not_load_is_not_written(changed: dict[str, object]) -> None:
    """It is told as a mistake of the settings is; no value can write more than itself."""
    with pytest.raises(SettingsError) as caught:
        written(some(**changed), FILE)

    assert len(caught.value.mistakes) == 1


@pytest.mark.parametrize("changed", [{"name": "a]\n[b"}, {"root": "\udcff"}, {"name": "a.b"}])
def test_what_is_no_text_is_not_written(changed: dict[str, object]) -> None:
    """Names that are none, and paths that are no text, are refused."""
    with pytest.raises((InputError, SettingsError)):
        written(some(**changed), FILE)


def test_a_key_that_the_example_lacks_is_a_fault() -> None:
    """What is chosen is never left out in silence."""
    with pytest.raises(AssertionError, match="nothing"):
        fill(example(), "main", {"worker": {"nothing": 1}})


@pytest.mark.parametrize(
    ("disk", "expected"),
    [(0, "1GiB"), (60 * 2**30, "1GiB"), (500 * 2**30, "10GiB"), (2**43, "50GiB"), (2**60, "50GiB")],
)
def test_the_room_proposed_follows_the_disk(disk: int, expected: str) -> None:
    """A fiftieth of it, not less than 1 and not more than 50 GiB."""
    assert expected == propose_free(disk)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("config.toml", Places("recordings", "state")),
        ("/srv/x/config.toml", Places("recordings", "state")),
        ("/etc/callvault/config.toml", Places("/srv/callvault", "/var/lib/callvault")),
    ],
)
def test_the_places_proposed_follow_the_file(file: str, expected: Places) -> None:
    """Beside it; but nothing is archived below /etc."""
    assert expected == propose_places(Path(file))


def test_all_that_is_missing_is_named() -> None:
    """As it is typed, and not what is given."""
    given_ones: dict[str, object] = {"sid": "", "retention_days": None, "region": "mumbai"}

    assert missing_flags(given_ones, needed=("sid", "retention_days", "region")) == [
        "--sid",
        "--retention-days",
    ]


def test_what_is_usual_is_not_odd() -> None:
    """The longest plan, and a disk that has a byte more than is to be left."""
    usual = some(retention_days=365, min_free="1GiB")
    assert odd(usual, free=2**30 + 1) == []
    assert len(odd(some(retention_days=366, min_free="1GiB"), free=2**30)) == 2
