"""Asking for several accounts, where one's trouble holds up no other."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

from archive.api import ApiTroubleError
from archive.errors import CallvaultError, Exit
from worker.asking import explained
from worker.endings import say
from worker.secrets import usable_accounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from archive.accounts import Account
    from worker.settings import Settings

T = TypeVar("T")


def accounts_to_ask(settings: Settings, account: str | None) -> tuple[list[Account], Exit]:
    """Return the named account, or all that have a key and token; and the exit code so far.

    Those that have none are said on standard error, and hold up no other.

    Raises:
        CredentialsError: no account has any.
        InputError: there is no account of that name.
    """
    if account is not None:
        return [settings.account(account)], Exit.COMPLETE
    usable, wrong = usable_accounts(settings.accounts, os.environ)
    for error in wrong.values():
        say(error)
    return list(usable.values()), max((e.exit_code for e in wrong.values()), default=Exit.COMPLETE)


async def each_account(
    accounts: Iterable[Account], ask: Callable[[Account], Awaitable[T]]
) -> tuple[list[T], Exit]:
    """Ask for all accounts side by side; return what came of them, and the exit code.

    The troubles are said on standard error. The code is the gravest of them.
    """

    async def one(account: Account) -> T | CallvaultError:
        try:
            return await ask(account)
        except ApiTroubleError as trouble:
            return explained(trouble, account)
        except CallvaultError as error:
            return error

    results = await asyncio.gather(*(one(account) for account in accounts))
    code = Exit.COMPLETE
    for error in (result for result in results if isinstance(result, CallvaultError)):
        say(error)
        code = max(code, error.exit_code)
    return [result for result in results if not isinstance(result, CallvaultError)], code
