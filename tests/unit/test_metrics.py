"""Metrics against their reference: docs/metrics.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from archive.catalog.intake import Intake
from archive.catalog.writer import Catalog
from archive.clock import system_clock
from worker.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"


@pytest.fixture
async def metrics(tmp_path: Path) -> AsyncIterator[Metrics]:
    """Yield metrics that have counted something of each kind."""
    catalog = await Catalog.open(tmp_path / "catalog.db")
    counted = Metrics(catalog, ["main"], system_clock, lambda: 7)
    counted.count("main", "kept")
    counted.taken(Intake(new=2, known=1))
    yield counted
    await catalog.close()


async def test_each_metric_stands_in_the_reference_with_its_type_and_labels(
    metrics: Metrics,
) -> None:
    """And the reference names no other."""
    body, kind = await metrics.exposition()
    rows = re.findall(
        r"^\| `(callvault_\w+)` \| (\w+) \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE
    )
    expected = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", body.decode(), re.MULTILINE))
    samples = re.findall(r"^(callvault_\w+)(\{[^}]*\})? ", body.decode(), re.MULTILINE)
    found = {name: (types[name], set(re.findall(r"(\w+)=", text))) for name, text in samples}
    assert expected == found
    assert kind.startswith("text/plain")


async def test_a_catalog_that_cannot_be_read_is_told(metrics: Metrics) -> None:
    """The other metrics are there all the same."""
    await metrics._catalog.write(lambda tx: tx.connection.execute("ALTER TABLE calls RENAME TO x"))
    body, _ = await metrics.exposition()
    assert b"callvault_catalog_up 0.0" in body
    assert b'callvault_callbacks_total{account="main",outcome="kept"} 1.0' in body


def test_each_outcome_stands_in_the_reference() -> None:
    """Those that the web server counts."""
    code = (ROOT / "web" / "app.py").read_text()
    counted = re.findall(r'(?:HTTPStatus\.\w+, |count\(account, )"([a-z-]+)"\)', code)
    page = PAGE.read_text().partition("| outcome |")[2]
    assert set(counted) == set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
