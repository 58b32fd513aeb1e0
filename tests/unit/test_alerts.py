"""The alert rules: each fires by what is told of a catalog in that state, and by nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.alerts.promql import Series, UnknownError, evaluate, names
from tests.alerts.promtool import SHIPPED, document, of_two, wanted
from tests.alerts.rules import FOLDER, RULES, fires, read_rules
from tests.alerts.scenarios import (
    BESIDE,
    INSTALLS,
    MORE,
    PLAYS,
    QUIET,
    STEP,
    WELL,
    perform,
    perform_two,
)
from worker.cli import cli
from worker.exposition import COUNTERS, GAUGES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.alerts.promql import Store
    from tests.alerts.rules import Rule

ALL = read_rules()
PROMTOOL = shutil.which("promtool")


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_each_alert_fires_once_what_it_warns_of_has_lasted(rule: Rule, tmp_path: Path) -> None:
    """Not at the beginning; by what is really told, which is what promtool is shipped."""
    play = PLAYS[rule.name]
    store = perform(play, tmp_path)
    found = fires(rule, store, [step * STEP for step in range(play.steps)])
    assert found[0] == {}
    (labels,) = found[(play.steps - 1) * STEP]
    for text in (rule.summary, rule.description):
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= {name for name, _ in labels}
    text = document({rule.name: (wanted(store, rule.expr), play.steps)}).partition("tests:\n")[2]
    assert text in SHIPPED.read_text(encoding="utf-8"), "python -m tests.alerts.promtool"


@pytest.mark.parametrize("name", MORE)
def test_an_alert_fires_in_each_of_its_ways(name: str, tmp_path: Path) -> None:
    """Also where a command never ended well, and of each that a timer runs."""
    alert, play = MORE[name]
    (rule,) = (rule for rule in ALL if rule.name == alert)
    times = [step * STEP for step in range(play.steps)]
    found = fires(rule, perform(play, tmp_path), times)
    assert found[0] == {}
    assert len(found[times[-1]]) == 1


@pytest.mark.parametrize("name", QUIET)
def test_what_was_made_good_or_is_long_over_alerts_nobody(name: str, tmp_path: Path) -> None:
    """Whoever ran it by hand: no alert of runs goes on for ever."""
    play = QUIET[name]
    store = perform(play, tmp_path)
    times = [step * STEP for step in range(play.steps)]
    of_runs = [
        rule for rule in ALL if rule.name in {"CallvaultTimerDidNotRun", "CallvaultRunFailed"}
    ]
    assert [fires(rule, store, times)[times[-1]] for rule in of_runs] == [{}, {}]


@pytest.mark.parametrize(("kind", "name"), INSTALLS)
def test_each_of_two_installs_is_held_against_itself(kind: str, name: str, tmp_path: Path) -> None:
    """In one Prometheus, with accounts of the same name: one that is ill alerts, and alone.

    Nor does one that has calls alert as another has no work, or has run.
    """
    store, steps = perform_two(kind, name, tmp_path)
    (rule,) = (rule for rule in ALL if rule.name == name)
    times = [step * STEP for step in range(steps)]
    found = fires(rule, store, times)
    assert found[0] == {}
    installs = [dict(labels)["instance"] for labels in found[times[-1]]]
    assert installs == (["one"] if kind == BESIDE else [])
    shipped = SHIPPED.read_text(encoding="utf-8")
    assert of_two(kind, rule, store, steps) in shipped, "python -m tests.alerts.promtool"


def test_no_alert_fires_while_all_is_well(tmp_path: Path) -> None:
    """Over hours."""
    store = perform(WELL, tmp_path)
    times = [step * STEP for step in range(WELL.steps)]
    assert {
        rule.name: found for rule in ALL if any((found := fires(rule, store, times)).values())
    } == {}


def test_each_rule_has_its_scenario_and_names_metrics_that_there_are() -> None:
    """And each description names something to run or to look at."""
    assert [rule.name for rule in ALL] == list(PLAYS)
    told = {*GAUGES, *(f"{name}_total" for name in COUNTERS)}
    commands = {f"callvault {name}" for name in cli.list_commands(None)}  # type: ignore[arg-type] # unused
    for rule in ALL:
        assert names(rule.expr)
        assert names(rule.expr) <= told, rule.name
        assert any(command in rule.description for command in commands), rule.name
        assert rule.severity in {"critical", "warning"}


def test_each_alert_stands_in_its_page() -> None:
    """docs/how-to/monitor.md has them all in their order, and no others."""
    page = (FOLDER.parents[1] / "docs" / "how-to" / "monitor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(Callvault\w+)` \|", page, re.MULTILINE)
    assert rows == [rule.name for rule in ALL]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_prometheus_own_tool_agrees() -> None:
    """With the rules, and with each of them firing."""
    assert PROMTOOL is not None
    for words in (["check", "rules", RULES.name], ["test", "rules", SHIPPED.name]):
        done = subprocess.run(  # noqa: S603 - a tool of the machine, with our own files
            [PROMTOOL, *words], cwd=FOLDER, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


A = Series("callvault_a", frozenset({("account", "main"), ("state", "lost")}))
B = Series("callvault_a", frozenset({("account", "main"), ("state", "new")}))
STORE: Store = {A: {0: 1, 300: 4, 600: 2}, B: {0: 7, 300: 7}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("callvault_a > 1", {A: 2}),
        ('callvault_a{state="new"} > 0', {}),
        ('callvault_a{state!="new"} == 2', {A: 2}),
        ('callvault_a{state=~"l.*|x"} < 3', {A: 2}),
        ("time() - callvault_a > 597", {A: 598}),
        ("callvault_a - time() < 0", {A: -598}),
        ("increase(callvault_a[10m]) > 4", {A: 5}),
        ("increase(callvault_a[5m]) > 1", {A: 2}),
        ("callvault_a > 1 and on (account) callvault_a > 0", {A: 2}),
        ("callvault_a > 1 and callvault_a > 2", {}),
        ("callvault_a > 1 unless callvault_a > 2", {A: 2}),
        ("callvault_a unless callvault_a > 1", {}),
        ("callvault_b > 1 or callvault_a > 1", {A: 2}),
        ("count_over_time(callvault_a[10m]) unless callvault_a", {B: 2}),
        ("count_over_time(callvault_a[10m])", {A: 3, B: 2}),
    ],
)
def test_the_small_language_means_what_prometheus_means(
    expression: str, expected: dict[Series, float]
) -> None:
    """A counter that became less began anew; what is five minutes old is gone."""
    found = evaluate(expression, STORE, 600)
    assert found == {series.labels: value for series, value in expected.items()}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("sum without (account, state) (callvault_a) > 0", 11), ("absent(callvault_b)", 1)],
)
def test_what_is_put_together_has_no_labels(expression: str, expected: float) -> None:
    """A sum without those that there are, and that something is not there."""
    assert evaluate(expression, STORE, 300) == {frozenset(): expected}


@pytest.mark.parametrize(
    "expression",
    [
        "rate(callvault_a[5m]) > 0",
        "sum(callvault_a) > 1",
        "callvault_a / callvault_a > 1",
        "sum by (x) (callvault_a) > 1",
        'callvault_a{state!~"x"} > 1',
        "callvault_a - callvault_a > 0",
        "callvault_a >= 1",
        "callvault_a offset 5m",
        "time()",
    ],
)
def test_what_is_not_known_of_the_language_is_refused(expression: str) -> None:
    """Rather than taken for something else."""
    with pytest.raises((UnknownError, ValueError)):
        evaluate(expression, STORE, 300)
