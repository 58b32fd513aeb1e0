"""What calls that are due later wait for, in a person's words."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from archive.reasons import MEANINGS
from archive.waits import Held, Wait, for_provider, for_try, is_for_provider, waiting_text
from tests.unit.books import NOW

ZONE = ZoneInfo("Asia/Kolkata")
MINUTE = timedelta(minutes=1)
# NOW is 17:30 there.
SPOILT = Wait("body-digest", 3, NOW + 12 * MINUTE)
EARLY = Wait("not-ready", 1_310, NOW + MINUTE)
UNSEEN = Wait("", 2, NOW + 2 * MINUTE)
HELD = Held(account="main", calls=40, opens=NOW + timedelta(hours=16))


@pytest.mark.parametrize(
    "reason",
    ["", "not-ready", "no-recording-yet", "call-in-progress", "fetch-not-yet", "another-recording"],
)
def test_what_is_not_there_yet_waits_for_the_provider(reason: str) -> None:
    """Before the first look, too."""
    assert is_for_provider(reason)


@pytest.mark.parametrize("kind", ["body-", "api-", "fetch-"])
def test_what_went_wrong_waits_for_a_further_try(kind: str) -> None:
    """A damaged download is no recording that the provider still works on."""
    of_kind = [reason for reason in MEANINGS if reason.startswith(kind)]
    assert [reason for reason in of_kind if is_for_provider(reason)] == (
        ["fetch-not-yet"] if kind == "fetch-" else []
    )


def test_each_call_is_counted_once() -> None:
    """For the provider, or for a further try."""
    waits = (SPOILT, EARLY, UNSEEN)
    assert (for_provider(waits), for_try(waits)) == (1_312, 3)


@pytest.mark.parametrize(
    ("waits", "held", "expected"),
    [
        ((), (), ""),
        ((SPOILT,), (), "3 for a further try of body-digest, next at 2026-02-10T17:42+05:30"),
        ((UNSEEN, EARLY), (), "1,312 for the provider, next at 2026-02-10T17:31+05:30"),
        (
            (SPOILT, EARLY),
            (HELD,),
            (
                "1,310 for the provider, next at 2026-02-10T17:31+05:30; "
                "3 for a further try of body-digest, next at 2026-02-10T17:42+05:30; "
                "40 for the backfill hours, from 2026-02-11T09:30+05:30 on"
            ),
        ),
        (
            [Wait(f"fetch-{name}", n, NOW) for n, name in enumerate(("gone", "slow", "tls"), 1)]
            + [Wait("api-tls", 1, NOW + MINUTE)],
            (),
            (
                "3 for a further try of fetch-tls, next at 2026-02-10T17:30+05:30; "
                "2 for a further try of fetch-slow, next at 2026-02-10T17:30+05:30; "
                "1 for a further try of api-tls, next at 2026-02-10T17:31+05:30; "
                "1 for a further try of something else, next at 2026-02-10T17:30+05:30"
            ),
        ),
    ],
)
def test_it_is_said_in_one_line(waits: list[Wait], held: list[Held], expected: str) -> None:
    """How many wait for what and until when, in full; the commonest troubles by their names."""
    assert expected == waiting_text(waits, held, zone=ZONE)
