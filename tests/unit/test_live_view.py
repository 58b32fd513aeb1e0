"""The live view fits its terminal, whatever is in it, and says what matters first."""

from __future__ import annotations

import os
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from archive.call import State
from archive.catalog.pauses import Paused
from archive.catalog.troubles import Trouble
from archive.catalog.watch import Backlog, InVain, Worker
from tests.unit.books import NOW, SIDS
from worker.live.facts import MINUTES, Counted, Facts, Pace, Working
from worker.live.lines import ASCII, UNICODE, Column, Span, clean, plain, table
from worker.live.screen import has_unicode, styled
from worker.live.sections import plain_line
from worker.live.view import Shape, draw
from worker.live.words import ago, curve, shares

if TYPE_CHECKING:
    from datetime import datetime

ZONE = ZoneInfo("Asia/Kolkata")
SECOND = timedelta(seconds=1)
COUNTS = {State.ARCHIVED: 1_500, State.ABSENT: 300, State.LOST: 2, State.EXPECTED: 198}

AT_WORK = """\
 callvault  ● 1 worker                                          10 Feb 17:30:00

 90 recordings/min   1.5 MB/s   4.5 of 200 requests/min
 ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▅█  last 30 min, at most 90 calls/min

 ███████████████████████████████████████▓▓▓▓▓▓▓▓▀░░░░░  90.1 % of 2,000 settled
 █ 1,500 archived  ▓ 300 absent  ▀ 2 lost  ░ 198 waiting

 WAITING  due now  not ready yet  to try again  next due  next deletion
 main         150             41             7  17:30:40   12 Feb 18:30

 WORKERS  pid  batches  calls  rec/min  recordings  beat  version
 here      77        2    150       88       1,200   1 s    0.1.0

 IN VAIN         Sid                               why
 17:29:00  lost  0000000000000000000000000001197m  fetch-gone







 q quits
"""


def facts(**known: Any) -> Facts:  # noqa: ANN401 - fields of every type
    """Return what there is to show of one account that is worked for."""
    usual: dict[str, Any] = {
        "at": NOW,
        "accounts": ("main",),
        "pace": Pace(
            recordings=90,
            bytes_per_second=1.5e6,
            requests=4.5,
            limit=200,
            minutes=(*[0] * (MINUTES - 3), 12, 50, 90),
        ),
        "counted": counted(),
        "at_risk": (),
        "workers": (working(),),
        "pauses": (),
        "troubles": (),
        "last": (InVain(NOW - 60 * SECOND, "main", SIDS[0], "lost", "fetch-gone"),),
    }
    return Facts(**{**usual, **known})


def counted(at: datetime = NOW, **states: int) -> Counted:
    """Return a count of calls."""
    waiting = Backlog(
        account="main",
        due=150,
        later=41,
        again=7,
        held=0,
        opens=None,
        oldest_due=NOW - 9 * SECOND,
        next_due=NOW + 40 * SECOND,
        next_deletion=NOW + timedelta(days=2, hours=1),
    )
    found = {State(name): number for name, number in states.items()} or COUNTS
    return Counted(at=at, states=dict.fromkeys(State, 0) | found, backlogs=(waiting,), risks=())


def working(**known: Any) -> Working:  # noqa: ANN401 - fields of every type
    """Return a worker process that has just beaten."""
    usual: dict[str, Any] = {
        "process": "here-1",
        "host": "here",
        "pid": 77,
        "version": "0.1.0",
        "started": NOW - timedelta(minutes=20),
        "beat": NOW - SECOND,
        "batches": 2,
        "calls": 150,
        "recordings": 1_200,
        "bytes": 10**9,
    }
    return Working(Worker(**{**usual, **known}), 88.0)


def paused(reason: str, detail: str = "", scope: str = "account:main") -> Paused:
    """Return a pause of an hour ago."""
    return Paused(scope, reason, detail, True, 1, NOW - timedelta(hours=1), NOW)  # noqa: FBT003


def seen(shown: Facts, width: int = 80, height: int = 24) -> str:
    """Return what a person sees."""
    lines = draw(shown, Shape(width, height, UNICODE, ZONE))
    return "".join(f"{plain(line)}\n" for line in lines)


def test_work_on_a_usual_terminal() -> None:
    """Throughput, the balance, what waits, who works, and what went wrong last: 24 lines of 80."""
    assert seen(facts()) == AT_WORK
    assert AT_WORK.count("\n") == 24


def test_what_waits_for_the_backfill_hours_is_told_with_their_beginning() -> None:
    """Below what waits otherwise, and in the one line of what is no terminal."""
    (one,) = counted().backlogs
    held = msgspec.structs.replace(one, due=0, held=1_200, opens=NOW + timedelta(hours=4))
    shown = facts(counted=msgspec.structs.replace(counted(), backlogs=(held,)))
    expected = " HOURS main 1,200 calls wait for the backfill hours, from 21:30:00 on\n"
    assert expected in seen(shown)
    line = plain_line(shown, Shape(80, 24, UNICODE, ZONE))
    assert "; 1,200 wait for the backfill hours" in line
    assert "backfill" not in seen(facts())


def test_what_is_wrong_stands_before_what_waits_with_its_remedy() -> None:
    """A pause tells what it means; one by a person, how to end it. Risks say what would help."""
    shown = seen(
        facts(
            pauses=(paused("api-unauthorised"), paused("operator", "moving disks", "all")),
            troubles=(Trouble("here", "queue", "connection refused", NOW),),
            at_risk=("main: 7 recordings will be deleted; start workers: callvault work",),
        ),
        100,
        40,
    )
    said = [
        "● paused: account:main, all",
        "PAUSED account:main since 16:30:00: the provider's API did not accept the key and token",
        "  → check the key and token",
        "PAUSED all since 16:30:00: by a person: moving disks",
        "  → callvault resume",
        "TROUBLE queue on here since 17:30:00: connection refused",
        "AT RISK main: 7 recordings will be deleted",
        "  → start workers: callvault work",
        "WAITING",
    ]
    places = [shown.index(words) for words in said]
    assert all(before < after for before, after in pairwise(places)), shown


def test_a_long_text_is_broken_between_words() -> None:
    """Over as many lines as it takes; its command is whole."""
    words = "the catalog is damaged: keep it, and make a new one from the archive's files by "
    words += "callvault rebuild, which reads every sidecar and takes a while where there are many"
    lines = [line.strip() for line in seen(facts(mistake=words), 60, 40).splitlines()]
    at = next(number for number, line in enumerate(lines) if line.startswith("CATALOG "))
    assert f"CATALOG {words}" == " ".join(lines[at : lines.index("", at)])


def test_a_call_in_vain_has_one_row_with_its_tries() -> None:
    """Its reason is whole on a usual terminal; its meaning stands there where there is room."""
    last = (InVain(NOW - 60 * SECOND, "main", SIDS[0], "lost", "call-out-of-history", 3),)
    narrow, wide = (seen(facts(last=last), width) for width in (80, 160))
    row = f" 17:29:00  lost 3x  {SIDS[0]}  call-out-of-history"
    assert row in narrow.splitlines()
    assert f"{row}: the call is older than the six months the provider remembers" in wide


def test_a_terminal_without_unicode_gets_none() -> None:
    """Whatever the names are, and as wide as it would be."""
    lines = draw(facts(mistake="das Verzeichnis fehlt: Büro"), Shape(80, 24, ASCII, ZONE))
    assert all(plain(line).isascii() for line in lines)
    assert any("B?ro" in plain(line) for line in lines)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LC_ALL": "C", "LANG": "en_IN.UTF-8"}, False),
        ({"LC_CTYPE": "POSIX"}, False),
        ({"LC_ALL": "", "LANG": "en_IN.UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({}, True),
    ],
)
def test_who_chose_the_c_locale_gets_ascii(environment: dict[str, str], *, expected: bool) -> None:
    """Though Python itself writes UTF-8 there."""
    with Path(os.devnull).open("w", encoding="utf-8") as stream:
        assert expected == has_unicode(Console(file=stream), environment)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (facts(workers=()), "● no workers run"),
        (facts(workers=(working(beat=NOW - 60 * SECOND),)), "● no workers run"),
        (facts(mistake="the disk is gone"), "● the catalog cannot be read"),
        (facts(counted=counted(archived=7)), "● 1 worker, nothing to do"),
        (facts(counted=counted(archived=0)), "no calls are known yet: callvault enqueue"),
        (facts(counted=counted(NOW - 20 * SECOND)), "calls counted 20 s ago"),
        (facts(counted=counted(archived=10**6 - 1, expected=1)), "99.9 % of 1,000,000 settled"),
    ],
)
def test_the_standing_is_said_in_a_word(shown: Facts, words: str) -> None:
    """The worst first; nothing but all of it is 100 %."""
    assert words in seen(shown)


odd = st.text(max_size=60) | st.just("\x1b[2J[bold red]+91 98765 43210\n電話\u202e\u0301")


@st.composite
def strange(draw_one: st.DrawFn) -> Facts:
    """Return facts in which everything that others wrote is odd."""
    text = draw_one(odd)
    count = draw_one(st.integers(0, 12))
    return facts(
        accounts=(text, "b"),
        pauses=(paused(text, text, text), paused("operator", text)) * (count % 3),
        troubles=(Trouble(text, text, text, NOW),) * (count % 4),
        at_risk=(text,) * (count % 2),
        workers=(working(host=text, version=text),) * count,
        last=(InVain(NOW, text, text, "lost", text),) * count,
        mistake=text,
        counted=counted(archived=draw_one(st.integers(0, 10**9)), failed=count),
    )


@given(strange(), st.integers(1, 200), st.integers(1, 60), st.sampled_from([UNICODE, ASCII]))
def test_it_fits_any_terminal_and_lets_nothing_odd_out(
    shown: Facts,
    width: int,
    height: int,
    glyphs: Any,  # noqa: ANN401 - a set of characters
) -> None:
    """No line too wide, none too many, nothing that a terminal would act upon."""
    lines = [plain(line) for line in draw(shown, Shape(width, height, glyphs, ZONE))]
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


def test_what_others_wrote_is_no_markup() -> None:
    """Brackets stand as they are."""
    console = Console(width=80, height=24, file=StringIO(), force_terminal=True)
    with console.capture() as capture:
        console.print(styled(draw(facts(mistake="[bold]x[/]"), Shape(80, 24, UNICODE, ZONE))))
    assert "[bold]x[/]" in capture.get()


def test_a_line_without_a_terminal_has_it_all() -> None:
    """In words, and in one line."""
    said = plain_line(facts(pauses=(paused("operator", "x\ny"),)), Shape(0, 0, ASCII, ZONE))
    assert said == (
        "2026-02-10 17:30:00+05:30; 1,802 of 2,000 settled; 150 due, 0 in work; 2 lost, 0 failed; "
        "90 recordings/min, 1.5 MB/s; 1 worker; paused: account:main: operator"
    )


@given(st.lists(st.integers(0, 10**7), max_size=9), st.integers(0, 150))
def test_a_bar_is_divided_whole(numbers: list[int], cells: int) -> None:
    """No cell too many or too few; what is there is seen where there is room for all."""
    given_cells = shares(numbers, cells)
    assert sum(given_cells) == (cells if sum(numbers) else 0)
    assert all(share >= 0 for share in given_cells)
    if cells >= len(numbers):
        assert [number > 0 for number in numbers] == [share > 0 for share in given_cells] or (
            not sum(numbers) or cells == 0
        )


def test_a_curve_shows_what_is_little() -> None:
    """Nothing is as low as nothing."""
    assert curve([0, 1, 500, 1000], UNICODE.curve) == "▁▂▅█"
    assert curve([0, 0], UNICODE.curve) == "▁▁"


@pytest.mark.parametrize(
    ("span", "expected"),
    [(-5, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")],
)
def test_spans_have_one_unit(span: int, expected: str) -> None:
    """A clock that was put back makes no negative one."""
    assert ago(span * SECOND) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[2Jb\r\nc", "a?[2Jb c"),
        ("call to +91 98765 43210 failed", "call to [number] failed"),
        ("HTTP 401 after 120000 ms", "HTTP 401 after 120000 ms"),
    ],
)
def test_texts_are_cleaned(text: str, expected: str) -> None:
    """Of what a terminal acts upon, and of phone numbers."""
    assert clean(text) == expected


def test_a_table_gives_up_its_last_columns() -> None:
    """Those for which there is no room; the rest stays whole."""
    columns = [
        Column("name", [Span("x" * 30)]),
        Column("calls", [Span("1,000")], right=True),
        Column("why", [Span("something long")]),
    ]
    assert [plain(line) for line in table(columns, 24, "…")] == [
        "name      calls  why",
        "xxxxxxx…  1,000  someth…",
    ]
    assert [plain(line) for line in table(columns, 16, "…")] == ["name   calls", "xxxx…  1,000"]


def test_each_fact_of_a_document_is_promised() -> None:
    """What a document is made of can be written as JSON."""
    assert msgspec.json.encode(facts())
