"""Rules of faults as people write them: in JSON, and on the command line."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from sandbox.answers import Endpoint
from sandbox.faults import ALL, API, HOSTS, IN_ROW, TRAITS, FaultKind, Rule, Value
from sandbox.spoilt_json import FIELDS, TYPES

_PLACES: dict[str, frozenset[Endpoint]] = {
    "all": ALL,
    "api": API,
    "hosts": HOSTS,
    **{endpoint.value: frozenset({endpoint}) for endpoint in sorted(ALL)},
}
_KEYS = frozenset(
    {
        *("kind", "where", "sid", "share", "times", "seconds", "after"),
        *("in_row", "seed", "parameters"),
    }
)
_VARIANTS = {FaultKind.JSON_TYPES: TYPES, FaultKind.JSON_FIELDS: FIELDS}
# No amount may be larger: bytes, seconds, bytes a second.
_MOST = 2.0**31
_SIGNED = frozenset({"skew"})
_SHARES = frozenset({"keep", "rows"})

Read = TypeVar("Read")


class RuleError(ValueError):
    """What was given is no rule; the text says why."""


def read(document: object) -> list[Rule]:
    """Read rules: a list of objects, ``{"rules": [...]}``, or one object.

    Raises:
        RuleError: something in it is not understood.
    """
    if isinstance(document, dict) and document.keys() == {"rules"}:
        document = document["rules"]
    if isinstance(document, dict):
        document = [document]
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise RuleError("rules are a list of objects")
    return [_rule(one) for one in document]


def read_kinds(text: str) -> tuple[FaultKind, ...]:
    """Read kinds with commas between them.

    Raises:
        RuleError: there is no such kind.
    """
    return tuple(_kind(name.strip()) for name in text.split(",") if name.strip())


def by_chance(
    share: float, seed: str, kinds: tuple[FaultKind, ...], in_row: int, hold: float
) -> Rule:
    """Make the rule of ``--faults``; ``hold`` in seconds, no kinds for all that recover."""
    return Rule(kinds=kinds, share=share, seed=seed, in_row=in_row, parameters={"hold": hold})


def _rule(given: Mapping[str, object]) -> Rule:
    if unknown := given.keys() - _KEYS:
        raise RuleError(f"a rule has no {', '.join(sorted(unknown))}")
    kinds = tuple(_kind(name) for name in _texts(given, "kind") or ())
    where = _where(given, kinds)
    sids = _texts(given, "sid")
    share = _optional(given, "share", lambda value: _number("share", value, 1.0))
    times = _optional(given, "times", lambda value: _whole("times", value))
    by_chance = not kinds or (share is not None and share < 1)
    if "in_row" in given:
        in_row = _optional(given, "in_row", lambda value: _whole("in_row", value))
    else:
        in_row = IN_ROW if by_chance else None
    return Rule(
        kinds=kinds,
        where=where,
        sids=None if sids is None else frozenset(sids),
        share=1.0 if share is None else share,
        times=times,
        seconds=_optional(given, "seconds", lambda value: _number("seconds", value, _MOST)),
        after=_optional(given, "after", lambda value: _number("after", value, _MOST)) or 0.0,
        in_row=in_row,
        seed=str(given.get("seed", "")),
        parameters=_parameters(given.get("parameters", {}), kinds),
    )


def _kind(name: str) -> FaultKind:
    try:
        return FaultKind(name)
    except ValueError:
        raise RuleError(f"{name!r} is no kind of fault; there are {', '.join(FaultKind)}") from None


def _where(given: Mapping[str, object], kinds: tuple[FaultKind, ...]) -> frozenset[Endpoint]:
    names = _texts(given, "where") or ("all",)
    if unknown := set(names) - _PLACES.keys():
        raise RuleError(f"where is one of {', '.join(_PLACES)}; not {', '.join(sorted(unknown))}")
    where: frozenset[Endpoint] = frozenset().union(*(_PLACES[name] for name in names))
    for kind in kinds:
        if where.isdisjoint(TRAITS[kind].where):
            raise RuleError(f"{kind} does not exist at {', '.join(names)}")
    return where


def _parameters(given: object, kinds: tuple[FaultKind, ...]) -> dict[str, Value]:
    if not isinstance(given, dict):
        raise RuleError("parameters are an object")
    traits = [trait for kind, trait in TRAITS.items() if not kinds or kind in kinds]
    known = {name for trait in traits for name in trait.parameters}
    if unknown := given.keys() - known:
        has = f"they are {', '.join(sorted(known))}" if known else "there are none"
        raise RuleError(f"of the parameters, {', '.join(sorted(unknown))} is none; {has}")
    return {name: _parameter(name, value, kinds) for name, value in given.items()}


def _parameter(name: str, value: object, kinds: tuple[FaultKind, ...]) -> Value:
    if name == "variant":
        known = [variant for kind in kinds for variant in _VARIANTS.get(kind, ())]
        if value not in known:
            raise RuleError(f"variant is one of {', '.join(known)}")
        return str(value)
    if name in _SIGNED and isinstance(value, int | float) and value < 0:
        return -_number(name, -value, _MOST)
    return _number(name, value, 1.0 if name in _SHARES else _MOST)


def _texts(given: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    """Read a text or a list of texts; None where nothing is given."""
    value = given.get(name)
    if value is None:
        return None
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(one, str) and one for one in values):
        raise RuleError(f"{name} is a text or a list of texts")
    return tuple(values)


def _optional(
    given: Mapping[str, object], name: str, reader: Callable[[object], Read]
) -> Read | None:
    value = given.get(name)
    return None if value is None else reader(value)


def _number(name: str, value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise RuleError(f"{name} is a number from 0 to {most:g}")
    return float(value)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RuleError(f"{name} is a whole number, 0 or more")
    return value
