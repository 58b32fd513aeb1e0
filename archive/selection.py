"""Which calls are archived: rules over what is known of a call, decided without any effect.

The first rule that matches decides, and what none matches is archived. Nothing is left out for a
fact that nobody knows: a rule whose answer hangs on one decides nothing, and neither do those after
it, until the fact is known or the provider has said all that it ever will.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from archive.call import CallFacts

Pattern = Annotated[
    str,
    Meta(
        pattern=r"^[^*\x00-\x1f\x7f]{0,64}(\*[^*\x00-\x1f\x7f]{0,64}){0,2}\Z",
        min_length=1,
        max_length=64,
        description="a text of 1 to 64 characters, in which up to two * stand for anything",
    ),
]
Patterns = Annotated[
    tuple[Pattern, ...],
    Meta(
        min_length=1,
        description="a list of at least one text of 1 to 64 characters, in which up to two * "
        "stand for anything",
    ),
]

_GOING_ON: Final = frozenset({"queued", "ringing", "in-progress"})
_NUMBER: Final = re.compile(r"\+?[0-9 ().*/-]+", re.ASCII)
_NOISE: Final = re.compile(r"[^0-9*]", re.ASCII)
_COUNTRY: Final = "91"
_NATIONAL_DIGITS: Final = 10


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What leaves calls out, or with ``keep`` has them archived whatever rules follow.

    All conditions that are given must hold; one that is empty or None asks nothing. ``number``
    asks both parties, ``shorter_than`` and ``longer_than`` the whole duration with its ringing. One
    that is ``inverted`` matches where its conditions do not hold: how ``--only`` is said.
    """

    name: Annotated[
        str,
        Meta(
            pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,78}[^\s\x00-\x1f\x7f])?\Z",
            description="1 to 80 characters on one line",
        ),
    ]
    keep: bool = False
    account: Patterns = ()
    exophone: Patterns = ()
    direction: Patterns = ()
    status: Patterns = ()
    number: Patterns = ()
    group: Patterns = ()
    shorter_than: timedelta | None = None
    longer_than: timedelta | None = None
    inverted: bool = False


def rules_of(account: str, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return the rules that concern an account."""
    return tuple(rule for rule in rules if not rule.account or account in rule.account)


def mistakes_of(rules: Iterable[Rule], accounts: Container[str]) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with rules that are sound each by itself: key, value, what is allowed."""
    seen: set[str] = set()
    for rule in rules:
        where = f"selection {rule.name!r}"
        if rule.name in seen:
            yield f"{where}.name", rule.name, "another rule has it, and reports name rules by it"
        seen.add(rule.name)
        for name in rule.account:
            if name not in accounts:
                yield f"{where}.account", name, "there is no such account in the settings"
        least, most = rule.longer_than, rule.shorter_than
        if least is not None and most is not None and most <= least:
            yield f"{where}.shorter_than", str(most), "nothing is shorter than this and longer, too"


class Excluded(msgspec.Struct, frozen=True, tag=True):
    """A rule leaves the call out; the reason is the rule's name."""

    reason: str


def decide(facts: CallFacts, rules: Iterable[Rule], *, final: bool = False) -> str | None:
    """Return the name of the rule that leaves the call out; None where it is to be archived.

    ``rules`` are those of the call's account. With ``final`` the provider has said what it knows: a
    fact that is still unknown then does not match where it would leave out, and does where it
    would keep. While a call goes on nothing is final.
    """
    final = final and facts.status not in _GOING_ON
    for rule in rules:
        matches = _matches(rule, facts)
        if matches is None and not final:
            return None
        if matches or (matches is None and rule.keep):
            return None if rule.keep else rule.name
    return None


def matches_any(patterns: Iterable[str], text: str) -> bool:
    """Tell whether a text is one of those that patterns stand for; upper and lower case are one."""
    return any(_of_text(pattern).fullmatch(text.casefold()) for pattern in patterns)


def matches_number(patterns: Iterable[str], number: str) -> bool:
    """Tell whether a number is one of those that patterns stand for, however both are written."""
    plain = national(number)
    return any(_of_number(pattern).fullmatch(plain) for pattern in patterns)


def national(number: str) -> str:
    """Return a number without what may be written or left out: spaces, +91, 0091, a leading 0.

    A * stays. What is no number (a name, a masked one) comes back in lower case.
    """
    number = number.strip()
    if not _NUMBER.fullmatch(number):
        return number.casefold()
    digits = _NOISE.sub("", number)
    international = number.startswith(("+", "00"))
    bare = digits.removeprefix("00") if digits.startswith("00") else digits
    if bare.startswith(_COUNTRY) and (
        international or ("*" not in bare and len(bare) == len(_COUNTRY) + _NATIONAL_DIGITS)
    ):
        return bare.removeprefix(_COUNTRY)
    return bare.lstrip("0") if not international else bare


def _matches(rule: Rule, facts: CallFacts) -> bool | None:
    """Tell whether a rule matches; None if that hangs on what nobody knows."""
    answers = list(_answers(rule, facts))
    if False in answers:
        return rule.inverted
    return None if None in answers else not rule.inverted


def _answers(rule: Rule, facts: CallFacts) -> Iterator[bool | None]:
    goes_on = facts.status in _GOING_ON
    if rule.exophone:
        yield matches_number(rule.exophone, facts.exophone) if facts.exophone else None
    if rule.direction:
        yield _is_direction(rule.direction, facts.direction) if facts.direction else None
    if rule.status:
        # What a call that goes on will come to, nobody knows yet.
        known = facts.status and not goes_on
        yield matches_any(rule.status, facts.status) if known else None
    if rule.number:
        yield _either(rule.number, facts)
    if rule.group:
        yield matches_any(rule.group, facts.group) if facts.group else None
    seconds = None if goes_on or facts.duration_s is None else timedelta(seconds=facts.duration_s)
    if rule.shorter_than is not None:
        yield None if seconds is None else seconds < rule.shorter_than
    if rule.longer_than is not None:
        yield None if seconds is None else seconds > rule.longer_than


def _is_direction(patterns: Iterable[str], direction: str) -> bool:
    """``outbound`` stands for outbound-api and outbound-dial as well."""
    return matches_any(patterns, direction) or matches_any(patterns, direction.partition("-")[0])


def _either(patterns: tuple[str, ...], facts: CallFacts) -> bool | None:
    known = [number for number in (facts.from_number, facts.to_number) if number]
    if any(matches_number(patterns, number) for number in known):
        return True
    return False if len(known) == 2 else None  # noqa: PLR2004 - both parties


@lru_cache(maxsize=4_096)
def _of_text(pattern: str) -> re.Pattern[str]:
    return re.compile(_expression(pattern.strip().casefold()), re.DOTALL)


@lru_cache(maxsize=4_096)
def _of_number(pattern: str) -> re.Pattern[str]:
    return re.compile(_expression(national(pattern)), re.DOTALL)


def _expression(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split("*"))
