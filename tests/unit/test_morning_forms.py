"""The forms of a report: nothing that a source told of can act in any of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from click import unstyle
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.morning.facts import (
    Counts,
    Level,
    Morning,
    Note,
    Past,
    Reason,
    Share,
    Verdict,
)
from tests.unit.mornings import a_morning
from worker.morning.charts import Chart, Series, draw, ticks
from worker.morning.document import plain
from worker.morning.markdown import escape
from worker.morning.markup import Markup, join, tag
from worker.morning.writing import render

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "<script>alert(1)</script>\"'&`|*[x](javascript:y)\x1b[31m\r\nBcc: z\u202e"
ANYTHING = st.text(st.characters(codec=None), max_size=40) | st.just(HOSTILE)
_LOADS = re.compile(r"(?i)(src|href|srcset|action|data|xlink:href)\s*=|url\(|@import|<script")


class _Reader(HTMLParser):
    """Gathers the elements, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> _Reader:
    """Read a page, each of whose elements has to end where it should."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def with_text(text: str) -> Morning:
    """Return a report in which a text stands wherever a source can put one."""
    morning = a_morning()
    reason = Reason(
        account="main",
        state=morning.missing[0].state,
        reason=text,
        calls=3,
        meaning=text,
        remedy=text,
        command=f"callvault find --reason {text}",
        first=("a" * 32,),
    )
    return msgspec.structs.replace(
        morning,
        exophones=(Share(account="main", name=text, counts=Counts(calls=3, archived=3)),),
        missing=(reason,),
        without=(reason,),
        paused=text,
        troubles=(text,),
    )


def test_a_page_is_of_itself() -> None:
    """It loads nothing, runs nothing, and its policy would let it do neither."""
    page = render(a_morning(), "html")
    assert _LOADS.search(page) is None
    assert (
        "default-src &#x27;none&#x27;; style-src &#x27;unsafe-inline&#x27;; img-src data:" in page
    )
    reader = read(page)
    assert {"main", "h1", "h2", "table", "th", "svg", "title", "figcaption"} <= set(reader.tags)
    assert not {name for name in reader.attributes if name.startswith("on")}
    assert reader.tags.count("svg") == 5


@settings(max_examples=60)
@given(ANYTHING)
def test_no_text_becomes_an_element(text: str) -> None:
    """The same elements stand in the page whatever a source wrote, and the text is shown."""
    usual, hostile = read(render(with_text("word"), "html")), read(render(with_text(text), "html"))
    kinds = set(usual.tags)
    assert kinds >= set(hostile.tags)
    assert usual.attributes >= hostile.attributes
    assert usual.tags.count("svg") == hostile.tags.count("svg")
    if text.strip():
        assert plain(text, 80) in "\n".join(hostile.text)


@settings(max_examples=100)
@given(ANYTHING, st.sampled_from(["text", "markdown", "html"]))
def test_no_text_acts_on_a_terminal_or_breaks_a_line(text: str, form: str) -> None:
    """No control character is in any form but the ends of lines, nor what cannot be encoded."""
    written = render(with_text(text), form)
    assert all(c.isprintable() for c in written.replace("\n", ""))
    assert written.encode()
    usual = render(with_text("word"), form)
    if form == "markdown":
        assert not text.strip() or written.count("\n") == usual.count("\n")


@given(ANYTHING)
def test_no_text_means_anything_to_markdown(text: str) -> None:
    """Each character that could begin something has a backslash before it."""
    bare = re.sub(r"\\[\\`*_\[\]<>#|~&@/.+=)-]", "", escape(plain(text)))
    assert not re.search(r"[`*\[\]<>#|~&]|://", bare)


def test_a_text_is_of_80_columns_and_the_verdict_is_first() -> None:
    """But for commands, which are there to be copied; a clean day fits a screen."""
    lines = render(a_morning(), "text").splitlines()
    assert lines[0].startswith("INCOMPLETE: ")
    assert max(len(line) for line in lines if "$ callvault" not in line) <= 80
    clean = render(a_morning(clean=True), "text").splitlines()
    assert clean[0].startswith("Complete: ")
    assert len(clean) <= 24


def test_each_form_tells_what_is_missing_and_the_command_that_helps() -> None:
    """Text, page, Markdown and JSON."""
    morning = a_morning()
    for form in ("text", "html", "markdown", "json"):
        written = render(morning, form)
        assert "url-untrusted" in written, form
        said = "".join(read(written).text) if form == "html" else written
        assert "callvault retry --failed --day 2026-02-09 --reason url-untrusted" in said, form
    assert msgspec.json.decode(render(morning, "json"))["counts"]["failed"] == 2


def test_an_alarm_is_said_once_with_the_command_that_helps() -> None:
    """In the verdict; below it stands only what to do."""
    words = "no calls of 9 February are known"
    note = Note(text=words, command="callvault reconcile", alarm=True)
    other = Note(text="the disk is slow")
    verdict = Verdict(level=Level.ALARM, sentence=f"ALARM: {words}", notes=(note, other))
    morning = msgspec.structs.replace(a_morning(), verdict=verdict)
    lines = render(morning, "text").splitlines()
    assert lines[:3] == [f"ALARM: {words}", "      $ callvault reconcile", "! the disk is slow"]
    page = render(morning, "html")
    assert page.count(words) == 1
    assert "callvault reconcile" in "".join(read(page).text)


def test_no_command_or_sid_is_broken_but_at_blanks() -> None:
    """Each word stands by itself in the page, and what is copied is the command."""
    page = render(a_morning(), "html")
    assert f"<span>{'a' * 32}</span> <span>{'b' * 32}</span>" in page
    assert "<span>retry</span> <span>--failed</span> <span>--day</span>" in page
    assert "callvault retry --failed --day 2026-02-09" in "".join(read(page).text)
    assert f"{'a' * 32}, {'b' * 32}" in " ".join(render(a_morning(), "text").split())


def test_names_are_cut_where_there_is_little_room_alone() -> None:
    """In 80 columns, not on the page."""
    name = "sip:the-switchboard-of-the-company@sip.exotel.com"
    share = Share(account="main", name=name, counts=Counts(calls=4, archived=4))
    morning = msgspec.structs.replace(a_morning(), exophones=(share,))
    assert name in render(morning, "html")
    assert name not in render(morning, "text")
    assert name[:23] in render(morning, "text")


def test_every_tile_of_the_day_has_a_figure() -> None:
    """The sources are counted."""
    page = render(a_morning(), "html")
    assert '<dt>sources</dt><dd class="value">1</dd><dd class="remark">100 by listing</dd>' in page
    tiles = re.findall(r"<dt>[^<]*</dt>(.{18})", page)
    assert tiles == ['<dd class="value">'] * len(tiles)


@given(st.integers(1, 40), st.integers(1, 14), st.integers(1, 9))
def test_no_label_reaches_over_the_edge(columns: int, letters: int, digits: int) -> None:
    """However large its letters are, and no two meet."""
    chart = Chart(
        title="t",
        about="a",
        labels=("m" * letters,) * columns,
        series=(Series("s", "archived", (1,) * columns),),
        write=lambda _: "9" * digits,
    )
    written = re.findall(r'<text( class="roomy")? x="([\d.]+)" y="192" ', draw(chart))
    middles = [float(x) for roomy, x in written if not roomy]
    assert middles[0] - letters * 8.1 / 2 >= 0
    assert middles[-1] + letters * 8.1 / 2 <= 420.1
    assert all(after - before > letters * 8.1 for before, after in pairwise(middles))


@pytest.mark.parametrize(
    ("level", "colour"), [(Level.COMPLETE, 32), (Level.INCOMPLETE, 33), (Level.ALARM, 31)]
)
def test_the_verdict_has_the_colour_of_its_level(level: Level, colour: int) -> None:
    """On a terminal; without the colours it is the text that is sent."""
    verdict = Verdict(level=level, sentence="It stands so. " * 9, notes=())
    morning = msgspec.structs.replace(a_morning(), verdict=verdict)
    coloured = render(morning, "text", coloured=True)
    assert coloured.startswith(f"\x1b[{colour}m\x1b[1mIt stands so.")
    assert render(morning, "text") == unstyle(coloured)


def test_few_named_shares_and_the_others_are_all() -> None:
    """The text names fewer ExoPhones than the page, and in both the figures add up."""
    shares = tuple(
        Share(account="main", name=f"0804{n:07}", counts=Counts(calls=n, archived=n))
        for n in range(30, 20, -1)
    )
    morning = msgspec.structs.replace(a_morning(), exophones=shares)
    text, page = render(morning, "text"), render(morning, "html")
    table = text.partition("By ExoPhone\n")[2].splitlines()[1:]
    rows = [line.split()[:2] for line in table if line.startswith("  ")]
    assert rows[-1][0] == "others"
    assert sum(range(21, 31)) == sum(int(calls) for _, calls in rows)
    assert "08040000021" in page
    assert "08040000021" not in text


def test_lines_of_several_accounts_name_theirs() -> None:
    """Two may have the same ExoPhone, or none, and the same reason; one alone needs no column."""
    counts = Counts(calls=3, archived=3)
    several = ("main", "a-long-name-of-an-account")
    morning = a_morning()
    (without, *_) = morning.without
    morning = msgspec.structs.replace(
        morning,
        accounts=tuple(Share(account=name, name=name, counts=counts) for name in several),
        exophones=(
            *(Share(account=name, name="+918040000021", counts=counts) for name in several),
            Share(account="", name="others", counts=counts),
        ),
        without=tuple(msgspec.structs.replace(without, account=name) for name in several),
    )
    text, page = render(morning, "text"), render(morning, "markdown")
    head, first, second, others, *_ = text.partition("By ExoPhone\n")[2].splitlines()
    assert head.split()[:3] == ["ExoPhone", "account", "calls"]
    assert [line.split()[:2] for line in (first, others)] == [
        ["+918040000021", "main"],
        ["others", "-"],
    ]
    assert "+918040000021  a-long-" in second
    assert max(map(len, text.splitlines())) <= 80
    table = page.partition("No recording, rightly")[2].partition("##")[0]
    assert all(f"| {name} |" in table for name in ("account", *several))
    alone = render(a_morning(), "markdown").partition("No recording, rightly")[2]
    assert "account" not in alone.partition("##")[0]


# --- Building blocks ------------------------------------------------------------------------------


@given(ANYTHING, ANYTHING)
def test_only_markup_is_not_escaped(text: str, value: str) -> None:
    """A text within an element, or as an attribute, is read back as it was."""
    reader = read(tag("p", plain(text), title=plain(value)))
    assert reader.tags == ["p"]
    assert plain(text) == "".join(reader.text)
    assert join([Markup("<b>"), "<b>"]) == "<b>&lt;b&gt;"


@given(st.floats(0.01, 1e15))
def test_ticks_reach_over_what_they_measure(most: float) -> None:
    """From 0 on, few of them, and the last not below the most."""
    marks = ticks(most)
    assert marks[0] == 0
    assert marks[-1] >= most
    assert 2 <= len(marks) <= 6
    assert all(mark == round(mark) for mark in marks)


def test_small_figures_have_whole_ticks() -> None:
    """Nine calls are measured by two, and not by two and a half."""
    assert ticks(9) == [0, 5, 10]
    assert ticks(8) == [0, 2, 4, 6, 8]
    assert ticks(3) == [0, 1, 2, 3]


def test_columns_are_as_high_as_their_figures() -> None:
    """Twice the figure is twice the height, parts lie upon each other, and a table has them all."""
    chart = Chart(
        title="Calls",
        about="of a day",
        labels=("a", "b"),
        series=(Series("one", "archived", (10, 20)), Series("two", "lost", (0, 5))),
        write=lambda figure: f"{figure:g}",
    )
    drawn = draw(chart)
    heights = [float(h) for h in re.findall(r'<rect[^>]* height="([\d.]+)"', drawn)]
    assert pytest.approx([2.0, 0.5], rel=0.02) == [
        heights[1] / heights[0],
        heights[2] / heights[0],
    ]
    assert "<title>b: 5 two</title>" in drawn
    assert drawn.count("<td") == 4


def _nothing(morning: Morning) -> Morning:
    return msgspec.structs.replace(
        morning, counts=Counts(), hours=(), exophones=(), missing=(), without=(), before=None
    )


def _no_past(morning: Morning) -> Morning:
    past = tuple(Past(day=one.day, counts=Counts(), bytes=None) for one in morning.past)
    return msgspec.structs.replace(morning, past=past, room=None)


@pytest.mark.parametrize("change", [_nothing, _no_past])
@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_a_day_without_anything_can_be_told_of(
    change: Callable[[Morning], Morning], form: str
) -> None:
    """There is no figure to divide by, and no column to draw."""
    assert render(change(a_morning()), form)
