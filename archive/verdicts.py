"""The one place that decides what an answer or a failure means for a call.

Whatever happens while a call is resolved, fetched or stored is named as a `Symptom`; the table
`RULES` turns it into a `Verdict`. No other module chooses between trying again and giving up.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from archive.accounts import MUMBAI, SINGAPORE


class Again(msgspec.Struct, frozen=True, tag=True):
    """Look at the call again ``after`` this long. ``costs_try`` counts it as passing trouble."""

    reason: str
    after: timedelta
    late_look: bool = False
    costs_try: bool = False


class Refresh(msgspec.Struct, frozen=True, tag=True):
    """Resolve the URL afresh ``after`` this long; costs no try, but has a cap of its own."""

    reason: str
    after: timedelta


class Absent(msgspec.Struct, frozen=True, tag=True):
    """There never was a recording."""

    reason: str


class Lost(msgspec.Struct, frozen=True, tag=True):
    """There was a recording and the provider no longer has it."""

    reason: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """A person has to look; ``retry`` puts the call back."""

    reason: str


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Nothing more is asked for this account, or on this host, until a probe ``after`` succeeds.

    A ``fatal`` pause ends a drain: no later look will help until somebody changes something.
    """

    reason: str
    after: timedelta
    whole_host: bool = False
    fatal: bool = False


Verdict = Again | Refresh | Absent | Lost | Failed | Pause


class Symptom(StrEnum):
    """What was seen. ``api-*`` concern the provider's API, ``fetch-*`` one recording's URL."""

    API_UNREACHABLE = "api-unreachable"
    API_DNS = "api-dns"
    API_TLS = "api-tls"
    API_FORBIDDEN_ADDRESS = "api-forbidden-address"
    API_TIMEOUT = "api-timeout"
    API_SERVER_ERROR = "api-server-error"
    API_TOO_MANY = "api-too-many"
    API_NONSENSE = "api-nonsense"
    API_UNAUTHORISED = "api-unauthorised"
    API_PAYMENT = "api-payment"
    API_FORBIDDEN = "api-forbidden"
    API_REFUSED = "api-refused"
    API_REFUSES_ALL = "api-refuses-all"
    CALL_UNKNOWN = "call-unknown"
    CALL_OUT_OF_HISTORY = "call-out-of-history"
    URL_UNTRUSTED = "url-untrusted"
    FETCH_UNREACHABLE = "fetch-unreachable"
    FETCH_DNS = "fetch-dns"
    FETCH_TLS = "fetch-tls"
    FETCH_FORBIDDEN_ADDRESS = "fetch-forbidden-address"
    FETCH_TIMEOUT = "fetch-timeout"
    FETCH_SLOW = "fetch-slow"
    FETCH_SERVER_ERROR = "fetch-server-error"
    FETCH_TOO_MANY = "fetch-too-many"
    FETCH_REFUSED = "fetch-refused"
    FETCH_EXPIRED = "fetch-expired"
    FETCH_HOST_DOWN = "fetch-host-down"
    FETCH_REFUSES_ALL = "fetch-refuses-all"
    FETCH_BAD_ADDRESS = "fetch-bad-address"
    FETCH_NOT_YET = "fetch-not-yet"
    FETCH_GONE = "fetch-gone"
    FETCH_REDIRECT = "fetch-redirect"
    FETCH_ODD_STATUS = "fetch-odd-status"
    BODY_SHORT = "body-short"
    BODY_DIGEST = "body-digest"
    BODY_ENDLESS = "body-endless"
    BODY_EMPTY = "body-empty"
    BODY_NOT_AUDIO = "body-not-audio"
    DISK_FULL = "disk-full"
    DISK_REFUSES = "disk-refuses"
    INTERNAL_ERROR = "internal-error"


class Act(StrEnum):
    """What a rule does. Each act has a count of its own, so that none uses up another's limit.

    AGAIN costs a try, LOOK one of the late looks, REFRESH a refresh; WAIT costs nothing.
    """

    AGAIN = "again"
    LOOK = "look again"
    WAIT = "wait"
    REFRESH = "refresh"
    LOST = "lost"
    FAILED = "failed"
    PAUSE_ACCOUNT = "pause the account"
    PAUSE_HOST = "pause the host"


_BOUNDED: Final = frozenset({Act.AGAIN, Act.REFRESH})
"""What ends after a number of times, also where no symptom of it was seen often."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    ``act`` follows, ``base`` later at first and doubling up to ``cap``, with jitter. After
    it was seen ``limit`` times it becomes ``finally_``. ``fatal`` marks a pause that ends a drain.
    ``hint`` is what a person can do about it.
    """

    act: Act
    base: timedelta
    cap: timedelta = timedelta(minutes=15)
    limit: int | None = None
    finally_: Act = Act.FAILED
    fatal: bool = False
    hint: str = ""


_S = timedelta(seconds=1)
_MIN = timedelta(minutes=1)
_TRIES: Final = 10
"""How often a call is tried again, or its URL refreshed, whatever was seen each time."""
_REFRESHES: Final = 6


def _passing(*, base: timedelta = 2 * _S) -> Rule:
    return Rule(act=Act.AGAIN, base=base, limit=_TRIES)


def _fresh_url(finally_: Act = Act.FAILED, *, limit: int = _REFRESHES) -> Rule:
    return Rule(act=Act.REFRESH, base=2 * _S, cap=5 * _MIN, limit=limit, finally_=finally_)


def _provider_away(*, base: timedelta = 2 * _S, hint: str = "") -> Rule:
    # What keeps one request from an answer keeps all of the account's: no call pays for it.
    return Rule(act=Act.PAUSE_ACCOUNT, base=base, cap=5 * _MIN, hint=hint)


def _needs_somebody(act: Act, hint: str) -> Rule:
    return Rule(act=act, base=_MIN, fatal=True, hint=hint)


_CERTIFICATES: Final = (
    "check this machine's clock and certificate authorities; behind a proxy that reads TLS, set "
    "SSL_CERT_FILE to a file with its authority"
)
_ADDRESSES: Final = (
    "see what the name resolves to here, and whether that DNS is to be trusted; hosts of a private "
    "network are asked through a proxy only: set HTTPS_PROXY"
)

RULES: Final[dict[Symptom, Rule]] = {
    Symptom.API_UNREACHABLE: _provider_away(),
    Symptom.API_DNS: _provider_away(hint="check api_base, and this machine's DNS"),
    Symptom.API_TLS: _provider_away(hint=_CERTIFICATES),
    Symptom.API_FORBIDDEN_ADDRESS: _needs_somebody(Act.PAUSE_ACCOUNT, _ADDRESSES),
    Symptom.API_TIMEOUT: _provider_away(),
    Symptom.API_SERVER_ERROR: _provider_away(),
    Symptom.API_TOO_MANY: _provider_away(base=30 * _S),
    Symptom.API_NONSENSE: _provider_away(),
    Symptom.API_UNAUTHORISED: _needs_somebody(
        Act.PAUSE_ACCOUNT,
        "check the key and token, and the account's sid; an account of the other region answers "
        f"only there ({SINGAPORE} is Singapore, {MUMBAI} Mumbai): set its api_base",
    ),
    Symptom.API_PAYMENT: _needs_somebody(
        Act.PAUSE_ACCOUNT, "the account's plan does not allow it: ask the provider"
    ),
    Symptom.API_FORBIDDEN: _needs_somebody(
        Act.PAUSE_ACCOUNT,
        "the key may be limited to other IP addresses, or the account not be verified (KYC)",
    ),
    # Of one call: a request for many that is refused is halved until the refused one is found.
    Symptom.API_REFUSED: Rule(act=Act.AGAIN, base=_MIN, limit=3),
    Symptom.API_REFUSES_ALL: _provider_away(base=_MIN),
    Symptom.CALL_UNKNOWN: Rule(act=Act.LOOK, base=_MIN, limit=1),
    Symptom.CALL_OUT_OF_HISTORY: Rule(act=Act.LOST, base=_S),
    Symptom.URL_UNTRUSTED: Rule(act=Act.FAILED, base=_S),
    Symptom.FETCH_UNREACHABLE: _passing(),
    Symptom.FETCH_DNS: _passing(base=15 * _S),
    # All recordings of a host share its certificate: no call pays for it. A recording's pause does
    # not grow, so its first delay is long enough for all of them.
    Symptom.FETCH_TLS: _provider_away(base=_MIN, hint=_CERTIFICATES),
    Symptom.FETCH_FORBIDDEN_ADDRESS: Rule(act=Act.FAILED, base=_S, hint=_ADDRESSES),
    Symptom.FETCH_TIMEOUT: _passing(),
    Symptom.FETCH_SLOW: _passing(),
    Symptom.FETCH_SERVER_ERROR: _passing(),
    Symptom.FETCH_TOO_MANY: _passing(base=15 * _S),
    Symptom.FETCH_REFUSED: _fresh_url(),
    Symptom.FETCH_EXPIRED: _fresh_url(),
    # Of many recordings in a row, see `jobs.health`.
    Symptom.FETCH_HOST_DOWN: _provider_away(
        base=_MIN,
        hint="see whether the recordings' hosts can be reached from here: DNS, firewall, proxy",
    ),
    Symptom.FETCH_REFUSES_ALL: _provider_away(
        base=_MIN,
        hint="see whether the key may read recordings, or only listed addresses",
    ),
    Symptom.FETCH_BAD_ADDRESS: _needs_somebody(
        Act.PAUSE_ACCOUNT, "have this machine's public address put on the account's list"
    ),
    # Only seen of young calls (see `archive.fetch.refusal`), so it ends by itself.
    Symptom.FETCH_NOT_YET: Rule(act=Act.WAIT, base=15 * _S),
    # While the recording should still be there, looks are further apart: `jobs.settling.no_sooner`.
    Symptom.FETCH_GONE: _fresh_url(Act.LOST, limit=3),
    Symptom.FETCH_REDIRECT: _fresh_url(limit=2),
    Symptom.FETCH_ODD_STATUS: _passing(),
    Symptom.BODY_SHORT: _passing(),
    Symptom.BODY_DIGEST: _passing(),
    Symptom.BODY_ENDLESS: _fresh_url(limit=2),
    Symptom.BODY_EMPTY: _fresh_url(limit=4),
    Symptom.BODY_NOT_AUDIO: _fresh_url(limit=4),
    Symptom.DISK_FULL: _needs_somebody(
        Act.PAUSE_HOST, "make room on the disk of [archive] root, or lower min_free"
    ),
    Symptom.DISK_REFUSES: _needs_somebody(
        Act.PAUSE_HOST, "check that [archive] root is mounted, sound, and ours to write to"
    ),
    # A fault of callvault's own: the call is kept apart from its neighbours, and not forgotten.
    Symptom.INTERNAL_ERROR: _passing(base=_MIN),
}


def judge(
    symptom: Symptom,
    *,
    strikes: int,
    jitter: float,
    retry_after: timedelta | None = None,
    seen: int | None = None,
) -> Verdict:
    """Look the symptom up and say what follows.

    Args:
        symptom: what was seen.
        strikes: how often the same act has followed for this call (or this account) before,
            whatever was seen.
        jitter: a random number in 0..1, passed in.
        retry_after: what the provider asked for, if it did; never waited less than.
        seen: how often this very symptom was seen before; as often as ``strikes`` if None.
    """
    rule = RULES[symptom]
    act = _act(rule, strikes, strikes if seen is None else seen)
    after = max(backoff(strikes, rule.base, rule.cap, jitter), retry_after or timedelta(0))
    match act:
        case Act.AGAIN | Act.LOOK | Act.WAIT:
            costs, late = act is Act.AGAIN, act is Act.LOOK
            return Again(symptom.value, after=after, costs_try=costs, late_look=late)
        case Act.REFRESH:
            return Refresh(symptom.value, after=after)
        case Act.LOST:
            return Lost(symptom.value)
        case Act.FAILED:
            return Failed(symptom.value)
        case Act.PAUSE_ACCOUNT | Act.PAUSE_HOST:
            host = act is Act.PAUSE_HOST
            return Pause(symptom.value, after=after, whole_host=host, fatal=rule.fatal)


def _act(rule: Rule, strikes: int, seen: int) -> Act:
    """Say what follows, or what does in the end.

    What a symptom means in the end, it means only if it was seen again and again itself: after
    other troubles, the first 404 says no more than the first 404 of all.
    """
    if rule.limit is None:
        return rule.act
    if seen >= rule.limit:
        return rule.finally_
    return Act.FAILED if rule.act in _BOUNDED and strikes >= _TRIES else rule.act


def backoff(strikes: int, base: timedelta, cap: timedelta, jitter: float) -> timedelta:
    """Return a growing delay: base x 2^strikes up to cap, of which jitter takes away up to half.

    Jitter spreads what failed together, so that it does not come back together.
    """
    grown = min(cap, base * 2 ** min(strikes, 30))
    return timedelta(seconds=grown.total_seconds() * (1 - jitter / 2))
