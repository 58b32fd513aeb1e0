"""Faults on demand: which there are, and which answer gets which.

A `Rule` says what goes wrong, where, for whom, how often and for how long; `decide` applies the
rules to one answer. It draws no chance: what looks like it follows from the rule's seed, what was
asked for, and how often that was asked before. So a run can be repeated call by call, and asking
again gets through sooner or later.

How an answer is spoilt is in `sandbox.spoiling`, what is remembered in `sandbox.fault_book`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from functools import cached_property
from hashlib import blake2b
from http import HTTPStatus

from sandbox.answers import Answer, Ask, Endpoint

Value = float | str

IN_ROW = 3
"""How many answers about one object a rule by chance spoils in a row at most, if not told."""

API = frozenset({Endpoint.LISTING, Endpoint.CALL})
HOSTS = frozenset({Endpoint.RECORDING, Endpoint.STORAGE})
ALL = API | HOSTS

_WORD_BYTES = 8
_WORD = 1 << 8 * _WORD_BYTES


class FaultKind(StrEnum):
    """What can go wrong; `docs/sandbox.md` says what each one looks like."""

    ERROR_500 = "error-500"
    ERROR_502 = "error-502"
    ERROR_503 = "error-503"
    ERROR_504 = "error-504"
    TOO_MANY = "too-many"
    TOO_MANY_BARE = "too-many-bare"
    BAD_REQUEST = "bad-request"
    UNAUTHORISED = "unauthorised"
    PAYMENT = "payment"
    KYC = "kyc"
    FORBIDDEN = "forbidden"
    BAD_IP = "bad-ip"
    EXPIRED = "expired"
    NOT_FOUND = "not-found"
    GONE = "gone"
    RANGE = "range"
    HTML = "html"
    XML = "xml"
    JSON = "json"
    EMPTY = "empty"
    JSON_TYPES = "json-types"
    JSON_FIELDS = "json-fields"
    LEAVE_OUT = "leave-out"
    NULL_URL = "null-url"
    EARLY_URL = "early-url"
    DEAD_URL = "dead-url"
    WRONG_TYPE = "wrong-type"
    WRONG_ETAG = "wrong-etag"
    WRONG_MD5 = "wrong-md5"
    FLIPPED = "flipped"
    FLIPPED_SIGNED = "flipped-signed"
    CUT = "cut"
    TRUNCATED = "truncated"
    LONGER = "longer"
    LONGER_CHUNKED = "longer-chunked"
    OVERSIZED = "oversized"
    GZIP_BOMB = "gzip-bomb"
    RESET = "reset"
    RESET_MID = "reset-mid"
    STALL = "stall"
    DRIP = "drip"
    LATENCY = "latency"
    CLOCK_SKEW = "clock-skew"
    REDIRECT = "redirect"
    REDIRECT_OTHER = "redirect-other"
    OUTAGE = "outage"


class Needs(Enum):
    """What an answer must be for a fault to show."""

    ANYTHING = auto()
    BODY = auto()
    WHOLE = auto()
    JSON = auto()


@dataclass(frozen=True, slots=True)
class Trait:
    """What is known of a kind.

    ``where`` it exists; ``recoverable``, where a client that asks again ends up with the truth, so
    that it belongs to the default mix; ``first_only`` for what a client may take for the truth
    when it sees it twice: in a rule by chance it never follows on another fault.
    """

    where: frozenset[Endpoint] = ALL
    recoverable: frozenset[Endpoint] = ALL
    needs: Needs = Needs.ANYTHING
    first_only: bool = False
    parameters: Mapping[str, Value] = field(default_factory=dict)


_NONE: frozenset[Endpoint] = frozenset()
_HALF: dict[str, Value] = {"keep": 0.5}
_ROWS: dict[str, Value] = {"rows": 0.3}
_HOLD: dict[str, Value] = {"hold": 90.0}

TRAITS: dict[FaultKind, Trait] = {
    FaultKind.ERROR_500: Trait(),
    FaultKind.ERROR_502: Trait(),
    FaultKind.ERROR_503: Trait(),
    FaultKind.ERROR_504: Trait(),
    FaultKind.TOO_MANY: Trait(parameters={"retry_after": 2.0}),
    FaultKind.TOO_MANY_BARE: Trait(),
    FaultKind.BAD_REQUEST: Trait(recoverable=HOSTS),
    # What the API says of the key, the plan and the account is meant to be believed.
    FaultKind.UNAUTHORISED: Trait(recoverable=HOSTS),
    FaultKind.PAYMENT: Trait(API, _NONE),
    FaultKind.KYC: Trait(API, _NONE),
    FaultKind.FORBIDDEN: Trait(HOSTS, HOSTS),
    FaultKind.BAD_IP: Trait(recoverable=_NONE),
    FaultKind.EXPIRED: Trait(HOSTS, HOSTS),
    FaultKind.NOT_FOUND: Trait(recoverable=HOSTS, first_only=True),
    FaultKind.GONE: Trait(HOSTS, HOSTS, first_only=True),
    FaultKind.RANGE: Trait(HOSTS, HOSTS),
    FaultKind.HTML: Trait(),
    FaultKind.XML: Trait(),
    FaultKind.JSON: Trait(HOSTS, HOSTS),
    FaultKind.EMPTY: Trait(),
    FaultKind.JSON_TYPES: Trait(API, API, Needs.JSON, parameters={"variant": ""}),
    FaultKind.JSON_FIELDS: Trait(API, API, Needs.JSON, parameters={"variant": ""}),
    FaultKind.LEAVE_OUT: Trait(
        frozenset({Endpoint.LISTING}), API, Needs.JSON, first_only=True, parameters=_ROWS
    ),
    FaultKind.NULL_URL: Trait(API, API, Needs.JSON, first_only=True, parameters=_ROWS),
    FaultKind.EARLY_URL: Trait(API, API, Needs.JSON, parameters={**_ROWS, "lead": 5.0}),
    FaultKind.DEAD_URL: Trait(API, API, Needs.JSON, parameters=_ROWS),
    FaultKind.WRONG_TYPE: Trait(needs=Needs.BODY),
    FaultKind.WRONG_ETAG: Trait(HOSTS, HOSTS, Needs.BODY),
    FaultKind.WRONG_MD5: Trait(HOSTS, HOSTS, Needs.BODY),
    FaultKind.FLIPPED: Trait(HOSTS, HOSTS, Needs.BODY, parameters={"count": 1.0}),
    # Nothing in the answer gives it away.
    FaultKind.FLIPPED_SIGNED: Trait(HOSTS, _NONE, Needs.BODY, parameters={"count": 1.0}),
    # Of a recording only the length tells, and a length may rightly differ.
    FaultKind.CUT: Trait(ALL, API, Needs.WHOLE, parameters=_HALF),
    FaultKind.TRUNCATED: Trait(needs=Needs.BODY, parameters=_HALF),
    FaultKind.LONGER: Trait(HOSTS, HOSTS, Needs.BODY, parameters={"extra": 1_000.0}),
    FaultKind.LONGER_CHUNKED: Trait(HOSTS, HOSTS, Needs.BODY, parameters={"extra": 1_000.0}),
    FaultKind.OVERSIZED: Trait(API, API, Needs.BODY, parameters={"bytes": 32.0 * 2**20}),
    FaultKind.GZIP_BOMB: Trait(parameters={"bytes": 64.0 * 2**20}),
    FaultKind.RESET: Trait(),
    FaultKind.RESET_MID: Trait(needs=Needs.BODY, parameters=_HALF),
    FaultKind.STALL: Trait(needs=Needs.BODY, parameters=_HOLD),
    FaultKind.DRIP: Trait(needs=Needs.BODY, parameters={**_HOLD, "rate": 200.0}),
    FaultKind.LATENCY: Trait(parameters={"delay": 1.0}),
    FaultKind.CLOCK_SKEW: Trait(parameters={"skew": 3_600.0}),
    FaultKind.REDIRECT: Trait(first_only=True),
    FaultKind.REDIRECT_OTHER: Trait(HOSTS, HOSTS, first_only=True),
    FaultKind.OUTAGE: Trait(recoverable=_NONE),
}

ROW_KINDS = frozenset(
    {FaultKind.LEAVE_OUT, FaultKind.NULL_URL, FaultKind.EARLY_URL, FaultKind.DEAD_URL}
)
"""Faults that concern some calls of an answer and leave the others as they are."""


@dataclass(frozen=True)
class Rule:
    """What goes wrong: kinds (none: all that a client recovers from), and for which answers.

    A ``share`` from 0 to 1 of the answers at ``where`` about ``sids`` (None: about anything), at
    most ``times`` times, for ``seconds`` from ``after`` seconds on. With ``in_row`` no object is
    spoilt more often than so in a row; None knows no mercy.
    """

    kinds: tuple[FaultKind, ...] = ()
    where: frozenset[Endpoint] = ALL
    sids: frozenset[str] | None = None
    share: float = 1.0
    times: int | None = None
    seconds: float | None = None
    after: float = 0.0
    in_row: int | None = None
    seed: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @cached_property
    def mix(self) -> dict[Endpoint, tuple[FaultKind, ...]]:
        """Give the kinds that are drawn from, by endpoint."""
        return {
            endpoint: tuple(
                kind
                for kind, trait in TRAITS.items()
                if (kind in self.kinds and endpoint in trait.where)
                or (not self.kinds and endpoint in trait.where & trait.recoverable)
            )
            for endpoint in self.where
        }

    def parameters_of(self, kind: FaultKind) -> dict[str, Value]:
        """Give the parameters of a kind: its own, or what the rule says instead."""
        return {
            name: self.parameters.get(name, value)
            for name, value in TRAITS[kind].parameters.items()
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """A rule since when it was given, and how often it fired."""

    number: int
    rule: Rule
    since: datetime
    fired: int = 0

    def ends_at(self) -> datetime | None:
        """Give the moment from which on it no longer holds; None where there is none."""
        rule = self.rule
        if rule.seconds is None:
            return None
        return self.since + timedelta(seconds=rule.after + rule.seconds)

    def is_over(self, now: datetime) -> bool:
        """Tell whether it will never fire again."""
        end = self.ends_at()
        spent = self.rule.times is not None and self.fired >= self.rule.times
        return spent or (end is not None and now >= end)

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it may fire now."""
        begun = now >= self.since + timedelta(seconds=self.rule.after)
        return begun and not self.is_over(now)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked for, by a name that no run changes, and what was answered before.

    ``asked`` counts how often it was asked for, ``in_row`` how many of the last answers were spoilt
    without a right one between. ``sid`` is the call's, where there is but one.
    """

    subject: str
    sid: str = ""
    asked: int = 0
    in_row: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault for one answer; ``draw`` are 64 bits for whatever else there is to choose."""

    kind: FaultKind
    parameters: Mapping[str, Value]
    draw: int
    number: int
    sids: frozenset[str] | None = None
    merciful: bool = False

    def amount(self, name: str) -> float:
        """Give a parameter that is a number."""
        return float(self.parameters[name])


def decide(
    standing: Sequence[Standing], ask: Ask, answer: Answer, turn: Turn, now: datetime
) -> Fault | None:
    """Say what goes wrong with an answer, if anything does: the first rule that applies."""
    for one in standing:
        if one.is_in_force(now) and (fault := _of_rule(one, ask, answer, turn)):
            return fault
    return None


def _of_rule(one: Standing, ask: Ask, answer: Answer, turn: Turn) -> Fault | None:
    rule, merciful = one.rule, one.rule.in_row is not None
    if rule.in_row is not None and turn.in_row >= rule.in_row:
        return None
    if rule.sids is not None and not _concerns(rule.sids, ask, answer, turn):
        return None
    kinds = [
        kind
        for kind in rule.mix.get(ask.endpoint, ())
        if _fits(kind, ask, answer) and not (merciful and _too_much(kind, ask, turn))
    ]
    chance, pick, draw = draws(rule.seed, *rule.kinds, ask.endpoint, turn.subject, turn.asked)
    if not kinds or chance >= rule.share * _WORD:
        return None
    kind = kinds[pick % len(kinds)]
    return Fault(kind, rule.parameters_of(kind), draw, one.number, rule.sids, merciful)


def draws(*names: object) -> tuple[int, int, int]:
    """Give three numbers of 64 bits that follow from the names and nothing else."""
    text = "\0".join(map(str, names)).encode()
    raw = blake2b(text, digest_size=3 * _WORD_BYTES, person=b"faults").digest()
    first, second, third = (
        int.from_bytes(raw[at : at + _WORD_BYTES], "big") for at in range(0, len(raw), _WORD_BYTES)
    )
    return first, second, third


def is_drawn(share: float, *names: object) -> bool:
    """Tell whether what has these names belongs to a share of all."""
    return draws(*names)[0] < share * _WORD


def _concerns(sids: frozenset[str], ask: Ask, answer: Answer, turn: Turn) -> bool:
    """Tell whether a request is about one of the calls: by name, by list, or by what came back."""
    if turn.sid:
        return turn.sid in sids
    asked = {sid.strip() for sid in ask.query.get("Sid", "").split(",")}
    return not sids.isdisjoint(asked) or any(sid.encode() in answer.body for sid in sids)


def _too_much(kind: FaultKind, ask: Ask, turn: Turn) -> bool:
    """Tell whether a client could not know better after this one."""
    if TRAITS[kind].first_only and turn.in_row:
        return True
    # Of a range of dates nobody knows what it should have held.
    return kind is FaultKind.LEAVE_OUT and "Sid" not in ask.query


def _fits(kind: FaultKind, ask: Ask, answer: Answer) -> bool:
    """Tell whether a fault would show in an answer."""
    needs = TRAITS[kind].needs
    if needs is Needs.ANYTHING:
        return True
    has_body = bool(answer.body) or answer.extract is not None
    good = answer.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT} and has_body
    if needs is Needs.WHOLE:
        return good and answer.status == HTTPStatus.OK
    if needs is Needs.JSON:
        return good and not ask.xml and _has_rows_for(kind, answer.body)
    return good


def _has_rows_for(kind: FaultKind, body: bytes) -> bool:
    """Tell, without reading the JSON, whether it may hold a call that the fault can concern."""
    if kind is FaultKind.DEAD_URL:
        return b'"PreSignedRecordingUrl":"' in body
    if kind is FaultKind.NULL_URL:
        return b'"RecordingUrl":"http' in body
    if kind is FaultKind.EARLY_URL:
        return body.count(b'"RecordingUrl":"http') < body.count(b'"Sid":"')
    return kind is not FaultKind.LEAVE_OUT or b'"Sid":"' in body
