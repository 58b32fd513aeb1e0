"""``callvault explain``: the story of a call in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.call import CallFacts, Source
from archive.catalog import pauses, story, work
from archive.catalog.candidates import Candidate
from archive.errors import Exit, InputError
from archive.flags import FLAGS, flag_meaning
from archive.verdicts import Absent, Again, Failed, Lost
from tests.unit.books import NOW, OTHER, SIDS, called, proved
from tests.unit.terminal import TWO_ACCOUNTS, Terminal
from worker.commands.explain import tell

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from archive.catalog.work import Outcome
    from tests.unit.books import Books

IST = ZoneInfo("Asia/Kolkata")
SID = SIDS[0]
MINUTE = timedelta(minutes=1)
KEPT = timedelta(days=90)
HEAD = f"""Call {SID} of main
  began 2026-02-09 17:30:00, completed, 65 s
Seen
  2026-02-10 17:30:00  by cdr
"""


def look(books: Books, outcome: Outcome, now: datetime, *, detail: str = "") -> None:
    """Claim the call and settle it so."""
    books.claim(SID, lease=f"{now}", now=now)
    with books.database.write() as tx:
        work.settle(tx, [(SID, outcome)], lease=f"{now}", account="main", now=now, detail=detail)
        work.end_batch(tx, lease=f"{now}")


def told(books: Books, now: datetime = NOW) -> str:
    """Return the story as it is told at a time."""
    with books.database.read() as tx:
        found = story.read_story(tx, "main", SID)
        held = pauses.pauses(tx)
    assert found is not None
    return "".join(f"{line}\n" for line in tell(found, held, now, IST, keep_looks=KEPT))


@pytest.fixture
def archived(books: Books) -> Books:
    """A call that was not ready twice and then archived."""
    books.add(called(SID))
    for minute in (1, 3):
        look(books, Again("not-ready", after=2 * MINUTE), NOW + minute * MINUTE)
    books.claim(SID)
    with books.database.write() as tx:
        finds = [work.Find(sid=SID, proofs=(proved(SID),))]
        work.archive(tx, finds, lease="lease", account="main", now=NOW + 5 * MINUTE)
    return books


def test_a_call_that_was_not_ready_twice_and_then_archived(
    archived: Books, terminal: Terminal
) -> None:
    """Each look has its time in the account's zone; the recording its place, size and digest."""
    expected = f"""{HEAD}Looked at
  2026-02-10 17:31:00  the provider was still processing the recording
  2026-02-10 17:33:00  the provider was still processing the recording
  2026-02-10 17:35:00  archived
Stands
  It is archived.
  main/2026/02/09/17/{SID}.mp3  1.0 kB, sha256 {"ab" * 32}
Next
  Nothing: this is settled.
"""
    assert expected == told(archived)
    assert expected == terminal.says("explain", SID)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_told_with_what_it_means(books: Books, terminal: Terminal, flag: str) -> None:
    """Below the recording that has it; as JSON it is a field of the recording."""
    books.add(called(SID))
    books.claim(SID)
    odd = msgspec.structs.replace(proved(SID), flag=flag)
    with books.database.write() as tx:
        work.archive(
            tx, [work.Find(sid=SID, proofs=(odd,))], lease="lease", account="main", now=NOW
        )
    assert f"    flagged {flag}: {FLAGS[flag]}\n" in terminal.says("explain", SID)
    (kept,) = terminal.tells("explain", SID)["recordings"]
    assert flag == kept["flag"]


@given(st.text(max_size=40).filter(lambda text: text not in FLAGS))
def test_an_unknown_flag_means_itself(flag: str) -> None:
    """A newer callvault may have written it."""
    assert flag == flag_meaning(flag)


def test_as_json_a_story_is_all_that_the_catalog_knows(archived: Books, terminal: Terminal) -> None:
    """In one line; times are in UTC."""
    archived.add(called(SID), source=Source.LISTING, now=NOW + MINUTE)
    document = terminal.tells("explain", SID)
    assert (document["account"], document["state"], document["tries"]) == ("main", "archived", 0)
    assert document["facts"]["sid"] == SID
    assert document["delete_by"] == "2026-03-11T12:00:00Z"
    assert [(seen["source"], seen["at"]) for seen in document["sightings"]] == [
        ("cdr", "2026-02-10T12:00:00Z"),
        ("listing", "2026-02-10T12:01:00Z"),
    ]
    assert [(entry["state"], entry["reason"]) for entry in document["looks"]] == [
        ("expected", "not-ready"),
        ("expected", "not-ready"),
        ("archived", ""),
    ]
    (kept,) = document["recordings"]
    assert (kept["path"], kept["bytes"]) == (f"main/2026/02/09/17/{SID}.mp3", 1000)


def test_a_call_that_failed(books: Books, terminal: Terminal) -> None:
    """The words of whoever refused, what a person can do, and how to have it tried again."""
    books.add(called(SID))
    look(books, Failed("body-not-audio"), NOW, detail="it begins like html")
    expected = f"""{HEAD}Looked at
  2026-02-10 17:30:00  what came in the recording's place is no audio (it begins like html)
Stands
  It was given up and needs a person: what came in the recording's place is no audio.
Next
  You can look at what came: it is kept in .quarantine.
  To have it tried again: callvault retry {SID}
"""
    assert expected == told(books)
    assert expected == terminal.says("explain", SID)


@pytest.mark.parametrize(
    ("outcome", "stands"),
    [
        (
            Absent("no-answer"),
            "There never was a recording: nobody answered the call, so nothing was recorded.",
        ),
        (
            Lost("call-out-of-history"),
            (
                "There was a recording, and the provider no longer has it: "
                "the call is older than the six months the provider remembers."
            ),
        ),
    ],
)
def test_a_call_that_is_settled_without_a_recording(
    books: Books, outcome: Outcome, stands: str
) -> None:
    """It can be tried again; where nothing else can be done nothing is made up."""
    books.add(called(SID))
    look(books, outcome, NOW)
    _, _, after = told(books).partition("Stands\n")
    assert (
        f"""  {stands}
Next
  To have it tried again: callvault retry {SID}
"""
        == after
    )


@pytest.mark.parametrize(
    ("scopes", "shown", "moment"),
    [
        (["all"], ["all"], "when the pause is lifted"),
        (["account:main"], ["account:main"], "when the pause is lifted"),
        (
            ["host:here"],
            ["host:here"],
            "when the pause is lifted, or before that by the workers of another host",
        ),
        (["account:other"], [], "now, by any worker"),
        (["all", "host:here"], ["all", "host:here"], "when the pauses are lifted"),
    ],
)
def test_a_call_that_is_held_up(
    books: Books, scopes: list[str], shown: list[str], moment: str
) -> None:
    """By a pause of everything, of its account or of a host, and no other account's.

    Nothing looks at it before that is lifted.
    """
    books.add(called(SID))
    with books.database.write() as tx:
        for scope in scopes:
            pauses.pause_by_operator(tx, scope, why="moving the disks", now=NOW)
    held = "".join(
        f"  Held up: {scope} is paused: operator (moving the disks).\n" for scope in shown
    )
    assert f"""{HEAD}Stands
  It is still to be archived.
Next
{held}  It is looked at {moment}.
  The provider deletes it on 2026-03-11 17:30:00, in 29 days.
""" == told(books)


def test_a_call_that_is_held_up_before_it_is_due(books: Books) -> None:
    """Its time is told, and that a pause may outlast it."""
    books.add(called(SID))
    look(books, Again("not-ready", after=3 * MINUTE), NOW)
    with books.database.write() as tx:
        pauses.pause_by_operator(tx, pauses.ALL, why="moving the disks", now=NOW)
    expected = "  It is looked at again 2026-02-10 17:33:00, unless the pause still stands then.\n"
    assert expected in told(books)


@pytest.mark.parametrize(
    ("now", "moment", "left"),
    [
        (NOW, "2026-02-10 17:33:00", ", in 29 days"),
        (NOW + 28 * timedelta(days=1), "now, by any worker", ", in 1 days"),
        (NOW + timedelta(days=28, hours=21), "now, by any worker", ", in 3 hours"),
        (NOW + timedelta(days=29, seconds=1), "now, by any worker", ", which has passed"),
    ],
)
def test_what_is_still_to_be_archived_says_when_and_until_when(
    books: Books, now: datetime, moment: str, left: str
) -> None:
    """When it is looked at next, and how long the provider keeps the recording."""
    books.add(called(SID))
    look(books, Again("not-ready", after=3 * MINUTE), NOW)
    _, _, after = told(books, now).partition("Stands\n")
    assert (
        f"""  It is still to be archived: the provider was still processing the recording.
Next
  It is looked at again {moment}.
  The provider deletes it on 2026-03-11 17:30:00{left}.
"""
        == after
    )


def test_a_call_in_work_says_who_settles_it(books: Books, terminal: Terminal) -> None:
    """And what happens if that dies."""
    books.add(CallFacts(sid=SID))
    books.claim(SID)
    said = terminal.says("explain", SID)
    assert "  began an unknown time\n" in said
    assert "  A worker has it in hand.\n" in said
    assert "silent for 45 s" in said


def test_a_sid_of_several_accounts_needs_the_accounts_name(tmp_path: Path, books: Books) -> None:
    """The message names them; each has its own story."""
    terminal = Terminal(tmp_path, TWO_ACCOUNTS)
    books.add(called(SID), called(SIDS[1]))
    books.add(called(SID), account=OTHER)
    error = terminal.refuses("explain", SID)
    assert error.message == f"{SID} is known in several accounts (main, other)"
    assert "--account" in error.hint
    assert f"Call {SID} of other\n" in terminal.says("explain", SID, "--account", "other")
    assert f"Call {SIDS[1]} of main\n" in terminal.says("explain", SIDS[1])
    assert "use: main, other" in terminal.refuses("explain", SID, "--account", "third").hint


def test_a_call_of_an_account_that_is_no_longer_in_the_settings(
    books: Books, terminal: Terminal
) -> None:
    """The catalog still tells its story, in the machine's zone."""
    books.add(called(SID), account=OTHER)
    assert f"Call {SID} of other\n" in terminal.says("explain", SID)


@pytest.mark.parametrize("sid", [SID, "no sid at all", "\x1b[2J", "x" * 500])
def test_a_call_that_is_not_known(books: Books, terminal: Terminal, sid: str) -> None:
    """Whatever was typed is shown without harm, with the way to make a call known."""
    books.add(called(SIDS[1]))
    error = terminal.refuses("explain", sid)
    assert isinstance(error, InputError)
    assert error.exit_code is Exit.USAGE
    assert error.message.isprintable()
    assert len(error.message) < 120
    assert "callvault enqueue sids" in error.hint


def test_recordings_that_a_source_told_of_are_named(books: Books) -> None:
    """Those that are not here, and those that turned out to be another's bytes."""
    base = "https://recordings.exotel.com/exotelrecordings/acme1"
    names = [f"{SID}.mp3", "second.mp3", "third.mp3"]
    facts = called(SID, recording_urls=tuple(f"{base}/{name}" for name in names))
    books.add(facts)
    books.claim(SID)
    same = Candidate("third.mp3", f"{base}/third.mp3", same_as=names[0])
    find = work.Find(sid=SID, proofs=(proved(SID),), same=(same,), outcome=Lost("fetch-gone"))
    books.found(find)
    text = told(books)
    assert "  second.mp3, told of by cdr on 2026-02-10 17:30:00, is not here\n" in text
    assert f"  third.mp3, told of by cdr on 2026-02-10 17:30:00, has the bytes of {SID}.mp3" in text
    assert f"  {names[0]}, told" not in text
