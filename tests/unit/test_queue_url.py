"""The queue's URL as it is used: the passwords that are kept apart come in, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.address import read_address
from worker.queues import queue_url
from worker.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from worker.settings import Settings

WORD = "a b/@:%#?"


def settings_of(url: str, folder: Path) -> Settings:
    """Return settings with this URL."""
    document = {"accounts": {"main": {"sid": "acme1"}}, "queue": {"url": url}}
    return read_settings(document, {}, file=folder / "config.toml")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", ("", WORD, "")),
        ("redis://u@h/2", ("u", WORD, "")),
        ("redis://u:old@h", ("u", WORD, "")),
        ("unix://u@/run/v.sock", ("u", WORD, "")),
        ("redis+sentinel://u@h,i/calls", ("u", WORD, "others")),
        ("rediss+sentinel://h/calls?sentinel_password=old", ("", WORD, "others")),
    ],
)
def test_a_password_that_is_kept_apart_wins(
    tmp_path: Path, url: str, expected: tuple[str, str, str]
) -> None:
    """Whatever is in it; the rest of the address stays, and only sentinels get theirs."""
    kept = {"QUEUE_PASSWORD": WORD, "QUEUE_SENTINEL_PASSWORD": "others"}
    before = read_address(url)
    found = read_address(queue_url(settings_of(url, tmp_path), kept))
    assert expected == (found.user, found.password, found.sentinel_password)
    assert (before.hosts, before.path, before.db) == (found.hosts, found.path, found.db)


def test_a_url_without_one_is_used_as_it_is_written(tmp_path: Path) -> None:
    """Also with a password in it, and a credential in a file counts as a variable does."""
    url = "redis://u:old%40@h:7/0"
    assert queue_url(settings_of(url, tmp_path), {}) == url
    (tmp_path / "queue-password").write_text(f"{WORD}\n", encoding="utf-8")
    found = queue_url(settings_of(url, tmp_path), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert read_address(found).password == WORD
