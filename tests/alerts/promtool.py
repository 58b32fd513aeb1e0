"""The same scenarios for ``promtool test rules``.

``python -m tests.alerts.promtool`` writes deploy/prometheus/callvault.rules.test.yml anew.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.alerts.promql import names
from tests.alerts.rules import FOLDER, RULES, read_rules
from tests.alerts.scenarios import BESIDE, INSTALLS, PLAYS, STEP, perform, perform_two

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.alerts.promql import Labels, Store
    from tests.alerts.rules import Rule

SHIPPED: Final = FOLDER / "callvault.rules.test.yml"
_HEAD: Final = f"""\
# Each alert of callvault.rules.yml fires once, by what callvault told of a catalog in that state:
#   promtool test rules callvault.rules.test.yml
# Written by `python -m tests.alerts.promtool`; only the metrics that an alert reads are kept.

rule_files: [{RULES.name}]
evaluation_interval: {STEP}s

tests:
"""


def document(told: Mapping[str, tuple[Store, int]]) -> str:
    """Write what was told, and how many steps that was, by the alert that fires in the end."""
    return _HEAD + "".join(
        line for name, (store, steps) in told.items() for line in _test(name, store, steps)
    )


def of_two(kind: str, rule: Rule, store: Store, steps: int) -> str:
    """Write what two installs told, of which one is ill beside the other, or both are apart."""
    told = wanted(store, rule.expr)
    return "".join(_test(rule.name, told, steps, kind=kind, fired=int(kind == BESIDE)))


def wanted(store: Store, expression: str) -> Store:
    """Return what an expression reads."""
    read = names(expression)
    return {series: values for series, values in store.items() if series.name in read}


def _test(name: str, store: Store, steps: int, *, kind: str = "", fired: int = 1) -> Iterator[str]:
    title = f"{name}, two installs {kind}" if kind else name
    yield f"  - name: {title}\n    interval: {STEP}s\n    input_series:\n"
    for series, values in sorted(
        store.items(), key=lambda item: (item[0].name, sorted(item[0][1]))
    ):
        cells = [values.get(step * STEP) for step in range(steps)]
        yield f"      - series: '{series.name}{_labels(series.labels)}'\n"
        yield f"        values: '{_values(cells)}'\n"
    yield "    promql_expr_test:\n"
    last = (steps - 1) * STEP
    at_the_end = f'[{{labels: "{{}}", value: {fired}}}]' if fired else "[]"
    for at, samples in ((0, "[]"), (last, at_the_end)):
        yield f"""      - expr: count(ALERTS{{alertname="{name}", alertstate="firing"}})\n"""
        yield f"        eval_time: {at}s\n        exp_samples: {samples}\n"


def _labels(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels)) + "}"


def _values(cells: list[float | None]) -> str:
    """Write values one after the other, and those that stay the same once."""
    runs = [(cell, len(list(same))) for cell, same in groupby(cells)]
    return " ".join(
        f"_x{count}" if cell is None else f"{cell:.12g}+0x{count - 1}" for cell, count in runs
    )


def main() -> int:
    """Write the file."""
    told = {}
    for rule in read_rules():
        with tempfile.TemporaryDirectory() as folder:
            store = perform(PLAYS[rule.name], Path(folder))
        told[rule.name] = (wanted(store, rule.expr), PLAYS[rule.name].steps)
    rules = {rule.name: rule for rule in read_rules()}
    both = ""
    for kind, alert in INSTALLS:
        with tempfile.TemporaryDirectory() as folder:
            store, steps = perform_two(kind, alert, Path(folder))
        both += of_two(kind, rules[alert], store, steps)
    SHIPPED.write_text(document(told) + both, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
