"""Keys and tokens: from the environment or from systemd credentials, never from a file of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from archive.accounts import Account, Credentials
from archive.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = "EXOTEL_API_KEY"
_TOKEN: Final = "EXOTEL_API_TOKEN"  # noqa: S105 - the name of a variable
_FOLDER: Final = "CREDENTIALS_DIRECTORY"


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


def _check(variable: str, value: str, account: Account) -> None:
    if not (value.isascii() and value.isprintable()):
        raise CredentialsError(
            f"{variable} of the account {account.name!r} has characters that no key has",
            hint="copy it anew from the provider's dashboard",
        )


def _find(
    variable: str, account: Account, environment: Mapping[str, str], *, only_account: bool
) -> str:
    own = f"{variable}_{account.name.upper().replace('-', '_')}"
    credential = variable.lower().replace("_", "-")
    variables = [own, variable] if only_account else [own]
    names = [f"{credential}-{account.name}", *([credential] if only_account else [])]
    for name in variables:
        if value := environment.get(name, "").strip():
            return value
    if folder := environment.get(_FOLDER):
        for name in names:
            if value := _read(Path(folder) / name):
                return value
    raise CredentialsError(
        f"no {variables[-1]} for the account {account.name!r}",
        hint=f"set the environment variable {variables[-1]}, or give the unit a credential "
        f"{names[-1]} with LoadCredential=",
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"reading the credential {file.name}: {error}") from error
