"""Keys and tokens: from the environment or from systemd credentials, never from a file of ours."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

from archive.accounts import Account, Credentials
from archive.errors import CredentialsError
from archive.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = "EXOTEL_API_KEY"
_TOKEN: Final = "EXOTEL_API_TOKEN"  # noqa: S105 - the name of a variable
WEBHOOK: Final = "EXOTEL_WEBHOOK_SECRET"
"""The variable of the webhook's secret."""
SMTP_PASSWORD: Final = "SMTP_PASSWORD"  # noqa: S105 - the name of a variable
WEBHOOK_URL: Final = "REPORT_WEBHOOK_URL"
"""The variable of the URL that reports are posted to: who has it can post there."""
HEALTHCHECKS_URL: Final = "REPORT_HEALTHCHECKS_URL"
"""The variable of the URL that is told whether a day is complete."""
QUEUE_PASSWORD: Final = "QUEUE_PASSWORD"  # noqa: S105 - the name of a variable
SENTINEL_PASSWORD: Final = "QUEUE_SENTINEL_PASSWORD"  # noqa: S105 - the name of a variable
_LEAST_SECRET: Final = 16
_FOLDER: Final = "CREDENTIALS_DIRECTORY"
_PREFIXES: Final = ("EXOTEL_", "CALLVAULT")
_SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASS")
_SHARED: Final = frozenset(
    {SMTP_PASSWORD, WEBHOOK_URL, HEALTHCHECKS_URL, QUEUE_PASSWORD, SENTINEL_PASSWORD}
)
_IN_QUERY: Final = re.compile(r"[?&](?:sentinel_)?password=([^&#\s]+)")
_SHORTEST: Final = 6
"""Characters below which a value is no secret that could be told from a common word."""


def credentials_for(
    account: Account, environment: Mapping[str, str], *, only_account: bool
) -> Credentials:
    """Return an account's key and token.

    Looked for in this order: ``EXOTEL_API_KEY_<NAME>``, ``EXOTEL_API_KEY`` (if there is only one
    account), and the systemd credentials ``exotel-api-key-<name>`` and ``exotel-api-key``; the
    token likewise.

    Raises:
        CredentialsError: one of them is nowhere to be found, is empty, or cannot be one.
    """
    credentials = Credentials(
        key=_find(_KEY, account, environment, only_account=only_account),
        token=_find(_TOKEN, account, environment, only_account=only_account),
    )
    _check(_KEY, credentials.key, account)
    _check(_TOKEN, credentials.token, account)
    if ":" in credentials.key:
        # RFC 7617, 2: the colon ends the user name.
        raise CredentialsError(
            f"{_KEY} of the account {account.name!r} has a colon in it",
            hint=f"it is the key alone; the token belongs into {_TOKEN}",
        )
    return credentials


def webhook_secret_for(
    account: Account, environment: Mapping[str, str], *, only_account: bool
) -> str:
    """Return the secret that callbacks of an account have to show; empty if it has none.

    Looked for as the key is: ``EXOTEL_WEBHOOK_SECRET_<NAME>``, ``EXOTEL_WEBHOOK_SECRET`` and the
    credential ``exotel-webhook-secret``.

    Raises:
        CredentialsError: it is too short to be one, or cannot stand in a path.
    """
    secret = _look_for(WEBHOOK, account, environment, only_account=only_account)
    if not secret:
        return ""
    _check(WEBHOOK, secret, account)
    if len(secret) < _LEAST_SECRET or any(character in secret for character in " /?#%"):
        raise CredentialsError(
            f"{WEBHOOK} of the account {account.name!r} cannot be a secret",
            hint=f"{_LEAST_SECRET} characters at least, and no space or any of /?#%; make one "
            "with: openssl rand -hex 24",
        )
    return secret


def shared_secret(variable: str, environment: Mapping[str, str]) -> str:
    """Return a secret that is no account's, from the environment or the credential; '' if none is.

    Raises:
        CredentialsError: the credential cannot be read.
    """
    if value := environment.get(variable, "").strip():
        return value
    folder = environment.get(_FOLDER)
    return _read(Path(folder) / _credential(variable)) if folder else ""


def secret_url(variable: str, environment: Mapping[str, str]) -> str:
    """Return a URL that is a secret; '' if there is none.

    Raises:
        CredentialsError: it is no URL, or its host would be told it without TLS.
    """
    url = shared_secret(variable, environment)
    if url and not _is_url(url):
        raise CredentialsError(
            f"{variable} holds no URL that can be used",
            hint="write https://…, all of it (plain http only to this machine itself)",
        )
    return url


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    sound = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return sound and safe and bool(host)


def usable_accounts(
    accounts: Mapping[str, Account], environment: Mapping[str, str]
) -> tuple[dict[str, Account], dict[str, CredentialsError]]:
    """Return the accounts that have a key and a token, and what is wrong with the others' by name.

    Raises:
        CredentialsError: no account has any.
    """
    usable: dict[str, Account] = {}
    wrong: dict[str, CredentialsError] = {}
    for name, account in accounts.items():
        try:
            credentials_for(account, environment, only_account=len(accounts) == 1)
        except CredentialsError as error:
            wrong[name] = error
        else:
            usable[name] = account
    if wrong and not usable:
        raise next(iter(wrong.values()))
    return usable, wrong


def _check(variable: str, value: str, account: Account) -> None:
    if not (value.isascii() and value.isprintable()):
        raise CredentialsError(
            f"{variable} of the account {account.name!r} has characters that no key has",
            hint="copy it anew from the provider's dashboard",
        )


def _find(
    variable: str, account: Account, environment: Mapping[str, str], *, only_account: bool
) -> str:
    if found := _look_for(variable, account, environment, only_account=only_account):
        return found
    name = variable if only_account else _own(variable, account)
    credential = _credential(variable)
    if not only_account:
        credential = f"{credential}-{account.name}"
    raise CredentialsError(
        f"no {name} for the account {account.name!r}",
        hint=f"set the environment variable {name}, or give the unit a credential "
        f"{credential} with LoadCredential=",
    )


def _own(variable: str, account: Account) -> str:
    return f"{variable}_{account.name.upper().replace('-', '_')}"


def _credential(variable: str) -> str:
    return variable.lower().replace("_", "-")


def _look_for(
    variable: str, account: Account, environment: Mapping[str, str], *, only_account: bool
) -> str:
    """Return what is in the environment or the credentials, without the white space around it."""
    own, credential = _own(variable, account), _credential(variable)
    variables = [own, variable] if only_account else [own]
    names = [f"{credential}-{account.name}", *([credential] if only_account else [])]
    for name in variables:
        if value := environment.get(name, "").strip():
            return value
    if folder := environment.get(_FOLDER):
        for name in names:
            if value := _read(Path(folder) / name):
                return value
    return ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"reading the credential {file.name}: {error}") from error


def secrets_in(environment: Mapping[str, str], *urls: str) -> tuple[str, ...]:
    """Return all secrets that a process was given, so that logs can leave them out by their value.

    Those are keys, tokens and passwords in variables, systemd's credentials, and passwords in URLs
    (the queue's, a proxy's); each also as it stands in a URL, and keys with their tokens as HTTP's
    Basic writes them. The longest come first: one may be a part of another.
    """
    given = {
        value.strip()
        for name, value in environment.items()
        if name in _SHARED or (name.startswith(_PREFIXES) and _SECRET_NAME.search(name))
    }
    found = {part for value in given | _credentials_in(environment) for part in _parts_of(value)}
    for text in (*urls, *environment.values()):
        found |= passwords_in(text)
    keys = [value for name, value in environment.items() if name.startswith(_KEY)]
    tokens = [value for name, value in environment.items() if name.startswith(_TOKEN)]
    found |= {
        base64.b64encode(f"{key}:{token}".encode()).decode() for key in keys for token in tokens
    }
    found |= {quote(value, safe="") for value in found}
    return tuple(sorted((v for v in found if len(v) >= _SHORTEST), key=len, reverse=True))


def _credentials_in(environment: Mapping[str, str]) -> set[str]:
    folder = environment.get(_FOLDER)
    try:
        files = [path for path in Path(folder).iterdir() if path.is_file()] if folder else []
        # A certificate or a list is no secret of one line.
        texts = [path.read_text(encoding="utf-8").strip() for path in files]
    except (OSError, UnicodeDecodeError):
        return set()
    return {text for text in texts if "\n" not in text}


def _parts_of(value: str) -> set[str]:
    """Return a secret; of one that is a URL also its path, which errors tell without its host."""
    if "://" not in value:
        return {value}
    try:
        return {value, urlsplit(value).path.strip("/")}
    except ValueError:
        return {value}


def passwords_in(text: str) -> set[str]:
    """Return the passwords in a URL, as they stand there and as they are."""
    if "://" not in text:
        return set()
    found = set(_IN_QUERY.findall(text))
    with suppress(ValueError):
        found.add(urlsplit(text).password or "")
    return {password for one in found if one for password in (one, unquote(one))}
