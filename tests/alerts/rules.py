"""The alert rules as they are written, and when they fire."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from tests.alerts.promql import evaluate, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.alerts.promql import Series, Vector

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES: Final = FOLDER / "callvault.rules.yml"
_RULE: Final = re.compile(
    r"^      - alert: (?P<name>\w+)\n"
    r"        expr: (?P<expr>.+)\n"
    r"        for: (?P<lasts>\d+[smh])\n"
    r"        labels:\n"
    r"          severity: (?P<severity>\w+)\n"
    r"        annotations:\n"
    r'          summary: "(?P<summary>[^"\\]+)"\n'
    r'          description: "(?P<description>[^"\\]+)"\n',
    re.MULTILINE,
)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One alert."""

    name: str
    expr: str
    lasts: str
    severity: str
    summary: str
    description: str


def read_rules() -> list[Rule]:
    """Read the rules; each has to be written in the one form that is known here."""
    text = RULES.read_text(encoding="utf-8")
    rules = [Rule(**match.groupdict()) for match in _RULE.finditer(text)]
    assert len(rules) == text.count("- alert:"), "a rule is not of the usual form"
    return rules


def fires(
    rule: Rule, store: Mapping[Series, Mapping[int, float]], times: Sequence[int]
) -> dict[int, Vector]:
    """Return what fires at each of these times: what held at all of them for long enough."""
    held: dict[object, int] = {}
    found: dict[int, Vector] = {}
    for now in times:
        vector = evaluate(rule.expr, store, now)
        held = {labels: held.get(labels, now) for labels in vector}
        found[now] = {
            labels: value
            for labels, value in vector.items()
            if now - held[labels] >= seconds(rule.lasts)
        }
    return found
