"""Keys and tokens: where they may come from, and that no other account's are taken."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from archive.accounts import Account, Credentials
from archive.errors import CredentialsError, Exit
from worker.secrets import credentials_for, secrets_in

if TYPE_CHECKING:
    from pathlib import Path

MAIN = Account(name="main", sid="acme1")
EAST = Account(name="eu-east", sid="acme2")
PLAIN = {"EXOTEL_API_KEY": "key", "EXOTEL_API_TOKEN": "token"}
OWN = {"EXOTEL_API_KEY_EU_EAST": " own-key\n", "EXOTEL_API_TOKEN_EU_EAST": "own-token"}


def pair(credentials: Credentials) -> tuple[str, str]:
    """Return key and token, since credentials do not show themselves."""
    return credentials.key, credentials.token


def keep(folder: Path, **secrets: str) -> dict[str, str]:
    """Write credentials as systemd does; return the environment that names their folder."""
    for name, value in secrets.items():
        (folder / name.replace("_", "-")).write_text(value)
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_the_only_account_has_the_plain_variables() -> None:
    """Its own, by name, come first."""
    assert pair(credentials_for(EAST, PLAIN, only_account=True)) == ("key", "token")
    both = credentials_for(EAST, PLAIN | OWN, only_account=True)
    assert pair(both) == ("own-key", "own-token")


def test_one_of_several_accounts_has_its_own_variables_alone() -> None:
    """The plain ones could be any other account's."""
    assert pair(credentials_for(EAST, OWN, only_account=False)) == ("own-key", "own-token")
    with pytest.raises(CredentialsError, match="EXOTEL_API_KEY_MAIN for the account 'main'"):
        credentials_for(MAIN, PLAIN | OWN, only_account=False)


def test_systemd_hands_credentials_over_in_a_folder(tmp_path: Path) -> None:
    """By the account's name or without one; the environment comes first."""
    environment = keep(tmp_path, exotel_api_key="key\n", exotel_api_token="token")
    assert pair(credentials_for(MAIN, environment, only_account=True)) == ("key", "token")
    keep(tmp_path, **{"exotel_api_key_eu-east": "own-key", "exotel_api_token_eu-east": "own-token"})
    for only in (True, False):
        found = credentials_for(EAST, environment, only_account=only)
        assert pair(found) == ("own-key", "own-token")
    mixed = credentials_for(MAIN, environment | {"EXOTEL_API_KEY": "k"}, only_account=True)
    assert pair(mixed) == ("k", "token")
    with pytest.raises(CredentialsError):
        credentials_for(MAIN, environment, only_account=False)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"EXOTEL_API_KEY": "key"},
        {"EXOTEL_API_KEY": "key", "EXOTEL_API_TOKEN": "  "},
        {"EXOTEL_API_KEY": "key", "CREDENTIALS_DIRECTORY": "/nowhere"},
    ],
)
def test_what_is_missing_is_named_with_both_ways_to_give_it(environment: dict[str, str]) -> None:
    """A blank one is missing too; without them nothing can be done."""
    missing = "EXOTEL_API_TOKEN" if environment else "EXOTEL_API_KEY"
    with pytest.raises(CredentialsError, match=f"no {missing} for the account 'main'") as caught:
        credentials_for(MAIN, environment, only_account=True)
    assert missing in caught.value.hint
    assert missing.lower().replace("_", "-") in caught.value.hint
    assert caught.value.exit_code is Exit.FATAL


def test_a_credential_that_cannot_be_read_is_told_without_its_content(tmp_path: Path) -> None:
    """A folder in its place, or bytes that are no text."""
    environment = keep(tmp_path, exotel_api_key="made-up-key")
    (tmp_path / "exotel-api-token").write_bytes(b"made-up-\xff")
    with pytest.raises(CredentialsError, match="exotel-api-token") as caught:
        credentials_for(MAIN, environment, only_account=True)
    assert "made-up" not in caught.value.message
    (tmp_path / "exotel-api-token").unlink()
    (tmp_path / "exotel-api-token").mkdir()
    with pytest.raises(CredentialsError, match="exotel-api-token"):
        credentials_for(MAIN, environment, only_account=True)


@pytest.mark.parametrize(
    ("key", "token"), [("key:token", "token"), ("kéy", "token"), ("key", "to\x07ken")]
)
def test_what_cannot_be_a_key_or_token_is_said_before_anything_begins(key: str, token: str) -> None:
    """A colon would end the user name of Basic auth (RFC 7617, 2); neither value is echoed."""
    environment = {"EXOTEL_API_KEY": key, "EXOTEL_API_TOKEN": token}
    with pytest.raises(CredentialsError) as caught:
        credentials_for(Account(name="main", sid="acme1"), environment, only_account=True)
    said = caught.value.message + caught.value.hint
    assert "EXOTEL_API_" in said
    assert "key:token" not in said
    assert "to\x07ken" not in said


def test_all_secrets_of_a_process_are_known_in_the_forms_they_have(tmp_path: Path) -> None:
    """From variables, credentials and URLs; as they are, in a URL, and as Basic writes them."""
    (tmp_path / "report-webhook-url").write_text("https://hooks.example/services/T0/B0/hook-key\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n")
    environment = {
        "EXOTEL_API_KEY_MAIN": "the-key",
        "EXOTEL_API_TOKEN_MAIN": "the/token",
        "SMTP_PASSWORD": "the-password",
        "HTTPS_PROXY": "http://user:proxy%2Fpass@proxy.example:3128",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "CALLVAULT_LOG_LEVEL": "a-harmless-one",
        "HOME": "/home/somebody",
    }
    found = secrets_in(environment, "redis://:queue-pass@h.example:6379/0", "redis://h.example")
    expected = {
        *("the-key", "the/token", "the%2Ftoken", "the-password", "queue-pass"),
        *("proxy/pass", "proxy%2Fpass", "services/T0/B0/hook-key"),
        base64.b64encode(b"the-key:the/token").decode(),
    }
    assert expected <= set(found)
    assert not {"a-harmless-one", "/home/somebody", "MIIB", ""} & set(found)
    assert list(found) == sorted(found, key=len, reverse=True)
    assert secrets_in({"CREDENTIALS_DIRECTORY": str(tmp_path / "gone")}) == ()
    url = "rediss+sentinel://u:of%20server@h,i:1/calls?sentinel_password=of%2Fsentinels&db=1"
    apart = {"QUEUE_PASSWORD": "of-queue", "QUEUE_SENTINEL_PASSWORD": "of-others"}
    expected = {"of server", "of%20server", "of/sentinels", "of%2Fsentinels", *apart.values()}
    assert expected <= set(secrets_in(apart, url))
    assert secrets_in({"EXOTEL_API_KEY": "short"}) == ()
