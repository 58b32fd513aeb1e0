"""The book of faults: the rules in force, what fired, and what was asked for before.

`sandbox.faults` decides and `sandbox.spoiling` spoils; all that either needs to remember is here,
in memory that does not grow with the requests: at most 1,000 rules, and the memory of `Ledger`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b

from sandbox import several
from sandbox.answers import Answer, Ask, Endpoint
from sandbox.calls import Provider
from sandbox.faults import (
    HOSTS,
    ROW_KINDS,
    Fault,
    FaultKind,
    Rule,
    Standing,
    Turn,
    decide,
    is_drawn,
)
from sandbox.spoiling import Spoilt, spoil
from sandbox.spoilt_json import World

MOST_RULES = 1_000
_KEY_BYTES = 8
_MOST_REMEMBERED = 100_000
_IN_ROW_BITS = 8
_MOST_IN_ROW = (1 << _IN_ROW_BITS) - 1


class TooManyRulesError(ValueError):
    """There are as many rules in force as there may be."""


class Ledger:
    """Remembers how often things were asked for, and how they were answered last.

    It holds two tables of ``limit`` entries each (about 30 MB in all at the default). When the
    first is full it becomes the second, and what was in the second and not asked for since is
    forgotten. A forgotten thing begins at a later count than it did before, so that it does not
    meet the same faults for ever.
    """

    def __init__(self, limit: int = _MOST_REMEMBERED) -> None:
        """Begin with nothing remembered; ``limit`` is how many things a table holds."""
        self._limit = limit
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._turned = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def look(self, name: str) -> tuple[int, int]:
        """Give how often a thing was asked for, and how many spoilt answers in a row it had."""
        key = _key(name)
        entry = self._young.get(key)
        if entry is None:
            entry = self._old.get(key, self._turned << _IN_ROW_BITS)
        return entry >> _IN_ROW_BITS, entry & _MOST_IN_ROW

    def note(self, name: str, *, spoilt: bool) -> None:
        """Count an answer."""
        asked, in_row = self.look(name)
        in_row = min(in_row + 1, _MOST_IN_ROW) if spoilt else 0
        if len(self._young) >= self._limit:
            self._old, self._young = self._young, {}
            self._turned += 1
        key = _key(name)
        self._old.pop(key, None)
        self._young[key] = (asked + 1) << _IN_ROW_BITS | in_row


def _key(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_KEY_BYTES).digest()


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which calls of an answer a fault concerns.

    Those the rule names, or a share of all. A merciful rule takes each call once and never again,
    since a client that finds the same call without a URL twice may believe it.
    """

    fault: Fault
    share: float
    ledger: Ledger

    def __call__(self, sid: str) -> bool:
        if self.fault.merciful and self.ledger.look(_row_name(sid))[1]:
            return False
        if self.fault.sids is not None:
            return sid in self.fault.sids
        return is_drawn(self.share, self.fault.draw, sid)


class Book:
    """Spoils answers as the rules in force say, and counts it."""

    def __init__(self, world: World, rules: Sequence[Rule], now: datetime) -> None:
        """Begin with some rules, in force from ``now`` on."""
        self._world = world
        self._standing: list[Standing] = []
        self._next = 1
        self._ledger = Ledger()
        self._fired: Counter[FaultKind] = Counter()
        self.add(rules, now)

    def add(self, rules: Sequence[Rule], now: datetime) -> list[int]:
        """Put rules in force, before those that are there; give their numbers.

        Raises:
            TooManyRulesError: there would be more than 1,000, also without those that are over.
        """
        kept = self._standing
        if len(kept) + len(rules) > MOST_RULES:
            kept = [one for one in kept if not one.is_over(now)]
        if len(kept) + len(rules) > MOST_RULES:
            message = f"there are {len(kept)} rules in force, and {MOST_RULES} at most"
            raise TooManyRulesError(message)
        first = self._next
        added = [Standing(first + place, rule, now) for place, rule in enumerate(rules)]
        self._next += len(added)
        self._standing = added + kept
        return [one.number for one in added]

    def clear(self) -> None:
        """Take all rules away, and forget what fired and what was asked for."""
        self._standing = []
        self._ledger = Ledger()
        self._fired.clear()

    def spoil(self, ask: Ask, answer: Answer, now: datetime) -> tuple[Answer, FaultKind | None]:
        """Give an answer with the fault that is due, and its kind; the answer itself if none is."""
        if not self._standing or ask.endpoint is Endpoint.ELSEWHERE:
            return answer, None
        turn = self._turn(ask)
        fault = decide(self._standing, ask, answer, turn, now)
        spoilt = self._spoilt(fault, ask, answer, now) if fault else None
        self._ledger.note(turn.subject, spoilt=spoilt is not None)
        if fault is None or spoilt is None:
            return answer, None
        for sid in spoilt.sids:
            self._ledger.note(_row_name(sid), spoilt=True)
        self._count(fault)
        return spoilt.answer, fault.kind

    def _spoilt(self, fault: Fault, ask: Ask, answer: Answer, now: datetime) -> Spoilt | None:
        is_hit: Callable[[str], bool] = bool
        if fault.kind in ROW_KINDS:
            is_one = ask.endpoint is Endpoint.CALL
            share = 1.0 if is_one else fault.amount("rows")
            is_hit = _Choice(fault, share, self._ledger)
        return spoil(fault, ask, answer, self._world, now, is_hit)

    def _turn(self, ask: Ask) -> Turn:
        sid, subject = subject_of(ask, self._world.provider)
        asked, in_row = self._ledger.look(subject)
        return Turn(subject, sid, asked, in_row)

    def _count(self, fault: Fault) -> None:
        self._fired[fault.kind] += 1
        for place, one in enumerate(self._standing):
            if one.number == fault.number:
                self._standing[place] = replace(one, fired=one.fired + 1)

    def shown(self, now: datetime) -> dict[str, object]:
        """Give the rules, newest first, and how often each kind fired, to be written as JSON."""
        return {
            "rules": [_shown(one, now) for one in self._standing],
            "fired": {kind.value: count for kind, count in sorted(self._fired.items())},
        }


def subject_of(ask: Ask, provider: Provider) -> tuple[str, str]:
    """Give the Sid a request is about, where it is one, and a name for all it is about.

    The name is the same in every run with the same seed: the Sid (and which recording of it), of a
    list of Sids the first in order, of other listings the cursor.
    """
    if ask.endpoint is Endpoint.CALL:
        return ask.name, f"{ask.endpoint}/{ask.name}"
    if ask.endpoint in HOSTS:
        found = several.find(provider, ask.name)
        if found is None:
            return "", f"{ask.endpoint}/{ask.name}"
        return found.call.sid, f"{ask.endpoint}/{found.call.sid}/{found.place}"
    sids = ask.query.get("Sid")
    if sids is not None:
        return "", f"{ask.endpoint}/{min(sids.split(','))}"
    cursor = f"{ask.query.get('After', '')}/{ask.query.get('Before', '')}"
    return "", f"{ask.endpoint}/{cursor}"


def _row_name(sid: str) -> str:
    return f"row/{sid}"


def _shown(one: Standing, now: datetime) -> dict[str, object]:
    rule, end = one.rule, one.ends_at()
    return {
        "id": one.number,
        "kind": [kind.value for kind in rule.kinds] or None,
        "where": sorted(endpoint.value for endpoint in rule.where),
        "sid": None if rule.sids is None else sorted(rule.sids),
        "share": rule.share,
        "times": rule.times,
        "seconds": rule.seconds,
        "after": rule.after,
        "in_row": rule.in_row,
        "seed": rule.seed,
        "parameters": dict(rule.parameters),
        "fired": one.fired,
        "in_force": one.is_in_force(now),
        "ends_at": None if end is None else end.isoformat(),
    }
