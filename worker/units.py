"""The systemd units as they are for one machine: pure functions of the shipped files and its paths.

The files in ``deploy/systemd`` are whole units for the usual paths, to be read and copied as they
are. Here the lines that name a path, the user or a credential are written anew; all others stay.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from archive.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ALWAYS: Final = "always"
NIGHTLY: Final = "nightly"
DAILY: Final = ("verify", "housekeeping", "report")
PROFILES: Final = {
    ALWAYS: ("worker", "poller", "web", "reconcile", *DAILY),
    NIGHTLY: ("nightly", *DAILY),
}
"""What is installed together: at work day and night, or in one run a night."""
TIMED: Final = frozenset({"nightly", "reconcile", *DAILY})
"""What a timer starts."""
PARTS: Final = tuple(dict.fromkeys(part for parts in PROFILES.values() for part in parts))
TARGET: Final = "callvault.target"
_SHARED: Final = (TARGET, "callvault-failed@.service", "callvault-.service.d/hardening.conf")

CREDENTIALS: Final = "the folder of credentials"
_STATE_HOME: Final = Path("/var/lib")
_START: Final = "/opt/callvault/bin/callvault --config /etc/callvault/config.toml"
"""The beginning of each command in the shipped files."""
_LOADED: Final = frozenset({"LoadCredential", "LoadCredentialEncrypted"})
_OF_ACCOUNTS: Final = frozenset({"exotel-api-key", "exotel-api-token", "exotel-webhook-secret"})
_HOMES: Final = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY: Final = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - looked for, not used
_ODD: Final = re.compile(r"[\"'\\$`]")
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}", re.ASCII)
_MARK: Final = re.compile(
    r"# callvault systemd install wrote this file; its sum is ([0-9a-f]{32})\.", re.ASCII
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine's units name. All paths are absolute.

    ``credentials`` is the folder of the files with keys and tokens, ``catalog`` that of the
    catalog. ``secrets`` are the names of files that are there.
    """

    program: Path
    config: Path
    credentials: Path
    root: Path
    state: Path
    catalog: Path
    user: str
    accounts: tuple[str, ...]
    encrypted: bool = False
    secrets: frozenset[str] = frozenset()
    python: Path = Path("/usr")
    """Where the Python is that the program's environment was made from; no unit names it."""

    @property
    def paths(self) -> dict[str, Path]:
        """All paths, with what a person calls them."""
        return {
            "the program": self.program,
            "the settings file": self.config,
            CREDENTIALS: self.credentials,
            "[archive] root": self.root,
            "[queue] state": self.state,
            "the catalog's folder": self.catalog,
        }


def check(place: Place) -> None:
    """See that units can name all of it.

    Raises:
        InputError: a path or the user's name would mean something else in a unit.
    """
    for what, path in place.paths.items():
        text = str(path)
        sound = path.is_absolute() and ".." not in path.parts and text.isprintable()
        if not sound or _ODD.search(text):
            raise InputError(
                f"{what} cannot stand in a systemd unit: {text!r}",
                hint="use an absolute path without quotes, backslashes, $ and control characters",
            )
    if not _USER.fullmatch(place.user):
        raise InputError(
            f"{place.user!r} is no user's name",
            hint="lower-case letters, digits, '-' and '_', beginning with a letter",
        )


def files_of(parts: Sequence[str]) -> list[str]:
    """Return the names of the files that these parts need, in the order in which they are shown.

    Raises:
        InputError: there is no such part.
    """
    for part in parts:
        if part not in PARTS:
            raise InputError(f"there is no unit {part!r}", hint=f"there are {', '.join(PARTS)}")
    return [name for part in parts for name in _of_part(part)] + list(_SHARED)


def enabled_of(parts: Sequence[str]) -> list[str]:
    """Return the units that are enabled: what a timer starts is not enabled itself."""
    return [TARGET, *(_of_part(part)[-1] for part in parts)]


def _of_part(part: str) -> list[str]:
    names = [f"callvault-{part}.service"]
    return [*names, f"callvault-{part}.timer"] if part in TIMED else names


def loosened(place: Place) -> dict[str, str]:
    """Return what has to be allowed all services, as some path lies where they else see nothing."""
    paths = (*place.paths.values(), place.python)
    found = {}
    if any(is_in_a_home(path) for path in paths):
        found["ProtectHome"] = "read-only"
    if any(path.is_relative_to(folder) for path in paths for folder in _TEMPORARY):
        found["PrivateTmp"] = "no"
    return found


def is_in_a_home(path: Path) -> bool:
    """Tell whether services see nothing of a path unless they are allowed to."""
    return any(path.is_relative_to(home) for home in _HOMES)


def keys_of(texts: Iterable[str]) -> dict[str, Path]:
    """Return the files of credentials without which a written unit fails to start, by their names.

    Not those that have a value in their place, nor those without which systemd passes a unit over.
    """
    found: dict[str, Path] = {}
    for text in texts:
        pairs = [line.partition("=")[::2] for line in text.splitlines()]
        spared = {value.partition(":")[0] for key, value in pairs if key == "SetCredential"}
        asked = {value.lstrip("|") for key, value in pairs if key == "ConditionPathExists"}
        for key, value in pairs:
            name, _, path = value.partition(":")
            if key in _LOADED and name not in spared and path not in asked:
                found[name] = Path(path.replace("%%", "%"))
    return found


def render(text: str, place: Place) -> str:
    """Return a shipped file as it is for a place."""
    allowed = loosened(place)
    return "".join(f"{line}\n" for old in text.splitlines() for line in _lines(old, place, allowed))


def _lines(line: str, place: Place, allowed: Mapping[str, str]) -> Iterable[str]:
    key, _, value = line.partition("=")
    if key in _REWRITTEN:
        return _REWRITTEN[key](value, place)
    if key in allowed:
        return [f"{key}={allowed[key]}"]
    return [line]


def _commands(value: str, place: Place) -> Iterator[str]:
    rest = value.removeprefix(_START)
    yield f"ExecStart={_word(place.program)} --config {_word(place.config)}{rest}"


def _credentials(value: str, place: Place) -> Iterator[str]:
    key = "LoadCredentialEncrypted" if place.encrypted else "LoadCredential"
    for one in _names(value.partition(":")[0], place):
        yield f"{key}={one}:{_path(_file(one, place))}"


def _names(name: str, place: Place) -> list[str]:
    """Return a credential's names: one for each account where there are several."""
    if name not in _OF_ACCOUNTS or len(place.accounts) == 1:
        return [name]
    names = [f"{name}-{account}" for account in place.accounts]
    # Not every account has a webhook, and a file that is missing would keep the others from it.
    there = [one for one in names if _file(one, place).name in place.secrets]
    return there or names if name == "exotel-webhook-secret" else names


def _file(name: str, place: Place) -> Path:
    return place.credentials / (f"{name}.cred" if place.encrypted else name)


def _conditions(value: str, place: Place) -> Iterator[str]:
    for name in _names(Path(value).name, place):
        # One of them is enough: that is what the | is for.
        yield f"ConditionPathExists=|{_path(_file(name, place))}"


def _state(_: str, place: Place) -> Iterator[str]:
    """Have systemd make the state folder where that is its way; else let it be written to."""
    if is_kept_by_systemd(place.state):
        yield f"StateDirectory={_word(place.state.relative_to(_STATE_HOME))}"
    else:
        yield f"ReadWritePaths={_word(place.state)}"
    if not place.catalog.is_relative_to(place.state):
        yield f"ReadWritePaths={_word(place.catalog)}"


def _state_mode(value: str, place: Place) -> Iterator[str]:
    if is_kept_by_systemd(place.state):
        yield f"StateDirectoryMode={value}"


def is_kept_by_systemd(state: Path) -> bool:
    """Tell whether systemd makes the state folder, and hands it to the user."""
    # A colon in StateDirectory= is for a link.
    return _STATE_HOME in state.parents and ":" not in str(state)


def _path(path: Path) -> str:
    """Write a path where systemd takes the rest of the line for it."""
    return str(path).replace("%", "%%")


def _word(path: Path) -> str:
    """Write a path where systemd splits a line into words."""
    text = _path(path)
    return f'"{text}"' if re.search(r"[\s;#]", text) else text


_REWRITTEN: Final[dict[str, Callable[[str, Place], Iterable[str]]]] = {
    "ExecStart": _commands,
    "User": lambda _, place: [f"User={place.user}"],
    "RequiresMountsFor": lambda _, place: [f"RequiresMountsFor={_word(place.root)}"],
    "ReadWritePaths": lambda _, place: [f"ReadWritePaths={_word(place.root)}"],
    "LoadCredential": _credentials,
    "ConditionPathExists": _conditions,
    "StateDirectory": _state,
    "StateDirectoryMode": _state_mode,
    "WorkingDirectory": lambda _, place: [f"WorkingDirectory={_path(place.state)}"],
}


def marked(text: str) -> str:
    """Put a line before a file by which it is known again as ours, and as nobody else's change."""
    return f"# callvault systemd install wrote this file; its sum is {_sum(text)}.\n{text}"


def is_ours(text: str) -> bool:
    """Tell whether a file is as we wrote it."""
    first, _, rest = text.partition("\n")
    found = _MARK.fullmatch(first)
    return found is not None and found[1] == _sum(rest)


def was_ours(text: str) -> bool:
    """Tell whether we wrote a file, be it that somebody changed it since."""
    return _MARK.fullmatch(text.partition("\n")[0]) is not None


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def rendered(shipped: Mapping[str, str], parts: Sequence[str], place: Place) -> dict[str, str]:
    """Return the files to be written, by their names below the folder of units.

    Raises:
        InputError: units cannot name some path, or there is no such part.
    """
    check(place)
    return {name: marked(render(shipped[name], place)) for name in files_of(parts)}
