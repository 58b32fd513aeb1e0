"""What ``callvault init`` has to know, and what it proposes: decided here, asked elsewhere."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from archive.accounts import MUMBAI, SINGAPORE
from archive.errors import InputError
from worker.filling import example, fill
from worker.settings import read_settings
from worker.values import parse_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.filling import Value

REGIONS: Final = {"singapore": SINGAPORE, "mumbai": MUMBAI}
PLANS: Final = "Starter 30, Growth 90, Enterprise up to 365"
"""The provider's plans, with the days after which each deletes recordings."""
_LONGEST_PLAN: Final = 365

_GIB: Final = 2**30
_LEAST_FREE: Final = 1
_MOST_FREE: Final = 50
_SYSTEM: Final = Path("/etc")


class Places(msgspec.Struct, frozen=True):
    """Where recordings, and the catalog with the queue, are proposed to lie."""

    root: str
    state: str


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings are written from. Empty texts and lists leave a default as it is."""

    sid: str
    api_base: str
    retention_days: int
    root: str
    state: str
    min_free: str
    timezone: str
    name: str = "main"
    processes: int = 0
    web: bool = False
    recording_hosts: tuple[str, ...] = ()
    storage_hosts: tuple[str, ...] = ()


def propose_places(file: Path) -> Places:
    """Return where things lie by default, given where the settings will.

    Beside the settings; but what a service of the whole machine writes does not belong below /etc.
    """
    if file.absolute().is_relative_to(_SYSTEM):
        return Places("/srv/callvault", "/var/lib/callvault")
    return Places("recordings", "state")


def propose_free(disk: int) -> str:
    """Return how much of a disk of so many bytes is to be left free: a fiftieth, 1 to 50 GiB."""
    return f"{min(_MOST_FREE, max(_LEAST_FREE, disk // _GIB // 50))}GiB"


def odd(choices: Choices, *, free: int) -> list[str]:
    """Return what can be written and is hardly meant, for a disk with so many bytes free.

    ``choices`` are such as `written` takes.
    """
    found = []
    if choices.retention_days > _LONGEST_PLAN:
        found.append(
            f"{choices.retention_days} days are longer than any plan keeps recordings ({PLANS}): "
            "what is deleted before that is not fetched in time"
        )
    if parse_size(choices.min_free) >= free:
        found.append(
            f"{choices.min_free} are to be left free, and the disk of {choices.root} has not more "
            "than that free now: nothing is archived there until it has"
        )
    return found


def written(choices: Choices, file: Path) -> str:
    """Return the settings as they will stand in this file.

    Raises:
        InputError: a choice holds what no text file can.
        SettingsError: a choice is none that callvault would read.
    """
    text = fill(example(), choices.name, _values(choices))
    try:
        text.encode()
        document = tomllib.loads(text)
    except (UnicodeEncodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"these settings cannot be written: {error}",
            hint="paths and names are text in UTF-8; --name has letters, digits, '-' and '_'",
        ) from error
    read_settings(document, {}, file=file)
    return text


def check_hosts(sid: str, bases: Iterable[str]) -> None:
    """See whether the key may go to these addresses, before it does.

    Raises:
        SettingsError: the Sid, or one of them, is none that callvault would read.
    """
    for base in bases:
        read_settings({"accounts": {"main": {"sid": sid, "api_base": base}}}, {}, file=Path("init"))


def _values(choices: Choices) -> dict[str, dict[str, Value]]:
    account: dict[str, Value] = {
        "sid": choices.sid,
        "api_base": choices.api_base,
        "timezone": choices.timezone,
        "retention_days": choices.retention_days,
    }
    hosts = {"recording_hosts": choices.recording_hosts, "storage_hosts": choices.storage_hosts}
    account |= {key: entries for key, entries in hosts.items() if entries}
    found: dict[str, dict[str, Value]] = {
        "account": account,
        "archive": {"root": choices.root, "min_free": choices.min_free},
        "catalog": {"url": f"sqlite:///{Path(choices.state) / 'catalog.db'}"},
        "queue": {"state": choices.state},
    }
    if choices.processes:
        found["worker"] = {"processes": choices.processes}
    if choices.web:
        found["web"] = {"host": "127.0.0.1", "port": 8080}
    return found


def missing_flags(given: dict[str, object], *, needed: Iterable[str]) -> list[str]:
    """Return the flags that are needed and not given, as they are typed."""
    return [f"--{name.replace('_', '-')}" for name in needed if given.get(name) in {None, ""}]
