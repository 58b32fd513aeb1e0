"""Faults: which answer gets which, what is remembered, and how rules are read."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import fault_json, faults
from sandbox.access import Signer
from sandbox.answers import Answer, Ask, Endpoint, Extract, json_answer
from sandbox.audio import mp3
from sandbox.calls import Mix, Provider
from sandbox.fault_book import MOST_RULES, Book, Ledger, TooManyRulesError
from sandbox.faults import API, HOSTS, TRAITS, FaultKind, Rule, Standing, Turn
from sandbox.rows import Links, UrlMode
from sandbox.spoilt_json import World

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROVIDER = Provider(
    calls=300,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=UTC,
    launched=NOW,
    mix=Mix.CLEAN,
)
LINKS = Links("rec:1", "store:2", UrlMode.PRIVATE, Signer("secret"))
WORLD = World(PROVIDER, LINKS)
SIDS = [PROVIDER.sid(index) for index in range(PROVIDER.calls)]
AUDIO = mp3("seed", 3, 100)
GOOD = Answer(HTTPStatus.OK, {"Content-Type": "audio/mpeg"}, extract=Extract(AUDIO, 0, AUDIO.size))


def row(sid: str) -> dict[str, object]:
    """Give a call with its URL."""
    return {"Sid": sid, "Status": "completed", "RecordingUrl": f"http://rec:1/{sid}.mp3"}


def call_ask(sid: str) -> tuple[Ask, Answer]:
    """Ask for one call; give what is right."""
    return Ask(Endpoint.CALL, "sandbox1", sid), json_answer({"Call": row(sid)})


def list_ask(*sids: str) -> tuple[Ask, Answer]:
    """Ask for several calls; give what is right."""
    ask = Ask(Endpoint.LISTING, "sandbox1", query={"Sid": ",".join(sids)})
    return ask, json_answer({"Metadata": {}, "Calls": [row(sid) for sid in sids]})


def recording_ask(sid: str) -> tuple[Ask, Answer]:
    """Ask for a recording; give what is right."""
    return Ask(Endpoint.RECORDING, "sandbox1", f"{sid}.mp3", host="rec:1", path="/x"), GOOD


def book(*rules: Rule) -> Book:
    """Give a book with these rules."""
    return Book(WORLD, rules, NOW)


def test_without_rules_every_answer_is_itself() -> None:
    """Nothing is spoilt, copied or remembered where no rule was given."""
    for ask, answer in (call_ask(SIDS[0]), list_ask(*SIDS[:3]), recording_ask(SIDS[0])):
        told, kind = book().spoil(ask, answer, NOW)
        assert told is answer
        assert kind is None


def test_a_share_of_all_answers_goes_wrong_in_every_way() -> None:
    """By default a fifth means a fifth, and every kind that a client recovers from occurs."""
    spoilt = Counter[FaultKind]()
    asked = 0
    rule = Rule(share=0.2, seed="x", in_row=3)
    keeper = book(rule)
    for sid in SIDS:
        for ask, answer in (call_ask(sid), list_ask(sid), recording_ask(sid)):
            for _ in range(5):
                asked += 1
                kind = keeper.spoil(ask, answer, NOW)[1]
                spoilt.update([kind] if kind else [])
    assert 0.17 < sum(spoilt.values()) / asked < 0.21
    recoverable = {kind for kind in FaultKind if TRAITS[kind].recoverable & TRAITS[kind].where}
    # These two need calls that are not ready, and presigned URLs.
    expected = recoverable - {FaultKind.EARLY_URL, FaultKind.DEAD_URL}
    assert expected == spoilt.keys()


def test_what_is_believed_is_not_drawn() -> None:
    """The default mix never says what a client should take for final, nor hides a wrong body."""
    mix = Rule(share=1).mix
    final = {FaultKind.PAYMENT, FaultKind.KYC, FaultKind.BAD_IP, FaultKind.OUTAGE}
    for endpoint in API:
        beyond = final | {FaultKind.UNAUTHORISED, FaultKind.NOT_FOUND}
        assert beyond.isdisjoint(mix[endpoint])
    for endpoint in HOSTS:
        assert (final | {FaultKind.CUT, FaultKind.FLIPPED_SIGNED}).isdisjoint(mix[endpoint])
    assert FaultKind.UNAUTHORISED in mix[Endpoint.RECORDING]


@settings(deadline=None)
@given(st.text(max_size=8), st.integers(0, 299), st.floats(0.01, 1), st.integers(1, 4))
def test_asking_again_gets_through(seed: str, index: int, share: float, in_row: int) -> None:
    """Whatever the seed and the share, no object is spoilt more often than so in a row."""
    keeper = book(Rule(share=share, seed=seed, in_row=in_row))
    ask, answer = recording_ask(SIDS[index])
    told = [keeper.spoil(ask, answer, NOW)[1] for _ in range(3 * (in_row + 1))]
    runs = "".join("x" if kind else " " for kind in told).split()
    assert in_row >= max(map(len, runs), default=0)


@settings(deadline=None)
@given(st.permutations(range(20)))
def test_what_goes_wrong_does_not_depend_on_the_order(order: list[int]) -> None:
    """Each object has its own fate, whoever else is asked for before it."""
    rule = Rule(share=0.5, seed="y", in_row=3)
    straight, mixed = book(rule), book(rule)
    expected = {i: straight.spoil(*recording_ask(SIDS[i]), NOW)[1] for i in range(20)}
    actual = {i: mixed.spoil(*recording_ask(SIDS[i]), NOW)[1] for i in order}
    assert expected == actual


def test_seeds_and_rules_are_independent() -> None:
    """Another seed, and another rule with the same seed, spoil other answers."""
    rules = [
        Rule((FaultKind.HTML,), share=0.5, seed="a"),
        Rule((FaultKind.HTML,), share=0.5, seed="b"),
        Rule((FaultKind.EMPTY,), share=0.5, seed="a"),
    ]
    keepers = [book(rule) for rule in rules]
    fates = [tuple(k.spoil(*recording_ask(s), NOW)[1] is None for s in SIDS) for k in keepers]
    assert len(rules) == len(set(fates))


def test_the_first_sid_of_a_list_decides() -> None:
    """The same Sids in another order are the same thing to ask for."""
    rule = Rule((FaultKind.HTML,), share=0.5, seed="z")
    for at in range(0, 40, 4):
        sids = SIDS[at : at + 4]
        fates = [book(rule).spoil(*list_ask(*turned), NOW)[1] for turned in (sids, sids[::-1])]
        assert fates[0] == fates[1]


def test_what_misleads_comes_once() -> None:
    """A 404 by chance never follows on a fault, and no call is left out or blanked twice."""
    keeper = book(Rule((FaultKind.NOT_FOUND,), share=1, in_row=3))
    fates = [keeper.spoil(*recording_ask(SIDS[0]), NOW)[1] for _ in range(4)]
    gone = FaultKind.NOT_FOUND
    assert [gone, None, gone, None] == fates
    kinds = (FaultKind.NULL_URL, FaultKind.LEAVE_OUT)
    keeper = book(Rule(kinds, share=1, in_row=3, parameters={"rows": 1.0}))
    asks = [list_ask(*SIDS[:5]), call_ask(SIDS[0]), list_ask(*SIDS[:5])] * 3
    assert sum(keeper.spoil(*ask, NOW)[1] is not None for ask in asks) == 1


def test_only_lists_of_sids_lose_calls_by_chance() -> None:
    """Of a range of dates nobody knows what is missing: nothing is, unless a rule insists."""
    _, answer = list_ask(*SIDS[:3])
    ask = Ask(Endpoint.LISTING, "sandbox1")
    rule = Rule((FaultKind.LEAVE_OUT,), parameters={"rows": 1.0})
    assert book(replace(rule, in_row=3)).spoil(ask, answer, NOW)[1] is None
    told, _ = book(rule).spoil(ask, answer, NOW)
    assert json.loads(told.body)["Calls"] == []


def test_misplaced_credentials_stay_noticed() -> None:
    """Whatever an answer is replaced by, that it was asked for wrongly is counted."""
    ask, answer = recording_ask(SIDS[0])
    for kind in FaultKind:
        told, _ = book(Rule((kind,))).spoil(ask, replace(answer, misplaced=True), NOW)
        assert told.misplaced


@pytest.mark.parametrize("kind", [k for k in FaultKind if TRAITS[k].needs.name != "ANYTHING"])
def test_errors_stay_errors(kind: FaultKind) -> None:
    """What alters a body leaves answers alone that are errors already."""
    refused = json_answer({"RestException": {}}, HTTPStatus.NOT_FOUND)
    for ask in (call_ask(SIDS[0])[0], recording_ask(SIDS[0])[0]):
        assert (refused, None) == book(Rule((kind,))).spoil(ask, refused, NOW)


@pytest.mark.parametrize(
    ("expected", "seconds"), [(False, 0), (False, 4.9), (True, 5), (True, 14.9), (False, 15)]
)
def test_a_rule_has_its_time(expected: bool, seconds: float) -> None:  # noqa: FBT001
    """A rule holds from ``after`` on, for as long as it says."""
    keeper = book(Rule((FaultKind.OUTAGE,), after=5, seconds=10))
    later = NOW + timedelta(seconds=seconds)
    assert expected is (keeper.spoil(*call_ask(SIDS[0]), later)[1] is FaultKind.OUTAGE)


def test_the_latest_rule_comes_first() -> None:
    """Rules that are added win over those that are there; of one addition the first wins."""
    keeper = book(Rule((FaultKind.HTML,)))
    keeper.add([Rule((FaultKind.EMPTY,), times=1), Rule((FaultKind.XML,), times=1)], NOW)
    fates = [keeper.spoil(*call_ask(SIDS[0]), NOW)[1] for _ in range(3)]
    assert fates == [FaultKind.EMPTY, FaultKind.XML, FaultKind.HTML]


def test_a_fault_that_does_not_show_is_not_counted() -> None:
    """A rule for one time waits for an answer in which it shows."""
    keeper = book(Rule((FaultKind.EARLY_URL,), times=1))
    assert keeper.spoil(*call_ask(SIDS[0]), NOW)[1] is None
    assert keeper.shown(NOW)["fired"] == {}


def test_the_number_of_rules_is_bounded() -> None:
    """Rules that are over make room; beyond a thousand in force none is taken."""
    keeper = book(*[Rule((FaultKind.HTML,), seconds=5)] * MOST_RULES)
    with pytest.raises(TooManyRulesError):
        keeper.add([Rule((FaultKind.HTML,))], NOW)
    assert keeper.add([Rule((FaultKind.HTML,))], NOW + timedelta(seconds=5)) == [MOST_RULES + 1]


def test_the_memory_is_bounded_and_what_is_forgotten_begins_elsewhere() -> None:
    """Of any number of things two tables' worth are remembered; counts go on, not back to 0."""
    ledger = Ledger(limit=10)
    for number in range(1_000):
        ledger.note(str(number), spoilt=True)
        assert len(ledger) <= 20
    assert (ledger.look("999")[1], ledger.look("0")[0] > 0) == (1, True)
    ledger.note("999", spoilt=False)
    assert ledger.look("999")[1] == 0


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(FaultKind), st.sampled_from(sorted(API | HOSTS)))
def test_no_draw_is_without_an_answer(draw: bytes, kind: FaultKind, endpoint: Endpoint) -> None:
    """Whatever is drawn, every kind makes an answer at every place where it exists."""
    asks: dict[Endpoint, Callable[[str], tuple[Ask, Answer]]] = {
        Endpoint.CALL: call_ask,
        Endpoint.LISTING: list_ask,
    }
    ask, answer = asks.get(endpoint, recording_ask)(SIDS[0])
    ask = replace(ask, endpoint=endpoint)
    small = {"bytes": 10.0} if "bytes" in TRAITS[kind].parameters else {}
    rule = Rule((kind,), seed=draw.hex(), parameters=small)
    told, fired = book(rule).spoil(ask, answer, NOW)
    nothing_to_show = kind in {FaultKind.EARLY_URL, FaultKind.DEAD_URL}
    shows = endpoint in TRAITS[kind].where and not nothing_to_show
    if kind in faults.ROW_KINDS and endpoint is Endpoint.LISTING and fired is None:
        shows = False
    assert (kind if shows else None) == fired
    assert shows is (told is not answer)


def test_deciding_is_pure() -> None:
    """The same turn is decided alike as often as it is asked."""
    ask, answer = recording_ask(SIDS[0])
    standing = [Standing(1, Rule(share=0.5, seed="p", in_row=3), NOW)]
    for asked in range(20):
        turn = Turn("recording/x", asked=asked)
        decided = [faults.decide(standing, ask, answer, turn, NOW) for _ in range(2)]
        assert decided[0] == decided[1]


def test_rules_are_read_with_their_defaults() -> None:
    """A rule by chance has mercy, one that names a kind and no share has none."""
    given = [{"kind": "html"}, {"share": 0.5}, {"kind": ["html", "xml"], "share": 0.5, "sid": "a"}]
    sure, mixed, two = fault_json.read({"rules": given})
    assert Rule((FaultKind.HTML,)) == sure
    assert Rule(share=0.5, in_row=3) == mixed
    expected = Rule((FaultKind.HTML, FaultKind.XML), share=0.5, in_row=3, sids=frozenset("a"))
    assert expected == two
    assert [sure] == fault_json.read({"kind": "html"})
    (stubborn,) = fault_json.read({"share": 0.5, "in_row": None, "where": "hosts"})
    assert Rule(share=0.5, where=HOSTS) == stubborn


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["kind", "where", "sid", "share", "times", "seconds", "after", "in_row", "seed", "parameters"]
)


@settings(deadline=None)
@given(_JSON | st.dictionaries(_KEYS, _JSON | st.sampled_from(["html", "api"])))
def test_any_json_is_read_or_refused(document: object) -> None:
    """Whatever JSON is given, it is rules or one error, and rules can be applied."""
    try:
        rules = fault_json.read(document)
    except fault_json.RuleError:
        return
    keeper = book(*rules)
    keeper.spoil(*call_ask(SIDS[0]), NOW)
    json.dumps(keeper.shown(NOW))


def test_every_kind_is_documented() -> None:
    """The reference has a row for each kind, and names each parameter."""
    rows = Path(__file__).parents[2].joinpath("docs/sandbox.md").read_text(encoding="utf-8")
    for kind, trait in TRAITS.items():
        (line,) = [
            x for x in rows.splitlines() if f"`{kind}`" in x.partition("|")[2].partition("|")[0]
        ]
        assert all(f"`{name}`" in line for name in trait.parameters)
