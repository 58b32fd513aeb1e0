"""An account's settings, and credentials that are never shown."""

from __future__ import annotations

import pytest
from rich.pretty import pretty_repr

from archive.accounts import MUMBAI, Account, Credentials

SECRET = Credentials("the-key", "the-token")


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://api.exotel.com", "Singapore"),
        (MUMBAI, "Mumbai"),
        ("http://127.0.0.1:8080", "a region of its own"),
    ],
)
def test_the_region_is_told_by_the_api_base(base: str, expected: str) -> None:
    """Wrong credentials and a wrong region look alike, so messages name the region."""
    assert expected == Account(name="main", sid="acme1", api_base=base).region


def test_an_accounts_zone_is_india_unless_another_is_set() -> None:
    """The provider's times without a zone mean India's for Indian accounts."""
    assert Account(name="main", sid="acme1").zone.key == "Asia/Kolkata"
    assert Account(name="main", sid="acme1", timezone="Asia/Singapore").zone.key == "Asia/Singapore"


@pytest.mark.parametrize(
    "shown",
    [repr(SECRET), str(SECRET), f"{SECRET}", f"{[SECRET]}", pretty_repr({"given": [SECRET]})],
)
def test_credentials_are_not_shown(shown: str) -> None:
    """Neither by themselves nor inside of something else, nor by rich, which looks into fields."""
    assert "the-" not in shown
