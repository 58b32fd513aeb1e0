"""Which region is taken, and what is said where none can be."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from archive.accounts import MUMBAI, SINGAPORE
from archive.errors import (
    CallvaultError,
    CredentialsError,
    FatalError,
    InputError,
    ProviderError,
)
from archive.verdicts import Symptom
from worker.regions import Answer, Met, Region, choose

EAST: Final = Region("Singapore", SINGAPORE)
WEST: Final = Region("Mumbai", MUMBAI)
OK: Final = None
REFUSED: Final = Symptom.API_UNAUTHORISED
AWAY: Final = Symptom.API_DNS
FORBIDDEN: Final = Symptom.API_FORBIDDEN
BUSY: Final = Symptom.API_TOO_MANY


def answers(east: Symptom | None, west: Symptom | None) -> list[Answer]:
    """Return what both regions said."""
    return [Answer(EAST, east, "HTTP 1"), Answer(WEST, west, "HTTP 2")]


@pytest.mark.parametrize("other", [REFUSED, AWAY, FORBIDDEN, BUSY])
@pytest.mark.parametrize("wished", [None, SINGAPORE, MUMBAI])
def test_the_one_that_answers_is_taken(other: Symptom, wished: str | None) -> None:
    """Whatever the other one says, and whichever was wished for."""
    assert choose(answers(OK, other), wished) == EAST
    assert choose(answers(other, OK), wished) == WEST


def test_of_two_that_answer_the_one_wished_for_is_taken() -> None:
    """Without a wish nobody can know, and both are named."""
    assert choose(answers(OK, OK), MUMBAI) == WEST
    assert choose(answers(OK, OK), SINGAPORE) == EAST
    with pytest.raises(InputError, match=r"several regions.*Singapore.*Mumbai") as caught:
        choose(answers(OK, OK), None)
    assert "--region" in caught.value.hint


@pytest.mark.parametrize(
    ("east", "west", "expected", "words"),
    [
        (REFUSED, REFUSED, CredentialsError, "no region accepts"),
        (AWAY, AWAY, ProviderError, "no region can be reached"),
        (REFUSED, AWAY, ProviderError, "no region answered"),
        (AWAY, BUSY, ProviderError, "no region answered"),
        (FORBIDDEN, REFUSED, FatalError, "no region lets us"),
        (AWAY, FORBIDDEN, FatalError, "no region lets us"),
    ],
)
def test_where_none_answers_it_is_told_why(
    east: Symptom, west: Symptom, expected: type[CallvaultError], words: str
) -> None:
    """Each region's own words stand in the message, and the way around the check in the hint."""
    with pytest.raises(expected) as caught:
        choose(answers(east, west), None)

    assert words in caught.value.message
    assert f"Singapore ({SINGAPORE})" in caught.value.message
    assert "HTTP 1" in caught.value.message
    assert "HTTP 2" in caught.value.message
    assert "--no-check" in caught.value.hint


def test_every_symptom_of_the_api_can_be_said() -> None:
    """No two of them leave the reader without words, or us without a choice."""
    symptoms = [symptom for symptom in Symptom if symptom.startswith("api-")]
    for east, west in product(symptoms, symptoms):
        with pytest.raises(CallvaultError, match="no region"):
            choose(answers(east, west), None)
    assert {Met.REFUSED, Met.HINDERED, Met.OUT_OF_REACH} == {
        Answer(EAST, symptom).met for symptom in symptoms
    }


def test_a_404_names_both_that_it_can_mean() -> None:
    """The wrong region knows no such account, and says nothing of the key."""
    said = Answer(EAST, REFUSED, "HTTP 404 (No such account)").words()
    assert "the key and token, or does not know the account: HTTP 404 (No such account)" in said
