"""Calls that a rule leaves out: known, counted, told of, and taken back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from archive import manifest
from archive.call import CallFacts, Source, State
from archive.catalog import adopt, dayfiles
from archive.catalog.intake import BY_STATUS, add_calls
from archive.errors import InputError
from archive.readiness import Readiness
from archive.selection import Rule
from jobs.intake import Desk
from tests.unit.books import ACCOUNT, NOW, SIDS, called
from tests.unit.terminal import SETTINGS, Terminal
from worker.commands.choosing import narrowed
from worker.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from archive.accounts import Account
    from jobs.cdr import Rejected
    from tests.unit.books import Books

RULE = "training line"
LEAVES = msgspec.structs.replace(ACCOUNT, selection=(Rule(name=RULE, direction=("inbound",)),))
IN, OUT = {"direction": "inbound"}, {"direction": "outbound-api"}


def desk(books: Books, account: Account = LEAVES, **kind: bool) -> Desk:
    """Return a desk on the books' catalog."""
    return Desk(
        database=books.database,
        account=account,
        readiness=Readiness(),
        clock=lambda: NOW,
        dry_run=kind.get("dry_run", False),
        trust_status=kind.get("trust_status", False),
    )


def test_a_call_is_left_out_as_it_becomes_known(books: Books) -> None:
    """It has its sighting, counts in the balance with its rule, and is no work; others are."""
    came = books.add(
        called(SIDS[0], **IN), called(SIDS[1], **OUT), CallFacts(sid=SIDS[2]), account=LEAVES
    )
    assert (came.new, came.known, came.excluded) == (3, 0, 1)
    again = books.add(called(SIDS[0], **IN), called(SIDS[1], **IN), account=LEAVES)
    assert (again.new, again.known, again.excluded) == (0, 2, 0)
    counted = books.balance()
    assert counted.states[State.EXCLUDED] == 1
    assert counted.reasons[State.EXCLUDED] == {RULE: 1}
    assert (counted.known, counted.unsettled, counted.faults) == (3, 2, [])
    assert books.claim(SIDS[0]) == []


def test_a_dry_run_counts_what_would_be_left_out(books: Books) -> None:
    """As the intake after it does: neither what is known by then, nor what is named twice."""
    books.add(called(SIDS[0], **IN))
    calls = [called(sid, **IN) for sid in SIDS[:3]] + [
        called(SIDS[2], **IN),
        called(SIDS[3], **OUT),
    ]
    tried = desk(books, dry_run=True).take(calls, Source.CDR)
    done = desk(books).take(calls, Source.CDR)
    assert (tried.new, tried.known, tried.excluded) == (3, 2, 2)
    assert (done.new, done.known, done.excluded) == (3, 2, 2)


def nothing_rejected(row: Rejected) -> None:
    """Fail."""
    raise AssertionError(row)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"status": "no-answer"}, "absent"),
        ({"status": "completed", "leg2_status": "busy"}, "absent"),
        ({"status": "completed", "talk_s": 0}, "absent"),
        ({"status": "completed", "talk_s": 9}, "expected"),
        ({"status": "in-progress", "talk_s": 0}, "expected"),
        ({"status": "completed", "duration_s": 2}, "expected"),
        ({"status": "failed", "recording_urls": ("https://x/y.mp3",)}, "expected"),
        ({"status": ""}, "expected"),
    ],
)
def test_a_status_settles_a_call_only_where_it_is_trusted(
    books: Books, facts: dict[str, object], state: str
) -> None:
    """And says so in the call's story; a URL in the row beats it, and unknown is no answer."""
    call = msgspec.structs.replace(called(SIDS[0]), **facts)
    other = msgspec.structs.replace(call, sid=SIDS[1])
    desk(books, trust_status=True).take_rows([call], Source.CDR, nothing_rejected)
    desk(books).take_rows([other], Source.CDR, nothing_rejected)
    row = books.row(SIDS[0])
    assert (row["state"], books.row(SIDS[1])["state"]) == (state, "expected")
    looks = [tuple(look) for look in books.sql("SELECT sid, reason, detail FROM looks")]
    assert looks == ([(SIDS[0], "no-answer", BY_STATUS)] if state == "absent" else [])
    assert books.balance().faults == []


def test_what_a_status_settled_is_taken_back_by_a_url(books: Books) -> None:
    """An export that tells of a recording after all has the call looked at."""
    call = called(SIDS[0], status="no-answer")
    desk(books, trust_status=True).take([call], Source.CDR)
    url = f"https://recordings.exotel.com/exotelrecordings/acme1/{SIDS[0]}.mp3"
    desk(books, trust_status=True).take(
        [msgspec.structs.replace(call, recording_urls=(url,))], Source.CDR
    )
    assert books.row(SIDS[0])["state"] == "expected"
    left_out = msgspec.structs.replace(call, sid=SIDS[1], **IN)
    for urls in ((), (url.replace(SIDS[0], SIDS[1]), url.replace(SIDS[0], "other"))):
        desk(books).take([msgspec.structs.replace(left_out, recording_urls=urls)], Source.CDR)
    assert books.row(SIDS[1])["state"] == "excluded"


@pytest.mark.parametrize("words", [["--excluded"], ["--excluded", "--reason", RULE], [SIDS[0]]])
def test_what_was_left_out_is_taken_back(
    books: Books, terminal: Terminal, words: list[str]
) -> None:
    """By state, by rule or by its Sid; it is wanted from then on: no rule leaves it out again."""
    books.add(called(SIDS[0], **IN), called(SIDS[1], **OUT), account=LEAVES)
    for vain in (["--day", "2026-02-09"], ["--reason", RULE], ["--absent"]):
        assert terminal.tells("retry", *vain) == {"retried": 0}
    assert terminal.tells("retry", *words) == {"retried": 1}
    row = books.row(SIDS[0])
    assert (row["state"], row["wanted"], row["settled_ms"]) == ("expected", 1, None)
    assert books.row(SIDS[1])["wanted"] == 0
    (claimed,) = books.claim(SIDS[0])
    assert claimed.wanted


def test_reports_name_the_rule(books: Books, terminal: Terminal) -> None:
    """`report` counts by rule, `explain` says which one and how the call is taken back."""
    books.add(called(SIDS[0], **IN), account=LEAVES)
    assert terminal.tells("report")["excluded"] == {"total": 1, "reasons": {RULE: 1}}
    story = terminal.says("explain", SIDS[0])
    assert f"It is not archived: a rule leaves it out, '{RULE}'." in story
    assert f"callvault retry {SIDS[0]}" in story


def test_no_file_is_adopted_for_what_was_left_out(books: Books) -> None:
    """It is settled, and nobody asked for it."""
    books.add(called(SIDS[0], **IN), account=LEAVES)
    with books.database.write() as tx:
        assert adopt.claim(tx, "main", [SIDS[0]], lease="l") == frozenset()


def test_the_manifest_tells_what_is_wanted(books: Books, terminal: Terminal) -> None:
    """And a line of an older callvault, which tells nothing of it, reads as before."""
    books.add(called(SIDS[0], **IN), account=LEAVES)
    terminal.says("retry", "--excluded")
    with books.database.read() as tx:
        (line,) = dayfiles.manifest_lines(tx, "main", "2026-02-09")
    assert line.wanted
    text = json.loads(manifest.encode(line))
    folder = "main/2026/02/09"
    assert manifest.decode(json.dumps(text).encode(), folder).wanted
    del text["wanted"]
    assert not manifest.decode(json.dumps(text).encode(), folder).wanted


def test_flags_narrow_one_intake(books: Books, tmp_path: Path) -> None:
    """``--skip`` leaves out what matches, ``--only`` what does not; each value is one more."""
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS + '[[selection]]\nname = "all"\nkeep = true\n')
    settings = load_settings(file, {})
    only = ["exophone=08047*", "exophone=0801", "longer-than=5s"]
    account = narrowed(settings, only, ["direction=inbound"]).account(None)
    calls = {
        SIDS[0]: {"exophone": "0801", "duration_s": 9, **OUT},
        SIDS[1]: {"exophone": "0802", "duration_s": 9, **OUT},
        SIDS[2]: {"exophone": "0801", "duration_s": 4, **OUT},
        SIDS[3]: {"exophone": "0801", "duration_s": 9, **IN},
        SIDS[4]: {"exophone": "", "duration_s": 9, **OUT},
    }
    with books.database.write() as tx:
        facts = [called(sid, **known) for sid, known in calls.items()]
        add_calls(tx, facts, account=account, source=Source.CDR, readiness=Readiness(), now=NOW)
    assert {sid: books.row(sid)["reason"] for sid in calls} == {
        SIDS[0]: "",
        SIDS[1]: "--only exophone=08047*, 0801",
        SIDS[2]: "--only longer_than=5s",
        SIDS[3]: "--skip direction=inbound",
        SIDS[4]: "",
    }
    assert narrowed(settings, [], []) is settings


@pytest.mark.parametrize(
    "flag", ["direction", "colour=red", "exophone=", "number=*1*2*3", "shorter_than=soon", "=x"]
)
def test_a_flag_that_cannot_be_a_rule_is_refused(tmp_path: Path, flag: str) -> None:
    """With what was typed, and what can be."""
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS)
    with pytest.raises(InputError) as caught:
        narrowed(load_settings(file, {}), [], [flag])
    assert flag in caught.value.message
    assert caught.value.hint


def test_what_is_of_the_archive_is_wanted(books: Books) -> None:
    """A call whose file is wrong is fetched again, though a rule would leave it out by now."""
    books.add(called(SIDS[0], **IN))
    books.sql("UPDATE calls SET state = 'archived'")
    books.sql(
        "INSERT INTO recordings VALUES ('main', ?, 'o', 'p', 's', 1, 'mp3', 1, 8000, 1, 0, '')",
        SIDS[0],
    )
    with books.database.write() as tx:
        parameters = {"sid": SIDS[0], "path": "p", "sha256": "s", "reason": "file-changed"}
        assert tx.run("put_in_line", account="main", now_ms=1, **parameters) == 1
    assert books.row(SIDS[0])["wanted"] == 1
