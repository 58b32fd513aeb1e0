"""What the checks are given: settings as far as they are sound, options, and effects."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from archive.errors import CallvaultError
from worker.build import REAL
from worker.redact import clean_text
from worker.secrets import passwords_in, secrets_in
from worker.settings import Gathered, Settings, find_settings, gather_settings
from worker.values import is_secret_like

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archive.accounts import Account
    from worker.build import Effects
    from worker.doctor.check import Check

_LEAST_SECRET: Final = 4
"""What is shorter protects nothing, and would cut holes into words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is looked at.

    ``gathered`` are the settings, mistakes and all; where they cannot be read at all it is None,
    and ``unreadable`` says why. ``leaks`` are the names of keys in the file that look like secrets.
    ``secrets`` must be in no output. ``account``, ``call`` and ``webhook_url`` are the options.
    """

    environment: Mapping[str, str]
    file: Path | None = None
    gathered: Gathered | None = None
    unreadable: CallvaultError | None = None
    leaks: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    account: str | None = None
    call: str | None = None
    webhook_url: str | None = None
    offline: bool = False
    effects: Effects = REAL
    proc: Path = Path("/proc")
    systemd: Path = Path("/run/systemd/system")

    @property
    def settings(self) -> Settings:
        """The settings, for checks that are run only where there are some."""
        assert self.gathered is not None
        return self.gathered.settings

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts to look at: sound ones, and only the named one if one is named."""
        if self.gathered is None:
            return ()
        found = self.settings.accounts.values()
        return tuple(one for one in found if self.account in {None, one.name})

    @property
    def only_account(self) -> bool:
        """Whether the settings have one account, so that its key needs no name of its own."""
        assert self.gathered is not None
        unsound = {name for name in self.gathered.unsound if name.startswith("accounts.")}
        return len(unsound | {f"accounts.{name}" for name in self.settings.accounts}) == 1

    def spare(self, check: Check) -> str:
        """Return why a check is not run; nothing where it is."""
        if self.offline and check.online:
            return "--offline was given"
        if check.needs and self.gathered is None:
            return "there are no settings to look at it with"
        wrong = sorted(check.needs & self.gathered.unsound) if self.gathered else []
        return f"the settings of [{wrong[0]}] have mistakes" if wrong else ""

    def clean(self, text: str) -> str:
        """Return a text without secrets, on one line, for any terminal."""
        cut = clean_text(text, self.secrets)
        return "".join(c if c.isprintable() else " " for c in " ".join(cut.split()))


def look_around(
    config: Path | None,
    environment: Mapping[str, str],
    *,
    account: str | None = None,
    call: str | None = None,
    webhook_url: str | None = None,
    offline: bool = False,
    effects: Effects = REAL,
) -> World:
    """Read what the checks are given. Whatever is wrong with the settings is for a check to tell.

    Raises:
        InputError: the settings have no account of that name.
    """
    file: Path | None = None
    gathered: Gathered | None = None
    unreadable: CallvaultError | None = None
    try:
        file = find_settings(config, environment)
        gathered = gather_settings(file, environment)
    except CallvaultError as error:
        unreadable = error
    if gathered and account is not None and f"accounts.{account}" not in gathered.unsound:
        gathered.settings.account(account)
    leaks = dict(_leaks(_document(file)))
    # What the settings hold as well: a queue's password, and what should not stand there.
    held = (leak for leak in leaks.values() if len(leak) >= _LEAST_SECRET)
    return World(
        environment=environment,
        file=file,
        gathered=gathered,
        unreadable=unreadable,
        leaks=tuple(leaks),
        secrets=tuple(sorted({*held, *secrets_in(environment)}, key=len, reverse=True)),
        account=account,
        call=call,
        webhook_url=webhook_url,
        offline=offline,
        effects=effects,
    )


def _document(file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}


def _leaks(table: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    """Yield keys of the settings file that look like secrets, with what they hold."""
    for key, value in table.items():
        name = f"{where}{key}"
        if isinstance(value, dict):
            yield from _leaks(value, f"{name}.")
        elif isinstance(value, str) and value and is_secret_like(key):
            yield name, value
        elif isinstance(value, str):
            yield from ((name, password) for password in sorted(passwords_in(value)))
