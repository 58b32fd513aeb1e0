"""Which calls are wanted, and how long their recordings are kept."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.accounts import Account
from archive.call import CallFacts, State
from archive.catalog.work import Excluded
from archive.entry import TRUSTED, Entry, Standing, first_standing
from archive.retention import Kept, kept_for
from archive.selection import Rule, excluded_by, is_number_pattern, mistakes, rules_of
from archive.wire import CallAnswer
from jobs.settling import excluded
from tests.unit.books import ACCOUNT, SIDS, called
from tests.unit.test_settling import claimed

SECOND = timedelta(seconds=1)
WHOLE = called(
    SIDS[0],
    direction="outbound-dial",
    status="completed",
    from_number="+919812345678",
    to_number="08047000000",
    exophone="08047000000",
    group="Night Shift",
    duration_s=65,
)


def rule(**conditions: Any) -> Rule:  # noqa: ANN401 - of every type
    """Return a rule called by its conditions."""
    return Rule(name="the rule", **conditions)


HOLDING = [
    {},
    {"exophone": ("08047*",)},
    {"exophone": ("+918047000000",)},
    {"direction": ("outbound-*", "inbound")},
    {"status": ("COMPLETED",)},
    {"number": ("98*",)},
    {"number": ("09812345678",)},
    {"number": ("+91 98123-45678",)},
    {"number": ("8047000000",)},
    {"group": ("night*",)},
    {"shorter_than": 66 * SECOND},
    {"longer_than": 64 * SECOND},
    {"longer_than": 64 * SECOND, "shorter_than": 66 * SECOND, "status": ("completed",)},
]
FAILING = [
    {"exophone": ("08048*",)},
    {"direction": ("inbound",)},
    {"status": ("busy", "failed")},
    {"number": ("97*",)},
    {"group": ("Day",)},
    {"shorter_than": 65 * SECOND},
    {"longer_than": 65 * SECOND},
    {"status": ("completed",), "direction": ("inbound",)},
]


@pytest.mark.parametrize("conditions", HOLDING)
def test_a_rule_whose_conditions_all_hold_leaves_a_call_out(conditions: dict[str, Any]) -> None:
    """Numbers count however they are written, words in any case."""
    assert excluded_by(WHOLE, [rule(**conditions)]) == "the rule"


@pytest.mark.parametrize("conditions", FAILING)
def test_one_condition_that_does_not_hold_is_enough(conditions: dict[str, Any]) -> None:
    """Then the next rule is asked."""
    assert excluded_by(WHOLE, [rule(**conditions)]) is None
    everything = Rule(name="all else")
    assert excluded_by(WHOLE, [rule(**conditions), everything]) == "all else"


@pytest.mark.parametrize("conditions", [c for c in HOLDING + FAILING if c])
def test_what_is_unknown_excludes_nothing(conditions: dict[str, Any]) -> None:
    """Neither by the rule that cannot be answered nor by those after it."""
    everything = Rule(name="all else")
    bare = CallFacts(sid=SIDS[0])
    assert excluded_by(bare, [rule(**conditions), everything]) is None
    assert excluded_by(bare, [rule(**conditions, keep=True), everything]) is None
    going_on = msgspec.structs.replace(WHOLE, status="in-progress")
    assert excluded_by(going_on, [rule(status=("in-*",))]) is None


@pytest.mark.parametrize("conditions", [c for c in HOLDING + FAILING if c])
def test_what_even_the_provider_does_not_tell_excludes_nothing(conditions: dict[str, Any]) -> None:
    """The rule that needs it is passed over, but for one that keeps."""
    everything = Rule(name="all else")
    bare = CallFacts(sid=SIDS[0])
    assert excluded_by(bare, [rule(**conditions)], all_told=True) is None
    assert excluded_by(bare, [rule(**conditions), everything], all_told=True) == "all else"
    assert excluded_by(bare, [rule(**conditions, keep=True), everything], all_told=True) is None


def test_outbound_means_both_kinds() -> None:
    """The provider tells how a call was made; who writes a rule need not."""
    for word in ("outbound-dial", "outbound-api"):
        facts = msgspec.structs.replace(WHOLE, direction=word)
        assert excluded_by(facts, [rule(direction=("outbound",))]) == "the rule"
        assert excluded_by(facts, [rule(direction=("inbound",))]) is None


def test_only_these_is_said_by_a_rule_that_keeps_and_one_for_all_else() -> None:
    """The first rule that matches decides."""
    rules = [rule(exophone=("08047*",), keep=True), Rule(name="other lines")]
    other = msgspec.structs.replace(WHOLE, exophone="08099999999")
    assert excluded_by(WHOLE, rules) is None
    assert excluded_by(other, rules) == "other lines"


def test_a_rule_concerns_the_accounts_that_it_names() -> None:
    """Or all, if it names none."""
    rules = [rule(account=("main",)), Rule(name="of all"), Rule(name="x", account=("o*",))]
    assert [one.name for one in rules_of(rules, "main")] == ["the rule", "of all"]
    assert [one.name for one in rules_of(rules, "other")] == ["of all", "x"]


@pytest.mark.parametrize(
    ("number", "pattern", "expected"),
    [
        ("+919812345678", "98*", True),
        ("+91 098123 45678", "98*", True),
        ("919812345678", "+9198*", True),
        ("09812345678", "+91 98123-45678", True),
        ("9112345678", "91*", True),
        ("+12125550100", "+1*", True),
        ("0012125550100", "12125550100", True),
        # What is no Indian number has no country code but its own.
        ("+12125550100", "91*", False),
        ("+12125550100", "212*", False),
        ("+6561234567", "91*", False),
        ("+6561234567", "+65*", True),
        ("1800", "91*", False),
        # A bracket is a bracket, and none of a pattern's signs.
        ("9812345678", "[98]*", True),
        ("8812345678", "[98]*", False),
    ],
)
def test_a_number_is_matched_with_and_without_indias_code(
    number: str, pattern: str, *, expected: bool
) -> None:
    """However it is written; of other countries' numbers none is taken for an Indian one."""
    facts = CallFacts(sid=SIDS[0], exophone=number)
    found = excluded_by(facts, [rule(exophone=(pattern,))])
    assert expected is (found is not None)


@pytest.mark.parametrize("group", ["Sales [North]", "[a-z]*?", "a[!b]"])
def test_a_bracket_in_a_text_is_nothing_but_a_bracket(group: str) -> None:
    """A group that is called so is matched by its name: nothing is left out that is to be kept."""
    facts = CallFacts(sid=SIDS[0], group=group)
    rules = [rule(group=(group,), keep=True), Rule(name="all else")]
    assert excluded_by(facts, rules) is None
    assert excluded_by(msgspec.structs.replace(facts, group="b"), rules) == "all else"


@given(st.text("0123456789+*?-[] as:@", min_size=1, max_size=8), st.integers(10**9, 10**13))
def test_a_pattern_that_is_allowed_is_not_every_number(pattern: str, number: int) -> None:
    """Unless it is of stars and question marks alone, one number at least is not matched."""
    if not is_number_pattern(pattern) or set(pattern) <= {"*", "?"}:
        return
    numbers = [f"+{number}", "+2", "+3333", "+44444444444444", "+5555555555555555"]
    rules = [rule(exophone=(pattern,))]
    assert None in {excluded_by(CallFacts(sid=SIDS[0], exophone=one), rules) for one in numbers}


@pytest.mark.parametrize("pattern", ["0*", "00*", "+*", "-*", " *", "sip:*", "0?*", "[*]"])
def test_a_pattern_of_which_a_star_alone_would_be_left_is_none(pattern: str) -> None:
    """It would be every number, and leave out every call."""
    assert not is_number_pattern(pattern)
    assert is_number_pattern(f"{pattern}98")
    assert is_number_pattern("*")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([rule(number=("0*",))], [("selection 'the rule'.number", "0*")]),
        ([rule(exophone=("98*", "+*"))], [("selection 'the rule'.exophone", "+*")]),
        ([rule(account=("main", "mian"))], [("selection 'the rule'.account", "mian")]),
        (
            [rule(shorter_than=SECOND, longer_than=SECOND)],
            [("selection 'the rule'.longer_than", None)],
        ),
        ([rule(), rule(status=("busy",), keep=True)], [("selection 'the rule'", None)]),
        ([rule(status=("busy",), keep=True), rule()], []),
        ([rule(account=("m*",), shorter_than=2 * SECOND, longer_than=SECOND), rule()], []),
    ],
)
def test_rules_that_cannot_be_meant_are_mistakes(
    rules: list[Rule], expected: list[tuple[str, object]]
) -> None:
    """A catch-all before others, a pattern of nothing, a condition that no call can fulfil."""
    assert expected == [(key, value) for key, value, _ in mistakes(rules, ["main", "other"])]


FACTS = st.builds(
    CallFacts,
    sid=st.just(SIDS[0]),
    duration_s=st.none() | st.integers(0, 100),
    status=st.sampled_from(["", "completed", "busy"]),
    exophone=st.sampled_from(["", "08047000000", "0991"]),
    direction=st.sampled_from(["", "inbound"]),
)
RULES = st.lists(
    st.builds(
        Rule,
        name=st.sampled_from(["a", "b"]),
        keep=st.booleans(),
        status=st.sampled_from([(), ("busy",)]),
        exophone=st.sampled_from([(), ("08047*",)]),
        shorter_than=st.sampled_from([timedelta(0), 50 * SECOND]),
    ),
    max_size=4,
)


@given(FACTS, FACTS, RULES)
def test_knowing_more_never_takes_back_an_exclusion(
    less: CallFacts, more: CallFacts, rules: list[Rule]
) -> None:
    """What a rule leaves out by some facts, it leaves out by these and further ones."""
    known = {n: v for n in less.__struct_fields__ if (v := getattr(less, n)) not in {"", None}}
    both = msgspec.structs.replace(more, **known)
    rule_of_less = excluded_by(less, rules)
    assert rule_of_less is None or excluded_by(both, rules) == rule_of_less


def test_where_a_new_call_stands() -> None:
    """Left out by the account's rules or this intake's; a status counts only where asked."""
    busy = called(SIDS[0], status="busy")
    told = called(SIDS[0], status="busy", recording_urls=("https://x/y.mp3",))
    account = msgspec.structs.replace(ACCOUNT, selection=(rule(status=("busy",)),))
    trusting = Entry(trust_status=True)
    assert first_standing(busy, ACCOUNT, Entry()) is None
    assert first_standing(busy, account, Entry()) == Standing(State.EXCLUDED, "the rule")
    mine = Entry(rules=(Rule(name="mine", status=("busy",)),))
    assert first_standing(busy, ACCOUNT, mine) == Standing(State.EXCLUDED, "mine")
    assert first_standing(busy, ACCOUNT, trusting) == Standing(State.ABSENT, TRUSTED)
    assert first_standing(told, ACCOUNT, trusting) is None
    assert first_standing(called(SIDS[0]), ACCOUNT, trusting) is None


def test_the_providers_word_counts_for_the_rules_and_a_persons_word_more() -> None:
    """Before the answer by what is known, after it by both; never against a person."""
    account = msgspec.structs.replace(ACCOUNT, selection=(rule(status=("busy",)),))
    call = claimed()
    sid = call.facts.sid
    answer = CallAnswer(CallFacts(sid=sid, status="busy"))
    assert excluded([call], {}, account) == {}
    assert {sid: Excluded("the rule")} == excluded([call], {sid: answer}, account)
    assert excluded([msgspec.structs.replace(call, wanted=True)], {sid: answer}, account) == {}
    assert excluded([call], {sid: answer}, ACCOUNT) == {}


KEPT = msgspec.structs.replace(
    ACCOUNT,
    retention_days=90,
    retention=(
        Kept(days=365, exophone=("0804*",)),
        Kept(days=30, until=date(2026, 1, 31)),
        Kept(days=60, since=date(2026, 2, 1), until=date(2026, 2, 9)),
    ),
)


@pytest.mark.parametrize(
    ("began", "exophone", "days"),
    [
        ("2026-01-05", "08047", 365),
        ("2026-01-05", "0999", 30),
        ("2026-02-01", "0999", 60),
        ("2026-02-09", "0999", 60),
        ("2026-02-10", "0999", 90),
        # What is not known may be the worst of what fits.
        ("2026-01-05", "", 30),
        ("2026-02-10", "", 90),
        (None, "0999", 30),
        (None, "08047", 365),
    ],
)
def test_the_first_rule_that_fits_says_how_long_a_recording_is_kept(
    began: str | None, exophone: str, days: int
) -> None:
    """By the day of the call's start in the account's zone, both ends included."""
    # 20:00 in UTC is the next day in India.
    moment = datetime.fromisoformat(f"{began}T20:00+05:30").astimezone(UTC) if began else None
    facts = CallFacts(sid=SIDS[0], started_at=moment, exophone=exophone)
    assert timedelta(days=days) == kept_for(facts, KEPT)


def test_without_rules_the_accounts_days_count() -> None:
    """Whatever is known of the call."""
    plain = Account(name="main", sid="acme1", retention_days=45)
    assert timedelta(days=45) == kept_for(called(SIDS[0]), plain)
    assert timedelta(days=45) == kept_for(CallFacts(sid=SIDS[0]), plain)
