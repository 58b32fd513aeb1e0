"""Which calls are archived: by rules, and never against a call for what nobody knows of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts
from archive.catalog.work import ClaimedCall
from archive.selection import Excluded, Rule, decide, mistakes_of, national, rules_of
from archive.verdicts import Symptom
from archive.wire import CallAnswer
from jobs.settling import left_out
from tests.unit.books import NOW, proved

SID = "abcdef"
TALKED = CallFacts(
    sid=SID,
    status="completed",
    direction="inbound",
    from_number="09812345678",
    to_number="08047112233",
    exophone="08047112233",
    group="Training",
    duration_s=60,
)
BARE = CallFacts(sid=SID)


def rule(name: str = "r", **conditions: Any) -> Rule:  # noqa: ANN401 - values of any condition
    """Return a rule."""
    return Rule(name=name, **conditions)


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"exophone": ("08047*",)}, True),
        ({"exophone": ("+91 80471 12233",)}, True),
        ({"exophone": ("918047112233",)}, True),
        ({"exophone": ("*2233",)}, True),
        ({"exophone": ("47*",)}, False),
        ({"exophone": ("12345", "8047112233")}, True),
        ({"number": ("98*",)}, True),
        ({"number": ("+9198123*",)}, True),
        ({"number": ("97*",)}, False),
        ({"direction": ("inbound",)}, True),
        ({"direction": ("outbound",)}, False),
        ({"status": ("failed", "COMPLETED")}, True),
        ({"status": ("no-*",)}, False),
        ({"group": ("train*",)}, True),
        ({"group": ("Sales",)}, False),
        ({"shorter_than": timedelta(seconds=61)}, True),
        ({"shorter_than": timedelta(seconds=60)}, False),
        ({"longer_than": timedelta(seconds=59)}, True),
        ({"longer_than": timedelta(seconds=60)}, False),
        ({"direction": ("inbound",), "group": ("Sales",)}, False),
        ({"direction": ("inbound",), "group": ("Training",)}, True),
    ],
)
def test_all_conditions_of_a_rule_must_hold(conditions: dict[str, Any], *, matches: bool) -> None:
    """A list means any of its values; numbers are the same however they are written."""
    assert decide(TALKED, [rule(**conditions)]) == ("r" if matches else None)
    assert decide(TALKED, [rule(**conditions, inverted=True)]) == (None if matches else "r")


def test_a_direction_stands_for_its_kinds() -> None:
    """The provider tells outbound-api and outbound-dial apart; a rule may, too."""
    call = msgspec.structs.replace(TALKED, direction="outbound-dial")
    assert decide(call, [rule(direction=("outbound",))]) == "r"
    assert decide(call, [rule(direction=("outbound-api",))]) is None


def test_the_first_rule_that_matches_decides() -> None:
    """One that keeps shields from those after it; what none matches is archived."""
    keep, drop = rule("keep", keep=True, direction=("inbound",)), rule("all")
    assert decide(TALKED, [keep, drop]) is None
    assert decide(TALKED, [drop, keep]) == "all"
    assert decide(TALKED, [rule("other", group=("Sales",))]) is None
    assert decide(TALKED, []) is None


@pytest.mark.parametrize(
    ("rules", "final"),
    [
        ([rule(exophone=("1*",))], None),
        ([rule(status=("failed",)), rule("all")], "all"),
        ([rule("keep", keep=True, group=("Sales",)), rule("all")], None),
        ([rule("only", direction=("inbound",), inverted=True), rule("all")], "all"),
    ],
)
def test_what_nobody_knows_leaves_nothing_out(rules: list[Rule], final: str | None) -> None:
    """Until the provider has told: a rule then leaves nothing out for it, and keeps for it."""
    assert decide(BARE, rules) is None
    assert decide(BARE, rules, final=True) == final


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress"])
def test_while_a_call_goes_on_its_status_and_duration_are_open(status: str) -> None:
    """What it comes to may be what a rule wants, so no rule leaves it out, whoever tells."""
    call = msgspec.structs.replace(TALKED, status=status, duration_s=0)
    rules = [rule(keep=True, status=("completed",)), rule("all")]
    assert decide(call, rules, final=True) is None
    assert decide(call, [rule(shorter_than=timedelta(seconds=5))], final=True) is None


_words = st.sampled_from(["", "inbound", "outbound-api"])
_facts = st.builds(
    CallFacts,
    sid=st.just(SID),
    direction=_words,
    status=st.sampled_from(["", "completed", "failed", "in-progress"]),
    exophone=st.sampled_from(["", "08047112233", "0801"]),
    group=st.sampled_from(["", "Sales", "Training"]),
    duration_s=st.one_of(st.none(), st.integers(0, 20)),
)
_some = {
    "direction": st.sampled_from([(), ("inbound",), ("outbound",)]),
    "status": st.sampled_from([(), ("completed",), ("f*", "busy")]),
    "exophone": st.sampled_from([(), ("080*",), ("0801",)]),
    "group": st.sampled_from([(), ("Sales",)]),
    "shorter_than": st.sampled_from([None, timedelta(seconds=5)]),
}
_rules = st.lists(st.builds(Rule, name=st.sampled_from("abc"), keep=st.booleans(), **_some))


@given(
    facts=_facts, blank=st.sets(st.sampled_from(["direction", "exophone", "group"])), rules=_rules
)
def test_less_knowledge_never_leaves_more_out(
    facts: CallFacts, blank: set[str], rules: list[Rule]
) -> None:
    """What is left out though something is unknown is left out by the same rule once it is known.

    When the provider has told all, perhaps by another rule, but never what would be archived.
    """
    fewer = msgspec.structs.replace(facts, **dict.fromkeys(blank, ""))
    if (name := decide(fewer, rules)) is not None:
        assert decide(facts, rules) == name
    known = all((facts.direction, facts.exophone, facts.group, facts.duration_s is not None))
    if known and facts.status and decide(fewer, rules, final=True) is not None:
        assert decide(facts, rules, final=True) is not None


@given(digits=st.text("0123456789", min_size=10, max_size=10).filter(lambda d: d[0] != "0"))
def test_a_number_is_one_however_it_is_written(digits: str) -> None:
    """With +91, 0091, 91 or a 0 before it, with spaces or without."""
    written = ["{}", "+91{}", "+91 {}", "0091{}", "91{}", "0{}"]
    assert {digits} == {national(form.format(digits)) for form in written}
    assert digits == national(f"+91-{digits[:5]} {digits[5:]}")


def test_what_is_no_number_stays_what_it_is() -> None:
    """A name, a masked number, another country's."""
    assert [national(text) for text in ("sip:Anna", "98XXXXXX12", "+15551234567")] == [
        "sip:anna",
        "98xxxxxx12",
        "15551234567",
    ]


def test_a_claimed_call_is_left_out_by_what_is_known_of_it_then() -> None:
    """Before it is asked for by the catalog, after it by the answer, and by both together."""
    rules = (rule(direction=("inbound",), group=("Training",)),)
    call = ClaimedCall(msgspec.structs.replace(BARE, group="Training"), NOW, 0, 0, 0)
    assert left_out(call, rules) is None
    assert left_out(call, rules, CallAnswer(TALKED)) == Excluded("r")
    assert left_out(call, rules, Symptom.CALL_UNKNOWN) is None
    known = msgspec.structs.replace(call, facts=TALKED)
    assert left_out(known, rules) == Excluded("r")


def test_what_is_wanted_or_kept_is_never_left_out() -> None:
    """Somebody asked for it, or the archive has a recording of it already."""
    call = ClaimedCall(TALKED, NOW, 0, 0, 0)
    assert left_out(call, [rule()]) == Excluded("r")
    wanted = msgspec.structs.replace(call, wanted=True)
    kept = msgspec.structs.replace(call, kept=(proved(SID),))
    for one in (wanted, kept):
        assert left_out(one, [rule()]) is None
        assert left_out(one, [rule()], CallAnswer(TALKED)) is None


def test_rules_may_be_of_some_accounts() -> None:
    """And what cannot be meant is told: an account that is not there, a name given twice."""
    rules = [rule("a", account=("main",)), rule("b"), rule("b", account=("lost",))]
    assert [one.name for one in rules_of("main", rules)] == ["a", "b"]
    found = [key for key, _, _ in mistakes_of(rules, {"main"})]
    assert found == ["selection 'b'.name", "selection 'b'.account"]
