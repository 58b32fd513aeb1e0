"""Which calls are wanted: rules over what is known of a call, the first that matches decides.

What is unknown excludes nothing. Where a rule's answer depends on a fact that nobody has told, the
call is kept for the time being: the rules are asked again when the provider has told more.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from archive.call import CallFacts

_NONE: Final = timedelta(0)
_NATIONAL: Final = 10
_INDIA: Final = "91"
_ABROAD: Final = ("+", "00")
_WILD: Final = "*?"
_NOT_A_DIGIT: Final = re.compile(r"[^0-9*?]")
_GOING_ON: Final = frozenset({"queued", "ringing", "in-progress"})

NUMBER_PATTERN: Final = (
    'a number, or its beginning or end with "*"; leading zeros and signs do not count, so some '
    "other digit is needed"
)

RuleName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        pattern=r"^[^\x00-\x1f\x7f]*\Z",
        description="a name of 1 to 80 printable characters",
    ),
]
Words = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=80)], ...],
    # An empty list would be no condition at all: the rule would hold for every call.
    Meta(min_length=1, description='texts such as "080*", in a list; leave it out if any will do'),
]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: all of its conditions have to hold; one without any holds for every call.

    With ``keep`` what it matches is archived, whatever rules follow; else it is left out. Texts may
    have ``*`` and ``?``. Numbers are compared without country code, leading zeros and signs;
    ``number`` is either party's. Durations are of the whole call.
    """

    name: RuleName
    keep: bool = False
    account: Words = ()
    exophone: Words = ()
    direction: Words = ()
    status: Words = ()
    number: Words = ()
    group: Words = ()
    shorter_than: timedelta = _NONE
    longer_than: timedelta = _NONE


def excluded_by(facts: CallFacts, rules: Sequence[Rule], *, all_told: bool = False) -> str | None:
    """Return the name of the rule that leaves a call out; None if it is wanted, or may be.

    ``all_told``: the provider itself has answered, and no more will come. A rule that would leave
    the call out by what nobody knows is then passed over; one that would keep it keeps it.
    """
    for rule in rules:
        holds = _holds(rule, facts)
        if holds is None and all_told and not rule.keep:
            continue
        if holds is None:
            return None
        if holds:
            return None if rule.keep else rule.name
    return None


def rules_of(rules: Iterable[Rule], account: str) -> tuple[Rule, ...]:
    """Return the rules that concern an account, in order."""
    return tuple(
        rule
        for rule in rules
        if not rule.account or any(_fits(account, word) for word in rule.account)
    )


def mistakes(rules: Sequence[Rule], accounts: Iterable[str]) -> Iterator[tuple[str, object, str]]:
    """Yield what no rule can mean: where it stands, what is written there, and what is allowed.

    Each would leave out more than its author thinks, or nothing, and nobody would be told.
    """
    names = list(accounts)
    for number, rule in enumerate(rules, start=1):
        where = f"selection {rule.name!r}"
        for word in rule.account:
            if not any(_fits(name, word) for name in names):
                yield f"{where}.account", word, "no such account"
        for field in ("exophone", "number"):
            for word in getattr(rule, field):
                if not is_number_pattern(word):
                    yield f"{where}.{field}", word, NUMBER_PATTERN
        if rule.shorter_than and rule.longer_than >= rule.shorter_than:
            yield f"{where}.longer_than", None, "no call is longer than this and shorter_than, too"
        if rule == Rule(name=rule.name, keep=rule.keep) and number < len(rules):
            yield where, None, "it matches every call, so no rule after it counts: put it last"


def is_number_pattern(word: str) -> bool:
    """Tell whether a pattern still says something when signs and leading zeros are left away.

    Of ``0*`` nothing but the star would be left, and that is every number. Who means that writes
    the star alone.
    """
    wild = set(word) & set(_WILD)
    return not wild or set(word) == wild or bool(set(_digits(word)) - set(_WILD))


def _fits(text: str, word: str) -> bool:
    """Match a text against one with ``*`` and ``?``; fnmatch's brackets are no more than that."""
    return fnmatchcase(text, word.replace("[", "[[]"))


def _holds(rule: Rule, facts: CallFacts) -> bool | None:
    """Tell whether all conditions of a rule hold; None where that depends on what is unknown."""
    answers = set(_answers(rule, facts))
    if False in answers:
        return False
    return None if None in answers else True


def _answers(rule: Rule, facts: CallFacts) -> Iterator[bool | None]:
    if rule.exophone:
        yield _is_number(rule.exophone, facts.exophone)
    if rule.direction:
        yield _is_word(rule.direction, facts.direction, facts.direction.partition("-")[0])
    if rule.status:
        # A status that passes is not the call's.
        yield _is_word(rule.status, "" if facts.status in _GOING_ON else facts.status)
    if rule.group:
        yield _is_word(rule.group, facts.group)
    if rule.number:
        parties = {_is_number(rule.number, n) for n in (facts.from_number, facts.to_number)}
        yield True if True in parties else (None if None in parties else False)
    length = None if facts.duration_s is None else timedelta(seconds=facts.duration_s)
    if rule.shorter_than:
        yield None if length is None else length < rule.shorter_than
    if rule.longer_than:
        yield None if length is None else length > rule.longer_than


def _is_word(words: Words, *texts: str) -> bool | None:
    """Tell whether one of the texts, which are ways to write one thing, fits; None if unknown."""
    if not texts[0]:
        return None
    return any(_fits(text.casefold(), word.casefold()) for word in words for text in texts)


def _is_number(words: Words, number: str) -> bool | None:
    if not number:
        return None
    forms = _forms(number)
    return any(_fits(form, _digits(word)) for word in words for form in forms)


@lru_cache(maxsize=4_096)
def _forms(number: str) -> tuple[str, ...]:
    """Return how a number may be written: an Indian one with and without its country code."""
    digits = _digits(number)
    if digits.startswith(_INDIA) and len(digits) > _NATIONAL:
        # Some write the zero of calls within the country behind its code.
        national = digits.removeprefix(_INDIA).lstrip("0")
    else:
        national = "" if number.lstrip().startswith(_ABROAD) else digits
    return (digits, national, f"{_INDIA}{national}") if len(national) == _NATIONAL else (digits,)


@lru_cache(maxsize=1_024)
def _digits(text: str) -> str:
    digits = _NOT_A_DIGIT.sub("", text)
    # What is no number at all (a SIP address) is compared as it is.
    return digits.lstrip("0") or text.casefold()
