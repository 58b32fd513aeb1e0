"""The settings: the only reader of ``config.toml`` and of the environment.

Every key can also be given as ``CALLVAULT_<SECTION>_<KEY>``, which wins over the file. All mistakes
are reported at once, each with its key, its value and what is allowed; an unknown key is a mistake.
Keys and tokens are read by `worker.secrets`, never from the file.
"""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

import msgspec

from archive import retention, selection
from archive.accounts import Account
from archive.catalog.database import file_of, is_on_a_server
from archive.errors import InputError, SettingsError
from archive.hours import Backfill
from archive.polling import Poll
from archive.readiness import Readiness
from web.client import read_network
from worker.sections import Archive, CatalogSettings, Log, Queue, Web, Workers, has_password
from worker.sending.section import Report
from worker.values import (
    allowed_by,
    convert,
    is_one_of_many,
    is_secret_like,
    read_account_name,
    read_base,
    read_zone,
    required,
    shown,
)

S = TypeVar("S", bound=msgspec.Struct)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIG_VARIABLE: Final = "CALLVAULT_CONFIG"
PREFIX: Final = "CALLVAULT_"
SEARCHED: Final = (Path("config.toml"), Path("/etc/callvault/config.toml"))

_NO_VARIABLE: Final = "\0"
"""The beginning of no variable's name."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, with paths made absolute."""

    accounts: dict[str, Account]
    readiness: Readiness
    queue: Queue
    catalog: CatalogSettings
    archive: Archive
    worker: Workers
    web: Web
    poll: Poll
    backfill: Backfill
    report: Report
    log: Log
    source: str

    @property
    def catalog_path(self) -> Path:
        """The file that ``catalog.url`` names.

        Raises:
            InputError: it is on a server.
        """
        return file_of(self.catalog.url)

    @property
    def catalog_file(self) -> Path | None:
        """The file that ``catalog.url`` names; None where it is on a server."""
        return None if is_on_a_server(self.catalog.url) else self.catalog_path

    def account(self, name: str | None) -> Account:
        """Return the account of that name, or the only one.

        Raises:
            InputError: there is none of that name, or several and no name.
        """
        names = ", ".join(self.accounts)
        if name is None and len(self.accounts) == 1:
            return next(iter(self.accounts.values()))
        if name is None:
            raise InputError(
                f"several accounts are configured ({names})", hint="say which one: --account NAME"
            )
        if name not in self.accounts:
            raise InputError(f"there is no account {name!r} in the settings", hint=f"use: {names}")
        return self.accounts[name]


_SECTIONS: Final[dict[str, type[msgspec.Struct]]] = {
    "readiness": Readiness,
    "queue": Queue,
    "catalog": CatalogSettings,
    "archive": Archive,
    "worker": Workers,
    "web": Web,
    "poll": Poll,
    "backfill": Backfill,
    "report": Report,
    "log": Log,
}


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """Settings with whatever is wrong with them, for who has to tell of that.

    What is wrong was left out: a key has its default, an account is not there. ``unsound`` names
    the sections that this concerns, accounts as ``accounts.NAME``.
    """

    settings: Settings
    mistakes: tuple[str, ...]
    unsound: frozenset[str]


def load_settings(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the file (given, named by ``CALLVAULT_CONFIG``, or found) and the environment.

    Raises:
        InputError: there is no such file, or it is no TOML.
        SettingsError: with all mistakes that were found.
    """
    return settled(gather_settings(find_settings(path, environment), environment))


def read_settings(
    document: dict[str, Any], environment: Mapping[str, str], *, file: Path
) -> Settings:
    """Read settings that stand, or would stand, in a file.

    Raises:
        SettingsError: with all mistakes that were found.
    """
    base = file.resolve().parent
    return settled(_Reader(document, environment, base=base, source=str(file)).read())


def settled(gathered: Gathered) -> Settings:
    """Return settings that have no mistake.

    Raises:
        SettingsError: with all that were found.
    """
    if gathered.mistakes:
        raise SettingsError(list(gathered.mistakes), source=gathered.settings.source)
    return gathered.settings


def account_names(path: Path | None, environment: Mapping[str, str]) -> list[str]:
    """Return the names of the accounts that the file has sections for, whatever else is in it.

    Raises:
        InputError: there is no such file, or it is no TOML.
    """
    accounts = _read_toml(find_settings(path, environment)).get("accounts", {})
    return list(accounts) if isinstance(accounts, dict) else []


def gather_settings(file: Path, environment: Mapping[str, str]) -> Gathered:
    """Read a file and the environment, mistakes and all.

    Raises:
        InputError: the file cannot be read, or is no TOML.
    """
    base = file.resolve().parent
    return _Reader(_read_toml(file), environment, base=base, source=str(file)).read()


def find_settings(path: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the settings file: given, named by ``CALLVAULT_CONFIG``, or the first that is there.

    Raises:
        InputError: none is named, and there is none.
    """
    named = path or (
        Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None
    )
    if named is not None:
        return named
    for candidate in SEARCHED:
        if candidate.is_file():
            return candidate
    for candidate in SEARCHED:
        if candidate.is_dir():
            raise InputError(
                f"no settings: {candidate} is a folder, and should be a file",
                hint="name the file with --config",
            )
    looked = " or ".join(str(candidate) for candidate in SEARCHED)
    raise InputError(
        f"no settings: there is no {looked}",
        hint="name the file with --config, or write one with callvault init",
    )


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except IsADirectoryError as error:
        raise InputError(
            f"the settings {file} are a folder, and should be a file",
            hint="name the file with --config",
        ) from error
    except OSError as error:
        raise InputError(
            f"reading the settings {file}: {error.strerror}", hint="name another with --config"
        ) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"the settings {file} are not in UTF-8: line {line} has another encoding's character",
            hint="save the file as UTF-8 in the editor, or write that character anew",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the settings {file} are no TOML: {error}") from error


class _Reader:
    """Reads all sections and gathers what is wrong with them."""

    def __init__(
        self, document: dict[str, Any], environment: Mapping[str, str], *, base: Path, source: str
    ) -> None:
        self._document = document
        self._environment = {
            name: value
            for name, value in environment.items()
            if name.startswith(PREFIX) and name != CONFIG_VARIABLE
        }
        self._base = base
        self._source = source
        self._mistakes: list[str] = []
        self._unsound: set[str] = set()

    def read(self) -> Gathered:
        for unknown in set(self._document) - {*_SECTIONS, "accounts", "selection"}:
            known = ", ".join(["accounts", "selection", *_SECTIONS])
            self._mistake(unknown, None, f"unknown section; there are {known}")
        sections = {}
        for name, kind in _SECTIONS.items():
            with self._within(name):
                sections[name] = self._section(name, kind)
        with self._within("web"):
            self._check_networks(sections["web"])
        with self._within("catalog"):
            self._check_password()
        accounts = self._accounts()
        rules = self._rows("selection", selection.Rule, self._document.get("selection", []))
        for mistake in selection.mistakes(rules, accounts):
            self._mistake(*mistake)
        accounts = {
            name: msgspec.structs.replace(account, selection=selection.rules_of(rules, name))
            for name, account in accounts.items()
        }
        for name in sorted(self._environment):
            self._mistake(name, self._environment[name], "unknown environment variable")
        sound = {n: one for n, one in accounts.items() if f"accounts.{n}" not in self._unsound}
        return Gathered(
            settings=self._absolute(Settings(accounts=sound, source=self._source, **sections)),
            mistakes=tuple(self._mistakes),
            unsound=frozenset(self._unsound),
        )

    @contextmanager
    def _within(self, name: str) -> Iterator[None]:
        """Note the section whose mistakes are met meanwhile."""
        before = len(self._mistakes)
        yield
        if len(self._mistakes) > before:
            self._unsound.add(name)

    def _mistake(self, key: str, value: object, allowed: str) -> None:
        # A key that somebody wrote into the file must not go on into a log.
        written = "" if value is None or is_secret_like(key) else f" = {shown(value)}"
        self._mistakes.append(f"{key}{written}: {allowed}")

    def _section(self, name: str, kind: type[msgspec.Struct]) -> Any:  # noqa: ANN401
        table = self._document.get(name, {})
        if not isinstance(table, dict):
            self._mistake(name, table, f"a section is expected: [{name}]")
            table = {}
        return self._struct(name, kind, table, f"{PREFIX}{name.upper()}_")

    def _struct(
        self,
        where: str,
        kind: type[msgspec.Struct],
        table: dict[str, Any],
        prefix: str,
        **given: object,
    ) -> Any:  # noqa: ANN401
        hints = {
            field: hint
            for field, hint in get_type_hints(kind, include_extras=True).items()
            if field in kind.__struct_fields__ and field not in given
        }
        # As they are written, where that is no name in Python: from, to.
        names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
        known = [names[field] for field in hints]
        for unknown in sorted(set(table) - set(known)):
            allowed = f"unknown key; [{where}] has {', '.join(known)}"
            self._mistake(f"{where}.{unknown}", table[unknown], allowed)
        values: dict[str, Any] = dict(given)
        sound = True
        for field, hint in hints.items():
            variable = f"{prefix}{field.upper()}"
            from_environment = variable in self._environment
            name = names[field]
            if not from_environment and name not in table:
                continue
            raw = self._environment.pop(variable) if from_environment else table[name]
            key = variable if from_environment else f"{where}.{name}"
            try:
                values[field] = convert(raw, hint, is_text=from_environment)
            except (msgspec.ValidationError, ValueError, OverflowError, RuntimeError) as error:
                self._mistake(key, raw, allowed_by(error, hint))
                sound = False
        try:
            return kind(**values)
        except TypeError:
            missing = [f for f in kind.__struct_fields__ if f not in values and f in hints]
            for field in missing if sound else []:
                if field in required(kind):
                    self._mistake(f"{where}.{names[field]}", None, "missing")
            return None

    def _rows(self, where: str, kind: type[S], tables: object) -> list[S]:
        """Read an array of tables; there are no variables for these."""
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._mistake(where, None, f"tables [[{where}]] are expected")
            return []
        found = []
        for number, table in enumerate(tables, start=1):
            listed = {
                key: [value] if is_one_of_many(kind, key, value) else value
                for key, value in table.items()
            }
            found.append(self._struct(f"{where}[{number}]", kind, listed, _NO_VARIABLE))
        return [row for row in found if row is not None]

    def _accounts(self) -> dict[str, Account]:
        tables = self._document.get("accounts", {})
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            self._mistake("accounts", None, "sections [accounts.NAME] are expected")
            return {}
        if not tables:
            self._mistake("accounts", None, "at least one section [accounts.NAME] is needed")
        return dict(self._read_accounts(tables))

    def _read_accounts(self, tables: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Account]]:
        variables: dict[str, str] = {}
        for name, table in tables.items():
            where = f"accounts.{name}"
            with self._within(where):
                account = self._account(name, table, variables)
            if account is not None:
                yield name, account

    def _account(
        self, name: str, table: dict[str, Any], variables: dict[str, str]
    ) -> Account | None:
        where = f"accounts.{name}"
        try:
            read_account_name(name)
        except ValueError as error:
            self._mistake(where, None, str(error))
            return None
        if (twin := variables.setdefault(name.replace("-", "_"), name)) != name:
            self._mistake(where, None, f"its environment variables are those of {twin!r}, too")
        prefix = f"{PREFIX}ACCOUNTS_{name.upper().replace('-', '_')}_"
        rest = {key: value for key, value in table.items() if key != "retention"}
        rows = table.get("retention", [])
        kept = self._rows(f"{where}.retention", retention.Kept, rows)
        for key, value, allowed in retention.mistakes(kept):
            self._mistake(f"{where}.retention.{key}", value, allowed)
        given = {"name": name, "retention": tuple(kept), "selection": ()}
        account: Account | None = self._struct(where, Account, rest, prefix, **given)
        told = {k: table[k] for k in ("timezone", "api_base") if isinstance(table.get(k), str)}
        self._check_account(where, account or Account(name=name, sid="", **told))
        return account

    def _check_account(self, where: str, account: Account) -> None:
        for key, read in (("timezone", read_zone), ("api_base", read_base)):
            value = getattr(account, key)
            try:
                read(value)
            except ValueError as error:
                self._mistake(f"{where}.{key}", value, str(error))

    def _check_password(self) -> None:
        table = self._document.get("catalog", {})
        if isinstance(table, dict) and has_password(table.get("url")):
            allowed = "no password in this file: give it by PGPASSFILE or PGPASSWORD"
            self._mistake("catalog.url", None, f"{allowed}, or the URL by {PREFIX}CATALOG_URL")

    def _check_networks(self, web: Web | None) -> None:
        for key in ("allow", "trusted_proxies", "metrics_allow") if web else ():
            for text in getattr(web, key):
                try:
                    read_network(text)
                except ValueError as error:
                    self._mistake(f"web.{key}", text, str(error))

    def _absolute(self, settings: Settings) -> Settings:
        """Take relative paths as relative to the settings file, wherever a command is started."""
        replace = msgspec.structs.replace
        url = settings.catalog.url
        if not is_on_a_server(url):
            url = f"sqlite:///{self._base / file_of(url)}"
        return replace(
            settings,
            queue=replace(settings.queue, state=self._base / settings.queue.state),
            catalog=replace(settings.catalog, url=url),
            archive=replace(settings.archive, root=self._base / settings.archive.root),
        )
