"""Asking for several accounts, where one's trouble holds up no other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import click

from archive.api import ApiTroubleError
from archive.errors import CallvaultError, Exit
from worker.asking import explained

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from archive.accounts import Account

T = TypeVar("T")


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
        click.echo(f"callvault: {error.message}", err=True)
        if error.hint:
            click.echo(f"  hint: {error.hint}", err=True)
        code = max(code, error.exit_code)
    return [result for result in results if not isinstance(result, CallvaultError)], code
