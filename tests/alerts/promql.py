"""A small part of Prometheus' language, as much as our rules use; anything else is refused.

Where promtool is installed, the rules are tried with the real one as well.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LOOKBACK_S: Final = 300
"""How old a sample may be to count as the present one."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<word>[a-z_]\w*)|(?P<text>"[^"]*")|(?P<span>\d+[smh])'
    r"|(?P<number>\d+(?:e\d+)?)|(?P<sign>=~|!=|==|[-=<>(){}\[\],]))"
)

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]


class Series(NamedTuple):
    """A metric's name and labels."""

    name: str
    labels: Labels


Store = dict[Series, dict[int, float]]
"""Values by the second at which they were told."""


class UnknownError(Exception):
    """The language has it, perhaps, and this part of it has not."""


def seconds(span: str) -> int:
    """Return the seconds of ``15m``."""
    return int(span[:-1]) * _UNITS[span[-1]]


def names(expression: str) -> set[str]:
    """Return the names of metrics in an expression."""
    return set(re.findall(r"callvault_\w+", expression))


def evaluate(expression: str, store: Mapping[Series, Mapping[int, float]], now: int) -> Vector:
    """Return what an expression tells of a moment.

    Raises:
        UnknownError: the expression has something that is not known here.
    """
    reader = _Reader(expression, store, now)
    found = reader.disjunction()
    reader.take("")
    return found


class _Reader:
    def __init__(self, text: str, store: Mapping[Series, Mapping[int, float]], now: int) -> None:
        self._tokens = [*_tokens(text), ""]
        self._store = store
        self._now = now

    def take(self, wanted: str | None = None) -> str:
        token = self._tokens.pop(0)
        if wanted is not None and token != wanted:
            raise UnknownError(f"{token!r} where {wanted!r} is known")
        return token

    def _next_is(self, *tokens: str) -> bool:
        return self._tokens[0] in tokens

    def disjunction(self) -> Vector:
        left = self.conjunction()
        while self._next_is("or"):
            self.take()
            left = {**self.conjunction(), **left}
        return left

    def conjunction(self) -> Vector:
        left = self.comparison()
        while self._next_is("and", "unless"):
            wanted = self.take() == "and"
            kept: set[str] | None = None
            if self._next_is("on"):
                self.take()
                kept = set(self.names())
            right = {_only(labels, kept) for labels in self.comparison()}
            left = {
                labels: value
                for labels, value in left.items()
                if (_only(labels, kept) in right) == wanted
            }
        return left

    def comparison(self) -> Vector:
        left = self.difference()
        if self._next_is("<", ">", "=="):
            sign, limit = self.take(), float(self.take())
            return {
                labels: value
                for labels, value in left.items()
                if (value < limit, value > limit, value == limit)[("<", ">", "==").index(sign)]
            }
        return left

    def difference(self) -> Vector:
        left = self.term()
        if not self._next_is("-"):
            return left if isinstance(left, dict) else self._refuse("a bare time()")
        self.take()
        right = self.term()
        if isinstance(left, float) and isinstance(right, dict):
            return {labels: left - value for labels, value in right.items()}
        if isinstance(left, dict) and isinstance(right, float):
            return {labels: value - right for labels, value in left.items()}
        return self._refuse("a difference of two vectors")

    def term(self) -> Vector | float:
        word = self.take()
        if word == "time":
            self.take("(")
            self.take(")")
            return float(self._now)
        if word == "absent":
            return {} if self._inner(self._present) else {frozenset(): 1.0}
        if word == "sum":
            self.take("without")
            dropped = set(self.names())
            sums: Vector = {}
            for labels, value in self._inner(self._present).items():
                left = frozenset(pair for pair in labels if pair[0] not in dropped)
                sums[left] = sums.get(left, 0) + value
            return sums
        if word == "increase":
            return self._inner(self._increase)
        if word == "count_over_time":
            return self._inner(self._count)
        return self._present(word)

    def names(self) -> Iterator[str]:
        self.take("(")
        while True:
            yield self.take()
            if self.take() == ")":
                return

    def _refuse(self, what: str) -> Vector:
        raise UnknownError(what)

    def _chosen(self, name: str) -> list[tuple[Labels, Mapping[int, float]]]:
        if not name.startswith("callvault_"):
            raise UnknownError(f"{name!r}")
        tests: list[Callable[[dict[str, str]], bool]] = []
        if self._next_is("{"):
            self.take()
            while True:
                label, sign, text = self.take(), self.take(), self.take().strip('"')
                tests.append(_matcher(label, sign, text))
                if self.take() == "}":
                    break
        return [
            (series.labels, values)
            for series, values in self._store.items()
            if series.name == name and all(test(dict(series.labels)) for test in tests)
        ]

    def _present(self, name: str) -> Vector:
        found = {}
        for labels, values in self._chosen(name):
            times = [at for at in values if self._now - LOOKBACK_S < at <= self._now]
            if times:
                found[labels] = values[max(times)]
        return found

    def _inner(self, read: Callable[[str], Vector]) -> Vector:
        """Read what stands between the parentheses of a function."""
        self.take("(")
        found = read(self.take())
        self.take(")")
        return found

    def _seen(self, name: str) -> dict[Labels, list[float]]:
        """Return the values within a span, in order."""
        chosen = self._chosen(name)
        self.take("[")
        since = self._now - seconds(self.take())
        self.take("]")
        return {
            labels: [values[at] for at in sorted(values) if since <= at <= self._now]
            for labels, values in chosen
        }

    def _count(self, name: str) -> Vector:
        return {labels: float(len(seen)) for labels, seen in self._seen(name).items() if seen}

    def _increase(self, name: str) -> Vector:
        """Without what Prometheus adds for the ends of the time that it did not see."""
        found = {}
        for labels, seen in self._seen(name).items():
            if len(seen) > 1:
                steps = itertools.pairwise(seen)
                found[labels] = sum(b - a if b >= a else b for a, b in steps)
        return found


def _only(labels: Labels, kept: set[str] | None) -> Labels:
    """Return the labels of these names; all where none are given."""
    return labels if kept is None else frozenset(pair for pair in labels if pair[0] in kept)


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnknownError(f"{text[at:]!r}")
        at = match.end()
        yield match[0].strip()


def _matcher(label: str, sign: str, text: str) -> Callable[[dict[str, str]], bool]:
    if sign == "=":
        return lambda labels: labels.get(label, "") == text
    if sign == "!=":
        return lambda labels: labels.get(label, "") != text
    if sign == "=~":
        return lambda labels: re.fullmatch(text, labels.get(label, "")) is not None
    raise UnknownError(f"{sign!r} of a label")
