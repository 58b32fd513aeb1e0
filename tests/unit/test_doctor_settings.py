"""What `doctor` says of the settings, and that no secret comes out of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import InputError
from worker.doctor import settings
from worker.doctor.check import Check, Group, Result, passed
from worker.doctor.settings import FileFacts, FolderFacts
from worker.doctor.world import World, look_around

if TYPE_CHECKING:
    from collections.abc import Mapping

_GOOD = '[accounts.main]\nsid = "acme1"\n'


def _world(folder: Path, text: str = _GOOD, **options: Any) -> World:  # noqa: ANN401 - as look_around takes them
    file = folder / "config.toml"
    file.write_text(text)
    environment: Mapping[str, str] = options.pop("environment", {})
    return look_around(file, environment, **options)


def test_settings_in_order_pass(tmp_path: Path) -> None:
    """With the names of the accounts."""
    found = settings.judge_settings(_world(tmp_path))
    assert found.result is Result.PASSED
    assert found.said.endswith("accounts: main")


def test_all_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    """Unknown variables among them."""
    text = f'{_GOOD}[worker]\nbatch = 1000\n[log]\nlevel = "loud"\n'
    world = _world(tmp_path, text, environment={"CALLVAULT_WORKER_SPEED": "9"})
    found = settings.judge_settings(world)
    assert found.result is Result.FAILED
    for word in ("worker.batch", "log.level", "CALLVAULT_WORKER_SPEED"):
        assert word in found.said


@pytest.mark.parametrize("text", ["[accounts", "", None])
def test_settings_that_cannot_be_read_fail(tmp_path: Path, text: str | None) -> None:
    """A file that is no TOML, has no account, or is not there."""
    file = tmp_path / "nowhere.toml"
    world = look_around(file, {}) if text is None else _world(tmp_path, text)
    found = settings.judge_settings(world)
    assert found.result is Result.FAILED
    assert found.do


def test_what_is_sound_is_looked_at_beside_what_is_not(tmp_path: Path) -> None:
    """A check is spared where a section that it needs has mistakes, and no other is."""
    text = f'{_GOOD}[archive]\nmin_free = "much"\n[accounts.bad]\nsid = "a b"\n'
    world = _world(tmp_path, text)

    async def look() -> Any:  # noqa: ANN401 - never called
        raise AssertionError

    def check(needs: str) -> Check:
        return Check(name="a", group=Group.DISK, look=look, needs=frozenset({needs}))

    assert world.spare(check("archive")) == "the settings of [archive] have mistakes"
    assert world.spare(check("queue")) == ""
    assert [account.name for account in world.accounts] == ["main"]


def test_one_of_two_accounts_is_not_the_only_one(tmp_path: Path) -> None:
    """So that its sound neighbour is not asked for with a key that is for one account only."""
    world = _world(tmp_path, f'{_GOOD}[accounts.bad]\nsid = "a b"\n')
    assert [account.name for account in world.accounts] == ["main"]
    assert not world.only_account
    assert _world(tmp_path).only_account


def test_an_account_that_is_not_there_is_a_mistake_of_who_asks(tmp_path: Path) -> None:
    """As for every other command."""
    with pytest.raises(InputError, match="no account 'other'"):
        _world(tmp_path, account="other")


_OURS = 1000
_FILE = stat.S_IFREG | 0o640
_FOLDER = stat.S_IFDIR | 0o755


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (FileFacts(_OURS, _FILE, _FOLDER), Result.PASSED),
        (FileFacts(0, _FILE, _FOLDER), Result.PASSED),
        (FileFacts(7, _FILE, _FOLDER), Result.WARNED),
        (FileFacts(_OURS, _FILE | 0o002, _FOLDER), Result.FAILED),
        (FileFacts(_OURS, _FILE | 0o020, _FOLDER), Result.WARNED),
        (FileFacts(_OURS, _FILE, _FOLDER | 0o002), Result.FAILED),
        (FileFacts(_OURS, _FILE, _FOLDER | stat.S_ISVTX | 0o002), Result.PASSED),
    ],
)
def test_only_those_may_change_the_file_who_may(facts: FileFacts, expected: Result) -> None:
    """Who changes it says where the key is sent."""
    assert settings.judge_file(Path("/etc/c.toml"), facts, _OURS).result is expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[accounts.main]\nsid = "a1"\napi_key = "key-of-main"\n', "accounts.main.api_key"),
        ('[accounts.main]\nsid = "a1"\n[queue]\nurl = "redis://u:wordword@h/0"\n', "queue.url"),
        (f'{_GOOD}[queue]\nurl = "redis+sentinel://h/s?sentinel_password=wordword"\n', "queue.url"),
        (f'{_GOOD}[web]\nwebhook_secret = "0123456789abcdef"\n', "web.webhook_secret"),
    ],
)
def test_a_secret_in_the_file_fails_and_is_not_shown(tmp_path: Path, text: str, key: str) -> None:
    """Neither by the check of secrets nor by that of mistakes, however long it is."""
    world = _world(tmp_path, text)
    found = settings.judge_leaks(world.leaks)
    assert found.result is Result.FAILED
    assert key in world.clean(found.said)
    said = world.clean(settings.judge_settings(world).said)
    assert not [word for word in ("key-of-main", "wordword", "0123456789abcdef") if word in said]


@pytest.mark.parametrize("text", [None, "[accounts"])
async def test_no_file_is_called_free_of_secrets_that_was_not_read(
    tmp_path: Path, text: str | None
) -> None:
    """Neither one that is not there nor one that is no TOML."""
    file = tmp_path / "config.toml"
    if text is not None:
        file.write_text(text)
    for world in (World(environment={}), look_around(file, {})):
        (check,) = (one for one in settings.checks(world) if one.name == "secrets")
        assert (await check.look()).result is Result.SKIPPED


@given(st.text(min_size=16, max_size=40).filter(str.strip))
def test_whatever_a_key_is_it_is_cut_out(key: str) -> None:
    """Wherever it stands in what a check says."""
    world = World(environment={}, secrets=(key,))
    assert key not in world.clean(f"before {key} and{key}after")


def test_what_is_said_acts_on_no_terminal(tmp_path: Path) -> None:
    """Provider's words and file names may hold anything; a line stays a line."""
    assert _world(tmp_path).clean("a\x1b[2Jb\nc") == "a [2Jb c"


def test_telephone_numbers_and_queries_are_cut(tmp_path: Path) -> None:
    """As in the log."""
    said = _world(tmp_path).clean("https://h/x.mp3?X-Amz-Signature=abc of +919812345678")
    assert "abc" not in said
    assert "9812345678" not in said


def _folder(path: str, nearest: str, *, there: bool, ours: bool) -> FolderFacts:
    return FolderFacts(path=path, is_there=there, nearest=nearest, is_ours=ours)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (_folder("/a/state", "/a/state", there=True, ours=True), Result.PASSED),
        (_folder("/a/state", "/a", there=False, ours=True), Result.PASSED),
        (_folder("/a/state", "/a/state", there=True, ours=False), Result.FAILED),
        (_folder("/a/state", "/a", there=False, ours=False), Result.FAILED),
    ],
)
def test_a_folder_is_there_or_can_be_made(facts: FolderFacts, expected: Result) -> None:
    """And is this user's to write to."""
    assert settings.judge_folders({"[queue] state": facts}).result is expected


def test_a_folder_is_looked_for_upwards(tmp_path: Path) -> None:
    """What is not there is made in the nearest one that is."""
    facts = settings.look_at_folder(tmp_path / "a" / "b")
    assert facts == _folder(str(tmp_path / "a" / "b"), str(tmp_path), there=False, ours=True)


@pytest.mark.parametrize(
    ("days", "expected"), [(30, Result.PASSED), (366, Result.PASSED), (367, Result.WARNED)]
)
def test_no_plan_keeps_recordings_longer_than_a_year(days: int, expected: Result) -> None:
    """What is believed too long is fetched too late."""
    assert settings.judge_retention(days).result is expected


@pytest.mark.parametrize(
    ("owner", "expected"),
    [(1000, Result.PASSED), (0, Result.WARNED), (None, Result.SKIPPED)],
)
def test_another_user_than_works_is_told(owner: int | None, expected: Result) -> None:
    """Root may write anywhere, which says nothing of who works."""
    assert settings.judge_user(1000, owner, "callvault").result is expected


def test_without_zones_nothing_goes() -> None:
    """Days, folders and the provider's times depend on them."""
    assert settings.judge_zones(has_database=False, own=False).result is Result.FAILED
    assert settings.judge_zones(has_database=True, own=False) == passed(
        "time zones are known, from Python"
    )
