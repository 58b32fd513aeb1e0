"""Checks of the provider: key and region, its clock beside ours, what is left of the limit."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from archive.accounts import MUMBAI, SINGAPORE
from archive.errors import CredentialsError
from archive.verdicts import RULES, Symptom
from worker.build import open_session
from worker.doctor.asking import Answer, ask, other_region, skew
from worker.doctor.check import Check, Found, Group, Once, failed, passed, skipped, warned
from worker.secrets import credentials_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from archive.accounts import Account
    from worker.doctor.world import World

_CLOCK_WARNS: Final = timedelta(seconds=30)
_CLOCK_FAILS: Final = timedelta(minutes=5)
_SCARCE: Final = 0.1
_CONNECTIONS: Final = 2
_REGIONS: Final = {SINGAPORE: "Singapore", MUMBAI: "Mumbai"}
_HINTS: Final[dict[int, Symptom]] = {
    HTTPStatus.UNAUTHORIZED: Symptom.API_UNAUTHORISED,
    HTTPStatus.NOT_FOUND: Symptom.API_UNAUTHORISED,
    HTTPStatus.PAYMENT_REQUIRED: Symptom.API_PAYMENT,
    HTTPStatus.FORBIDDEN: Symptom.API_FORBIDDEN,
}
_ELSEWHERE: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND})
"""What the wrong region answers, which looks like a wrong key."""


class Asked(msgspec.Struct, frozen=True):
    """What the account's own region answered, and the other one where that was asked."""

    own: Answer
    other: Answer | None = None


def checks(
    world: World, *, region_of: Callable[[str], str | None] = other_region
) -> Iterator[Check]:
    """Return the checks of the provider, for each account."""
    for account in world.accounts:
        asked = Once(partial(ask_regions, world, account, region_of))
        make = partial(Check, group=Group.PROVIDER, account=account.name, online=True, limit_s=18)

        async def provider(account: Account = account, asked: Once[Asked] = asked) -> Found:
            return judge_answer((await asked()).own, account)

        async def credentials(account: Account = account, asked: Once[Asked] = asked) -> Found:
            return judge_credentials(await asked(), account)

        async def clock(asked: Once[Asked] = asked) -> Found:
            return judge_clock(skew((await asked()).own))

        async def limit(account: Account = account, asked: Once[Asked] = asked) -> Found:
            return judge_limit((await asked()).own, account.requests_per_minute)

        async def keys(account: Account = account) -> Found:
            # Its own check, so that --offline tells of a missing key, too.
            credentials_for(account, world.environment, only_account=world.only_account)
            return passed("key and token are there")

        yield make(name="keys", look=keys, online=False, fatal=True)
        keyed = partial(with_key, world, account)
        yield make(name="provider", look=keyed(provider))
        yield make(name="credentials", look=keyed(credentials), fatal=True)
        yield make(name="clock", look=keyed(clock))
        yield make(name="rate-limit", look=keyed(limit))


async def ask_regions(
    world: World, account: Account, region_of: Callable[[str], str | None] = other_region
) -> Asked:
    """Ask the account's region, and where that does not know the account, the other one.

    Raises:
        CredentialsError: the account has no key or token.
        SettingsError: a variable names a proxy or certificates that cannot be used.
    """
    credentials = credentials_for(account, world.environment, only_account=world.only_account)
    base = region_of(account.api_base)
    twin = msgspec.structs.replace(account, api_base=base) if base else account
    settings = msgspec.structs.replace(world.settings, accounts={"own": account, "other": twin})
    async with open_session(
        settings, world.environment, connections=_CONNECTIONS, effects=world.effects
    ) as session:
        clock = world.effects.clock
        own = await ask(session, account, credentials, clock)
        if own.status not in _ELSEWHERE or twin is account:
            return Asked(own)
        return Asked(own, await ask(session, twin, credentials, clock))


def judge_answer(own: Answer, account: Account) -> Found:
    """Tell whether the provider answers at all; where it does not, a later run may do."""
    where = f"{own.base} ({account.region})"
    if own.status == 0:
        return failed(
            f"{where} cannot be asked: {own.words}",
            f"see what is in between: curl -sS -o /dev/null -w '%{{http_code}}' {own.base}",
        )
    if own.status == HTTPStatus.TOO_MANY_REQUESTS:
        return warned(
            f"{where} answers {own.status}: it is asked too often",
            "see who else uses the account's key; requests_per_minute is for all of them together",
        )
    if own.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return failed(f"{where} answers {own.status}{_words(own)}", "try again later")
    if own.nonsense:
        return failed(
            f"{where} answers 200, and it is not the provider's API that does: {own.nonsense}",
            "see whether a proxy or a portal is in between, and whether api_base is right: "
            f"curl -sS {own.base}",
        )
    return passed(f"{where} answers within {spoken_ms(own.came_at - own.sent_at)}")


def judge_credentials(asked: Asked, account: Account) -> Found:
    """Tell whether the provider takes the key, and if not, whether the other region does."""
    own, other = asked.own, asked.other
    where = f"{own.base} ({account.region})"
    if _takes(own):
        return passed(f"{where} takes the key and token of {account.sid}")
    if own.nonsense or not _is_a_judgement(own.status):
        return skipped("the provider did not answer to them")
    if other is not None and _takes(other):
        region = _REGIONS.get(other.base, "the other region")
        return failed(
            f"{where} answers {own.status}{_words(own)}, and {other.base} ({region}) takes them: "
            "the account is of that region",
            f'set api_base = "{other.base}" in [accounts.{account.name}]',
        )
    both = f", and so does {other.base}" if other and other.status == own.status else ""
    symptom = _HINTS.get(own.status)
    hint = RULES[symptom].hint if symptom else f"check api_base: does {own.base} belong to Exotel?"
    return failed(f"{where} answers {own.status}{_words(own)}{both}", hint)


def _takes(answer: Answer) -> bool:
    return answer.status == HTTPStatus.OK and not answer.nonsense


def _words(answer: Answer) -> str:
    return f" ({answer.words})" if answer.words else ""


def _is_a_judgement(status: int) -> bool:
    """Tell whether an answer says anything of the key."""
    busy = status == HTTPStatus.TOO_MANY_REQUESTS
    return status != 0 and not busy and status < HTTPStatus.INTERNAL_SERVER_ERROR


def judge_clock(ahead: timedelta | None) -> Found:
    """Tell how far our clock is from the provider's: signatures and waiting times depend on it."""
    if ahead is None:
        return skipped("the provider told no time")
    apart = abs(ahead)
    way = "ahead of" if ahead > timedelta(0) else "behind"
    said = f"this machine's clock is {spoken(apart)} {way} the provider's"
    do = "set it by NTP: sudo timedatectl set-ntp true"
    if apart > _CLOCK_FAILS:
        return failed(said, do)
    if apart > _CLOCK_WARNS:
        return warned(said, do)
    return passed("this machine's clock and the provider's agree within 30 s")


def spoken_ms(span: timedelta) -> str:
    """Write a short span for people."""
    return f"{span / timedelta(milliseconds=1):.0f} ms"


def spoken(span: timedelta) -> str:
    """Write a span for people."""
    seconds = span.total_seconds()
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    if seconds < 7200:  # noqa: PLR2004 - two hours
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def judge_limit(answer: Answer, expected: int) -> Found:
    """Tell what is left of the minute's requests, and whether the limit is what we believe."""
    limit, remaining = answer.limit, answer.remaining
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return warned(
            "no request is left in this minute",
            "see who else uses the account's key, or lower requests_per_minute",
        )
    if limit is None and remaining is None:
        return skipped("the provider tells nothing of its limit")
    if limit is not None and limit < expected:
        return warned(
            f"the provider allows {limit} requests a minute, requests_per_minute is {expected}",
            f"set requests_per_minute = {limit}",
        )
    if remaining is not None and remaining < (limit or expected) * _SCARCE:
        return warned(
            f"{remaining} requests are left in this minute",
            "see who else uses the account's key, or lower requests_per_minute",
        )
    left = "" if remaining is None else f", {remaining} are left in this minute"
    return passed(f"the provider allows {limit or expected} requests a minute{left}")


def with_key(
    world: World, account: Account, look: Callable[[], Awaitable[Found]]
) -> Callable[[], Awaitable[Found]]:
    """Look only where there is a key to ask with; that there is none is told once, by ``keys``."""

    async def looked() -> Found:
        if not has_key(world, account):
            return skipped("there is no key and token to ask with")
        return await look()

    return looked


def has_key(world: World, account: Account) -> bool:
    """Tell whether an account has key and token."""
    try:
        credentials_for(account, world.environment, only_account=world.only_account)
    except CredentialsError:
        return False
    return True
