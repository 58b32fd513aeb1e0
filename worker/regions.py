"""Which of the provider's regions knows an account: each is asked once, and told in words.

The wrong region answers 401 or 404, which looks like bad credentials (Exotel, regions). So both are
asked before the key is blamed.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from archive.accounts import Account
from archive.api import Api, ApiTroubleError
from archive.errors import CallvaultError, CredentialsError, FatalError, InputError, ProviderError
from archive.outbound import open_session
from archive.verdicts import RULES, Symptom
from archive.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archive.accounts import Credentials
    from archive.api import Kind
    from archive.clock import Clock

PATIENCE: Final = timedelta(seconds=20)
_LOOK: Final = timedelta(minutes=1)
_NO_CHECK: Final = "or write the settings without asking: --no-check --region REGION"
_OUT_OF_REACH: Final = frozenset(
    {
        Symptom.API_UNREACHABLE,
        Symptom.API_DNS,
        Symptom.API_TLS,
        Symptom.API_TIMEOUT,
        Symptom.API_FORBIDDEN_ADDRESS,
    }
)


class Met(StrEnum):
    """What came of asking a region."""

    ANSWERED = "answered"
    REFUSED = "refused"
    HINDERED = "hindered"
    OUT_OF_REACH = "out of reach"


_HOW: Final = {
    Met.REFUSED: "does not accept the key and token, or does not know the account",
    Met.HINDERED: "lets nothing through",
    Met.OUT_OF_REACH: "cannot be reached",
}


class Region(msgspec.Struct, frozen=True):
    """A name for people, and where its API answers."""

    name: str
    api_base: str

    def __str__(self) -> str:
        return f"{self.name} ({self.api_base})"


class Answer(msgspec.Struct, frozen=True):
    """What a region said: ``symptom`` is None where it answered."""

    region: Region
    symptom: Symptom | None = None
    detail: str = ""

    @property
    def met(self) -> Met:
        """What came of it. 401 and 404 are what a region says of accounts it does not know."""
        if self.symptom is None:
            return Met.ANSWERED
        if self.symptom is Symptom.API_UNAUTHORISED:
            return Met.REFUSED
        return Met.OUT_OF_REACH if self.symptom in _OUT_OF_REACH else Met.HINDERED

    def words(self) -> str:
        """Say it, for one line."""
        if self.symptom is None:
            return f"{self.region} answered: it knows the account, and takes the key and token"
        return f"{self.region} {_HOW[self.met]}: {self.detail}"


class _Once:
    """Lets one request through: a "too many" is an answer here, and is not waited out."""

    def __init__(self) -> None:
        self._asked = False

    async def acquire(self, account: str, kind: Kind) -> None:
        """Let the first one pass."""
        if self._asked:
            raise ApiTroubleError(Symptom.API_TOO_MANY, f"{account} is asked too often ({kind})")
        self._asked = True

    async def hold(self, account: str, seconds: float) -> None:
        """Do nothing: nothing is asked again."""

    async def observe(
        self,
        account: str,
        *,
        limit: int | None,
        remaining: int | None,
        reset_s: float | None,
        retry_after_s: float | None,
    ) -> None:
        """Do nothing: there is no next request."""


async def ask_regions(
    regions: Sequence[Region],
    sid: str,
    credentials: Credentials,
    environment: Mapping[str, str],
    *,
    clock: Clock,
    patience: timedelta = PATIENCE,
) -> list[Answer]:
    """Ask each region for the account's calls of the last minute; one request each.

    Raises:
        SettingsError: a variable names a proxy or certificates that cannot be used.
    """
    accounts = [Account(name="main", sid=sid, api_base=region.api_base) for region in regions]
    async with open_session(
        accounts=accounts, environment=environment, connections=len(accounts)
    ) as session:

        async def ask(region: Region, account: Account) -> Answer:
            api = Api(
                session=session,
                account=account,
                credentials=credentials,
                limiter=_Once(),
                clock=clock,
                patience=patience,
            )
            now = clock()
            try:
                await anext(aiter(api.listing(Window(now - _LOOK, now))))
            except ApiTroubleError as trouble:
                return Answer(region, trouble.symptom, trouble.detail)
            return Answer(region)

        return await asyncio.gather(*map(ask, regions, accounts))


def choose(answers: Sequence[Answer], wished: str | None) -> Region:
    """Return the region that answered, by its name wished for where several did.

    Raises:
        InputError: several answered, and none of them is wished for.
        CredentialsError: all refuse the key and token.
        FatalError: one hinders us, in a way that somebody has to change.
        ProviderError: those that do not refuse are out of reach, or busy.
    """
    found = [answer.region for answer in answers if answer.met is Met.ANSWERED]
    if len(found) == 1:
        return found[0]
    for region in found:
        if region.api_base == wished:
            return region
    if found:
        raise InputError(
            f"several regions know this account: {', '.join(map(str, found))}",
            hint="say which one its calls are made in: --region, or one --api-base alone",
        )
    raise _trouble(answers)


def _trouble(answers: Sequence[Answer]) -> CallvaultError:
    told = "\n".join(f"  {answer.words()}" for answer in answers)
    if all(answer.met is Met.REFUSED for answer in answers):
        return CredentialsError(
            f"no region accepts the key and token for this account:\n{told}",
            hint="check the three of them against the dashboard (API settings): the key, its "
            f"token and the account's Sid; {_NO_CHECK}",
        )
    hindered = [RULES[a.symptom] for a in answers if a.met is Met.HINDERED and a.symptom]
    fatal = [rule for rule in hindered if rule.fatal]
    if fatal:
        return FatalError(
            f"no region lets us ask for this account:\n{told}",
            hint=f"{fatal[0].hint}; {_NO_CHECK}" if fatal[0].hint else _NO_CHECK,
        )
    if all(answer.met is Met.OUT_OF_REACH for answer in answers):
        return ProviderError(
            f"no region can be reached:\n{told}",
            hint=f"see whether this machine has a way out: DNS, clock, proxy; {_NO_CHECK}",
        )
    return ProviderError(
        f"no region answered for this account:\n{told}",
        hint=f"what does not answer now may be the right one: try again later; {_NO_CHECK}",
    )
