"""What a reason means: every one that can stand in the catalog has words."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.entry import TRUSTED
from archive.purging import KEEP_DAYS, ON_REQUEST
from archive.readiness import Readiness, judge_missing
from archive.reasons import MEANINGS, NO_CREDENTIALS, Meaning, meaning_of
from archive.verdicts import RULES, Act, Pause, Symptom
from tests.unit.books import NOW

STATUSES = ["", "in-progress", "completed", "no-answer", "busy", "something-new"]
AGES = [None, *map(timedelta, (0, 40)), *(timedelta(minutes=m) for m in (-5, 3, 20, 70))]
SPANS = [None, 0, 3, 60]


def conclusions() -> set[str]:
    """Return every reason that a missing recording can have, of calls of every kind."""
    found: set[str] = set()
    for status, leg2, age, duration, talk, looks, left in product(
        STATUSES, ["", "no-answer"], AGES, SPANS, SPANS, (0, 1, 2), (None, -1, 1)
    ):
        facts = CallFacts(
            sid="abcdef",
            ended_at=None if age is None else NOW - age,
            duration_s=duration,
            talk_s=talk,
            status=status,
            leg2_status=leg2,
        )
        verdict = judge_missing(
            facts,
            former=None,
            late_looks=looks,
            delete_by=None if left is None else NOW + timedelta(days=left),
            now=NOW,
            readiness=Readiness(),
        )
        assert not isinstance(verdict, Pause)
        found.add(verdict.reason)
    return found


@pytest.mark.parametrize("symptom", Symptom)
def test_every_symptom_has_words_of_its_own(symptom: Symptom) -> None:
    """Two that meant the same to a reader would be one."""
    words = meaning_of(symptom.value).words
    assert words not in {"", symptom.value}
    assert [symptom.value] == [reason for reason, said in MEANINGS.items() if said.words == words]


def test_every_conclusion_has_words() -> None:
    """Of calls of every status, age and length; each kind of conclusion is among them."""
    reasons = conclusions()
    assert {"call-in-progress", "not-ready", "no-recording-yet", "past-retention"} <= reasons
    assert {"no-answer", "too-short", "not-recorded"} <= reasons
    assert reasons <= set(MEANINGS)


def test_nothing_has_words_that_cannot_be_a_reason() -> None:
    """What is explained can be seen, concluded, done by retry or a source, or found in a file."""
    of_files = {
        f"file-{found}" for found in ("missing", "changed", "truncated", "longer", "damaged")
    }
    assert {symptom.value for symptom in Symptom} | conclusions() | of_files | {
        "retried",
        KEEP_DAYS,
        ON_REQUEST,
        "reappeared",
        "operator",
        "another-recording",
        NO_CREDENTIALS,
        TRUSTED,
    } == set(MEANINGS)


@pytest.mark.parametrize(
    "symptom", [s for s in Symptom if RULES[s].act in {Act.PAUSE_ACCOUNT, Act.PAUSE_HOST}]
)
def test_what_pauses_has_the_hint_of_its_rule_for_a_remedy(symptom: Symptom) -> None:
    """One text in one place."""
    assert RULES[symptom].hint == meaning_of(symptom.value).remedy


@given(st.text(max_size=40).filter(lambda text: text not in MEANINGS))
def test_an_unknown_reason_means_itself(reason: str) -> None:
    """A newer callvault may have written it."""
    assert Meaning(reason) == meaning_of(reason)
