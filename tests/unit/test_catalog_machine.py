"""The states of calls against a model, with crashes, late finishers and lapsed leases.

The model is what the documents say: a dictionary of calls. Whatever is done in whatever order, the
catalog shows the same, the books balance, and nothing moves along an arrow that is not in
docs/architecture.md.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archive.call import State
from archive.catalog import pauses, processes, story, work
from archive.catalog.processes import Beat
from archive.timings import LEASE_S
from archive.verdicts import Absent, Again, Failed, Lost, Refresh
from tests.unit.books import ACCOUNT, NOW, SIDS, Books, called, proved

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from archive.catalog.database import Tx
    from archive.catalog.work import Outcome
    from tests.postgresql import Server

NAMES: Final = ("one", "two", "three")
MINUTE: Final = timedelta(minutes=1)
LEASE: Final = timedelta(seconds=LEASE_S)
OUTCOMES: Final[tuple[Outcome, ...]] = (
    Again("fetch-timeout", MINUTE, costs_try=True),
    Again("not-ready", MINUTE),
    Again("no-recording-yet", MINUTE, late_look=True),
    Refresh("fetch-refused", MINUTE),
    Absent("no-answer"),
    Lost("fetch-gone"),
    Failed("url-untrusted"),
)
SETTLED: Final = {Absent: State.ABSENT, Lost: State.LOST, Failed: State.FAILED}
ARROWS: Final = {
    State.EXPECTED: {State.LEASED},
    State.LEASED: {State.EXPECTED, State.ARCHIVED, State.ABSENT, State.LOST, State.FAILED},
    State.ABSENT: {State.EXPECTED},
    State.LOST: {State.EXPECTED},
    State.FAILED: {State.EXPECTED},
    State.ARCHIVED: set[State](),
}
"""What one step may do: `docs/architecture.md`, and `retry` for what was settled without one."""

sids = st.sampled_from(SIDS)
some_sids = st.lists(sids, min_size=1, max_size=4, unique=True)
names = st.sampled_from(NAMES)
# A crash before the commit undoes a write; one after it loses only the reply.
crashes = st.sampled_from(["no", "no", "no", "before", "after"])


class Crashed(Exception):  # noqa: N818 - it is an event of the test, no error of ours
    """The process ends here."""


class Catalogs(RuleBasedStateMachine):
    """Processes that come, go, stop and go on, on one catalog."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="callvault-test-"))
        self.books = Books(self.where())
        self.now = NOW
        self.calls: dict[str, State] = {}
        self.holders: dict[str, str] = {}
        self.recorded: set[str] = set()
        self.batches: dict[str, tuple[str, datetime]] = {}
        self.beats: dict[str, datetime] = {}
        self.taught: set[tuple[str, str]] = set()
        self.leases: list[str] = []
        self.paused: set[str] = set()
        self.before: dict[str, State] = {}

    def where(self) -> str | Path:
        """Return where an empty catalog is, or will be."""
        return self.folder / "catalog.db"

    def teardown(self) -> None:
        """Remove the catalog."""
        self.books.database.close()
        shutil.rmtree(self.folder)

    def write(self, crash: str, change: Callable[[Tx], object]) -> bool:
        """Do something in a transaction; return whether it is to have happened."""
        with suppress(Crashed), self.books.database.write() as tx:
            change(tx)
            if crash == "before":
                raise Crashed
        if crash != "no":
            self.books.database.close()
            self.books = Books(self.books.where)
        return crash != "before"

    # --- What processes do ------------------------------------------------------------------------

    @initialize(found=some_sids)
    def some_calls(self, found: list[str]) -> None:
        """Something is known from the beginning."""
        self.add(found)

    @rule(found=some_sids)
    def add(self, found: list[str]) -> None:
        """A source tells of calls, of known ones too."""
        self.books.add(*map(called, found), now=NOW - MINUTE)
        for sid in found:
            self.calls.setdefault(sid, State.EXPECTED)

    @rule(name=names, crash=crashes)
    def beat(self, name: str, crash: str) -> None:
        """A process says that it lives, and learns what it holds."""
        sign = Beat(
            process=name, host="h", pid=1, version="1", started_at=NOW, recordings=0, bytes=0
        )
        seen: list[frozenset[str]] = []
        if self.write(crash, lambda tx: seen.append(processes.beat(tx, sign, self.now))):
            self.beats[name] = self.now
        assert {k for k, (owner, _) in self.batches.items() if owner == name} == seen[0]

    @rule(name=names, wanted=some_sids, crash=crashes)
    def claim(self, name: str, wanted: list[str], crash: str) -> None:
        """A process begins a batch and claims its calls; doubled batches are among them."""
        lease = f"lease{len(self.leases)}"
        self.leases.append(lease)
        got: list[str] = []

        def begin(tx: Tx) -> None:
            work.begin_batch(tx, lease=lease, process=name, job_id=lease, now=self.now)
            found = work.claim(tx, account="main", sids=wanted, lease=lease)
            got.extend(call.facts.sid for call in found)

        happened = self.write(crash, begin)
        free = {sid for sid in wanted if self.calls.get(sid) is State.EXPECTED}
        assert free == set(got)
        if happened:
            self.batches[lease] = (name, self.now)
            self.calls |= dict.fromkeys(free, State.LEASED)
            self.holders |= dict.fromkeys(free, lease)

    def holds(self, lease: str, sid: str) -> bool:
        """Tell whether a lease still holds a call."""
        return self.holders.get(sid) == lease

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), sid=sids, outcome=st.sampled_from(OUTCOMES), crash=crashes)
    def settle(self, data: st.DataObject, sid: str, outcome: Outcome, crash: str) -> None:
        """Any lease of old or now settles any call: it changes only what it holds."""
        lease = data.draw(st.sampled_from(self.leases))
        changed: list[int] = []
        happened = self.write(
            crash,
            lambda tx: changed.append(
                work.settle(tx, [(sid, outcome)], lease=lease, account="main", now=self.now)
            ),
        )
        assert changed == [int(self.holds(lease, sid))]
        if happened and self.holds(lease, sid):
            self.calls[sid] = SETTLED.get(type(outcome), State.EXPECTED)
            del self.holders[sid]

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), sid=sids, crash=crashes)
    def archive(self, data: st.DataObject, sid: str, crash: str) -> None:
        """Any lease brings a recording: it counts only where the lease holds."""
        lease = data.draw(st.sampled_from(self.leases))
        kept: list[list[str]] = []
        happened = self.write(crash, lambda tx: kept.append(self.bring(tx, sid, lease)))
        assert kept == [[sid] if self.holds(lease, sid) else []]
        if happened and self.holds(lease, sid):
            self.calls[sid] = State.ARCHIVED
            self.recorded.add(sid)
            del self.holders[sid]

    def bring(self, tx: Tx, sid: str, lease: str) -> list[str]:
        """Note a recording as proved; return the Sids that it counted for."""
        find = work.Find(sid=sid, proofs=(proved(sid),))
        return work.archive(tx, [find], lease=lease, account="main", now=self.now)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), sid=sids)
    def learn(self, data: st.DataObject, sid: str) -> None:
        """What the provider says is kept from who holds the call, and moves nothing."""
        lease = data.draw(st.sampled_from(self.leases))
        facts, word = called(sid, status=f"of-{lease}"), f"of-{lease}"
        with self.books.database.write() as tx:
            work.learn(tx, [facts], lease=lease, account=ACCOUNT, now=self.now)
        if sid in self.calls:
            said = self.books.row(sid)["status"] == word
            assert said or not self.holds(lease, sid)
            self.learnt_by(sid, lease, said=said)

    def learnt_by(self, sid: str, lease: str, *, said: bool) -> None:
        """Check that a stale lease taught nothing that it had not taught while it held."""
        if self.holds(lease, sid):
            self.taught.add((sid, lease))
        assert not said or (sid, lease) in self.taught

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), crash=crashes, off=st.booleans())
    def end(self, data: st.DataObject, crash: str, *, off: bool) -> None:
        """A batch ends, is put off, or ends a second time: what it holds is given back."""
        lease = data.draw(st.sampled_from(self.leases))
        held = [sid for sid, holder in self.holders.items() if holder == lease]
        returned: list[int] = []

        def give_back(tx: Tx) -> None:
            if off:
                returned.append(work.put_off(tx, lease=lease, until=self.now + MINUTE))
            returned.append(work.end_batch(tx, lease=lease))

        if self.write(crash, give_back):
            self.forget(lease)
        assert returned == ([len(held), 0] if off else [len(held)])

    def forget(self, lease: str) -> None:
        """Let the model's batch end."""
        self.batches.pop(lease, None)
        for sid in [sid for sid, holder in self.holders.items() if holder == lease]:
            del self.holders[sid]
            self.calls[sid] = State.EXPECTED

    # --- What happens to them ---------------------------------------------------------------------

    @rule(seconds=st.integers(1, 2 * LEASE_S))
    def time_goes_on(self, seconds: int) -> None:
        """Leases lapse of those that do not beat."""
        self.now += timedelta(seconds=seconds)

    @rule(name=names, crash=crashes)
    def retire(self, name: str, crash: str) -> None:
        """A process is known to have ended; one that goes on all the same beats anew."""
        if self.write(crash, lambda tx: processes.retire(tx, name, self.now)) and (
            name in self.beats
        ):
            self.beats[name] = min(self.beats[name], self.now - LEASE - MINUTE / 60)

    @rule(crash=crashes)
    def rescue(self, crash: str) -> None:
        """What the dead hold is given back, and nothing of the living."""
        dead = {
            lease
            for lease, (name, begun) in self.batches.items()
            if self.now - self.beats.get(name, begun) > LEASE
        }
        found: list[processes.DeadBatch] = []
        happened = self.write(crash, lambda tx: found.extend(processes.rescue(tx, self.now)))
        assert dead == {batch.lease for batch in found}
        for lease in dead if happened else ():
            self.forget(lease)

    @rule(states=st.sets(st.sampled_from([State.ABSENT, State.LOST, State.FAILED]), min_size=1))
    def retry(self, states: set[State]) -> None:
        """A person has calls looked at once more."""
        with self.books.database.write() as tx:
            story.put_back(
                tx,
                accounts=["main"],
                states=states,
                reason=None,
                day=None,
                sids=None,
                now=self.now,
            )
        for sid, state in self.calls.items():
            if state in states:
                self.calls[sid] = State.EXPECTED

    @rule(scope=st.sampled_from(["all", "account:main", "host:h"]), lift=st.booleans())
    def pause(self, scope: str, *, lift: bool) -> None:
        """Work is held up, or let go on: no call moves for that."""
        with self.books.database.write() as tx:
            if lift:
                assert pauses.lift(tx, scope) == (scope in self.paused)
            else:
                pauses.pause_by_operator(tx, scope, why="a test", now=self.now)
        (self.paused.discard if lift else self.paused.add)(scope)

    # --- What holds always ------------------------------------------------------------------------

    @invariant()
    def the_catalog_is_as_the_model(self) -> None:
        """Every call in its state, with its holder, and recordings for what is archived."""
        rows = self.books.sql("SELECT sid, state, lease FROM calls")
        states = {row["sid"]: State(row["state"]) for row in rows}
        assert self.calls == states
        assert self.holders == {row["sid"]: row["lease"] for row in rows if row["lease"]}
        recorded = {row["sid"] for row in self.books.sql("SELECT sid FROM recordings")}
        assert self.recorded == recorded
        assert {sid for sid, state in states.items() if state is State.ARCHIVED} == recorded
        assert set(self.batches) == {
            r["lease"] for r in self.books.sql("SELECT lease FROM batches")
        }
        assert self.paused == {r["scope"] for r in self.books.sql("SELECT scope FROM pauses")}

    @invariant()
    def the_books_balance(self) -> None:
        """Known is what is in some state; nobody holds a call without a batch."""
        assert self.books.balance().faults == []
        assert set(self.holders.values()) <= set(self.batches)

    @invariant()
    def calls_move_along_arrows(self) -> None:
        """Each step takes a call along one arrow at most."""
        for sid, state in self.calls.items():
            before = self.before.get(sid, State.EXPECTED)
            assert state is before or state in ARROWS[before], (sid, before, state)
        self.before = dict(self.calls)


Catalogs.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCatalogs = Catalogs.TestCase


def test_processes_on_a_catalog_on_a_server(postgresql: Server) -> None:
    """The same of PostgreSQL."""

    class OnServer(Catalogs):
        def where(self) -> str | Path:
            return postgresql.emptied()

    bounds = settings(max_examples=10, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(OnServer, settings=bounds)
