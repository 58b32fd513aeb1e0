"""The settings' arrays of rules: what would hold for every call, or for none, is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archive.errors import InputError, SettingsError
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ('selection = [{name = "a", exophone = []}]', "selection[1].exophone = []: texts such as"),
        ('selection = [{name = "a", group = [""]}]', "selection[1].group = ['']: texts such as"),
        ('selection = [{name = "a", number = "0*"}]', "selection 'a'.number = '0*': a number, or"),
        (
            'selection = [{name = "a"}, {name = "b", status = "busy"}]',
            "selection 'a': it matches every call, so no rule after it counts: put it last",
        ),
        (
            "accounts.main.retention = [{days = 3, from = 2026-06-01, to = 2026-05-01}]",
            "accounts.main.retention.to = '2026-05-01': from is 2026-06-01, so no day",
        ),
        (
            'accounts.main.retention = [{days = 3, to = "June"}]',
            "accounts.main.retention[1].to = 'June': a date such as 2026-05-31",
        ),
        (
            "accounts.main.retention = [{days = 3, since = 2026-06-01}]",
            "accounts.main.retention[1].since = datetime.date(2026, 6, 1): unknown key",
        ),
        (
            'accounts.main.retention = [{days = 3, exophone = "+*"}]',
            "accounts.main.retention.exophone = '+*': a number, or",
        ),
    ],
)
def test_a_rule_that_would_hold_for_all_or_none_is_a_mistake(
    tmp_path: Path, tables: str, expected: str
) -> None:
    """Above all an empty list: it would be no condition, and the rule leave out every call."""
    file = tmp_path / "config.toml"
    file.write_text(f'accounts.main.sid = "acme1"\n{tables}\n', encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert len(caught.value.mistakes) == 1
    assert caught.value.mistakes[0].startswith(expected)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sesame@host/calls",
        "postgresql://u:sesame@one:1,two:2/calls",
        "postgresql://host/calls?password=sesame",
        "postgresql://host/calls?sslmode=require&sslpassword=sesame",
    ],
)
def test_a_password_does_not_stand_in_the_file(tmp_path: Path, url: str) -> None:
    """It is refused without being told; by the environment it may come."""
    file = tmp_path / "config.toml"
    text = '[accounts.main]\nsid = "acme1"\n'
    file.write_text(f'{text}[catalog]\nurl = "{url}"\n')
    with pytest.raises(SettingsError, match=r"catalog\.url.*PGPASSFILE") as caught:
        load_settings(file, {})
    assert "sesame" not in str(caught.value)
    file.write_text(text)
    assert load_settings(file, {"CALLVAULT_CATALOG_URL": url}).catalog.url == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///calls",
        "postgresql://ops@host:5433/calls?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgres:///?service=calls",
    ],
)
def test_a_servers_url_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    """It goes to libpq untouched, and names no file."""
    file = tmp_path / "config.toml"
    file.write_text(f'[accounts.main]\nsid = "acme1"\n[catalog]\nurl = "{url}"\n')
    settings = load_settings(file, {})
    assert settings.catalog.url == url
    assert settings.catalog_file is None
    with pytest.raises(InputError, match="is on a server"):
        _ = settings.catalog_path
