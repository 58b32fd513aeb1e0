"""What a morning report says: the facts of a day in words, whichever way they are laid out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from archive.call import State
from archive.morning.compose import fewer_shares
from archive.room import spoken_days
from worker.commands.options import human_bytes
from worker.commands.sources import silence_text
from worker.morning.document import (
    Document,
    Figure,
    Figures,
    Item,
    Items,
    Section,
    Table,
    plain,
)
from worker.morning.head import headed
from worker.morning.say import change, clock, counted, days_of, share, short_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archive.morning.facts import Counts, Margins, Morning, Reason, Share

_REASONS: Final = 2
_FEW: Final = 5
_NAME: Final = 24
"""So many letters of a name fit beside its figures in 80 columns."""
_BESIDE: Final = (14, 8)
"""And so many of an ExoPhone, a number in full, and of the account beside it."""
_ACCOUNT: Final = ("account",)
_DAYS: Final = 3
_SILENCES: Final = 12
_NUMBERS: Final = ("calls", "archived", "no recording", "waiting", "lost", "failed")
_WAITING: Final = "waiting"
_WORDS: Final = {State.EXPECTED: _WAITING, State.LEASED: _WAITING}


def document_of(morning: Morning) -> Document:
    """Put a day into words."""
    zone = ZoneInfo(morning.timezone)
    sections = (section for section in _sections(morning, zone) if section.blocks)
    return headed(morning, tuple(sections))


def _sections(morning: Morning, zone: ZoneInfo) -> Iterator[Section]:
    if morning.missing:
        items = Items(tuple(map(_missing, morning.missing)))
        yield Section(key="missing", title="What is missing, and why", blocks=(items,))
    if silences := tuple(_silences(morning, zone)):
        items = Items(silences)
        yield Section(key="silences", title="When sources were silent", blocks=(items,))
    yield Section(key="day", title="The day", blocks=(Figures(tuple(_figures(morning, zone))),))
    several = len(morning.accounts) > 1
    if several:
        table = _shares("account", morning.accounts, morning.accounts)
        yield Section(key="accounts", title="By account", blocks=(table,))
    if any(one.name for one in morning.exophones):
        few = fewer_shares(morning.exophones, _FEW)
        table = _shares("ExoPhone", morning.exophones, few, named=several)
        yield Section(key="exophones", title="By ExoPhone", blocks=(table,))
    yield from _details(morning, zone)


def _details(morning: Morning, zone: ZoneInfo) -> Iterator[Section]:
    if morning.without:
        named = len(morning.accounts) > 1
        rows = tuple(_without(one, named=named) for one in morning.without)
        columns = ("calls", *_ACCOUNT[:named], "state", "reason", "meaning")
        table = Table(columns, rows, frozenset({"calls"}))
        yield Section(key="without", title="No recording, rightly", blocks=(table,), detail=True)
    if morning.flagged:
        items = Items(
            tuple(
                Item(
                    f"{counted(one.recordings, 'recording')} flagged {plain(one.flag)}",
                    (plain(one.meaning),),
                    plain(one.command),
                )
                for one in morning.flagged
            )
        )
        yield Section(
            key="flagged", title="Kept, though something is odd", blocks=(items,), detail=True
        )
    if brought := tuple(_brought(morning)):
        table = Table(
            ("source", "account", "calls", "only by it"),
            brought,
            frozenset({"calls", "only by it"}),
        )
        yield Section(key="sources", title="Who told of the calls", blocks=(table,), detail=True)
    figures = Figures(tuple(_promptness(morning)))
    yield Section(
        key="promptness", title="From a call's end to the disk", blocks=(figures,), detail=True
    )
    due = tuple((short_day(one.day), f"{one.calls:,}") for one in morning.margins.due)
    table = Table(("deleted on", "calls waiting"), due, frozenset({"calls waiting"}))
    yield Section(
        key="margins",
        title="Ahead of the provider's deletion",
        blocks=(Figures(tuple(_margins(morning.margins))), *([table] if due else [])),
        detail=True,
    )
    yield Section(
        key="work", title="What it took", blocks=(Figures(tuple(_work(morning))),), detail=True
    )
    if runs := tuple(_runs(morning, zone)):
        columns = ("began", "command", "host", "took", "ended with", "note")
        table = Table(columns, runs, frozenset({"took", "ended with"}))
        yield Section(key="runs", title="Commands that ran", blocks=(table,), detail=True)


def _figures(morning: Morning, zone: ZoneInfo) -> Iterator[Figure]:
    counts, before = morning.counts, morning.before
    that = f"on {short_day(before.day)}" if before else ""
    compared = f"{change(counts.calls, before.calls)} {before.calls:,} {that}" if before else ""
    yield Figure("calls", f"{counts.calls:,}", compared)
    remark = f"{share(counts.archived, counts.calls)} of the calls"
    if before and before.calls:
        remark += f"; {share(before.archived, before.calls)} then"
    yield Figure("archived", f"{counts.archived:,}", remark if counts.calls else "")
    yield Figure("no recording", f"{counts.without:,}", _most(morning.without))
    if missing := counts.waiting + counts.lost + counts.failed:
        yield Figure("missing", f"{missing:,}", _missed(counts))
    remark = f"{counted(morning.recordings, 'recording')}"
    if before and before.bytes:
        remark += f"; {change(morning.bytes, before.bytes)} {human_bytes(before.bytes)} then"
    yield Figure("size", human_bytes(morning.bytes), remark)
    if morning.flagged:
        flags: Counter[str] = Counter()
        for one in morning.flagged:
            flags[plain(one.flag)] += one.recordings
        told = ", ".join(f"{number:,} {flag}" for flag, number in flags.items())
        yield Figure("flagged", f"{flags.total():,}", told)
    yield from _promptness(morning, brief=True)
    yield from _margins(morning.margins, brief=True)
    yield from _sources(morning)
    yield from _came(morning, zone)
    yield from _verified(morning, zone)
    yield from _work(morning, brief=True)
    yield from _days_before(morning)
    if room := morning.room:
        left = "" if room.days_left is None else f"{spoken_days(room.days_left)} at this pace"
        yield Figure("disk", human_bytes(room.free), f"free; {left}" if left else "free")


def _sources(morning: Morning) -> Iterator[Figure]:
    """Say how many sources told of calls, and each of how many, of all accounts together."""
    told: Counter[str] = Counter()
    for one in morning.sources:
        for brought in one.brought:
            told[brought.source] += brought.calls
    if told:
        by = ", ".join(f"{calls:,} by {source}" for source, calls in told.items())
        yield Figure("sources", f"{len(told)}", by)


def _days_before(morning: Morning) -> Iterator[Figure]:
    """Say whether the days before are complete by now: a night that was missed is made up for."""
    days = [one for one in morning.past if one.day < morning.day and one.counts.calls]
    if not days:
        return
    left = [one for one in days if _missed(one.counts)]
    told = [f"{short_day(one.day)}: {_missed(one.counts)}" for one in reversed(left[-_DAYS:])]
    more = [f"{len(left) - _DAYS} days more"] if len(left) > _DAYS else []
    done = f"{len(days) - len(left)} of {len(days)}"
    yield Figure("days before", done, "; ".join(["complete", *told, *more]))


def _verified(morning: Morning, zone: ZoneInfo) -> Iterator[Figure]:
    run = morning.verified
    if run is None or run.code is None:
        return
    words = "all right" if not run.code else f"ended with {run.code}"
    note = f"; {plain(run.note)}" if run.note else ""
    yield Figure("verified", f"{run.began.astimezone(zone):%-d %b}", f"{words}{note}")


def _runs(morning: Morning, zone: ZoneInfo) -> Iterator[tuple[str, ...]]:
    for run in morning.runs:
        began = f"{run.began.astimezone(zone):%Y-%m-%d %H:%M}"
        took = clock(int((run.ended - run.began).total_seconds())) if run.ended else "-"
        code = "-" if run.code is None else str(run.code)
        yield (began, plain(run.command), plain(run.host), took, code, plain(run.note))


def _most(reasons: Sequence[Reason]) -> str:
    told: dict[str, int] = {}
    for one in reasons:
        told[one.reason] = told.get(one.reason, 0) + one.calls
    most = sorted(told.items(), key=lambda item: -item[1])
    named = [f"{calls:,} {plain(reason or 'purged', 40)}" for reason, calls in most[:_REASONS]]
    return ", ".join([*named, *(["…"] if len(most) > _REASONS else [])])


def _missed(counts: Counts) -> str:
    named = (("lost", counts.lost), ("failed", counts.failed), ("still waiting", counts.waiting))
    return ", ".join(f"{number:,} {word}" for word, number in named if number)


def _promptness(morning: Morning, *, brief: bool = False) -> Iterator[Figure]:
    told = morning.promptness
    if on_disk := told.on_disk:
        remark = f"median; 90 % in {clock(on_disk.p90)}, 99 % {clock(on_disk.p99)}, "
        remark += f"all {clock(on_disk.most)}"
        if not brief:
            remark += f", of {told.timely:,} of {told.archived:,} calls that became known in time"
        yield Figure("on disk after", clock(on_disk.p50), remark)
    if brief:
        return
    if not told.on_disk:
        yield Figure("on disk after", "-", "no call became known in time")
    if vain := told.in_vain:
        remark = f"median; 90 % by {clock(vain.p90)}, 99 % by {clock(vain.p99)}, "
        remark += f"the last at {clock(vain.most)}: {counted(vain.count, 'call')} whose recording "
        remark += "the provider did not have at a first look"
        yield Figure("not there yet", clock(vain.p50), remark)


def _margins(margins: Margins, *, brief: bool = False) -> Iterator[Figure]:
    if hours := margins.hours:
        remark = f"the shortest; {days_of(hours.p50)} in the median"
        yield Figure("before deletion", days_of(hours.least), remark)
    elif not brief:
        yield Figure("before deletion", "-", "nothing was archived")
    if not brief or margins.due:
        soon = sum(one.calls for one in margins.due)
        yield Figure("due", f"{soon:,}", "of the calls that wait are deleted within 7 days")
    if not brief and margins.past:
        yield Figure("past", f"{margins.past:,}", "wait whose recording should be deleted by now")


def _came(morning: Morning, zone: ZoneInfo) -> Iterator[Figure]:
    work = morning.work
    if work.first is None or work.last is None:
        return
    first, last = work.first.astimezone(zone), work.last.astimezone(zone)
    form = "%H:%M" if first.date() == last.date() else "%-d %b %H:%M"
    lasting = (last - first).total_seconds()
    took = clock(int(lasting))
    yield Figure("archived in", took, f"from {first:{form}} to {last:{form}}")


def _work(morning: Morning, *, brief: bool = False) -> Iterator[Figure]:
    work = morning.work
    total = sum(work.requests.values())
    if not total and brief:
        return
    odd = [f"{n:,} {plain(label)}" for label, n in work.requests.items() if label != "answered"]
    busiest = f"{work.busiest:,} of {work.limit:,} in the busiest hour"
    yield Figure("requests", f"{total:,}", "; ".join([busiest, *odd]) if total else "")
    if brief:
        return
    if work.waited_ms:
        yield Figure("waited", clock(work.waited_ms // 1000), "for their turn, all together")
    if work.troubles:
        told = ", ".join(f"{n:,} {plain(symptom)}" for symptom, n in work.troubles.items())
        yield Figure("failed downloads", f"{sum(work.troubles.values()):,}", told)


def _missing(one: Reason) -> Item:
    state = _WORDS.get(one.state, one.state.value)
    of_whom = f" ({one.account})" if "--account" in one.command else ""
    reason = f": {plain(one.reason, 80)}" if one.reason else ""
    return Item(
        head=f"{one.calls:,} {state}{reason}{of_whom}",
        lines=tuple(plain(line) for line in (one.meaning, one.remedy) if line),
        command=plain(one.command),
        names=tuple(map(plain, one.first)),
        named="such as" if one.calls > len(one.first) else "",
    )


def _without(one: Reason, *, named: bool) -> tuple[str, ...]:
    meaning = f"{one.meaning}; {one.remedy}" if one.remedy else one.meaning
    account = (one.account,) if named else ()
    return (f"{one.calls:,}", *account, one.state.value, plain(one.reason, 80), plain(meaning))


def _shares(
    name: str, shares: Sequence[Share], brief: Sequence[Share], *, named: bool = False
) -> Table:
    """Return a table of shares; ``named``: with the account of each, as several have the same."""
    rows = tuple(_share(one, named=named) for one in shares)
    few = tuple(_share(one, *(_BESIDE if named else (_NAME,)), named=named) for one in brief)
    columns = (name, *_ACCOUNT[:named], *_NUMBERS)
    return Table(columns, rows, frozenset(_NUMBERS), brief=few)


def _share(
    one: Share, most: int = 200, most_of_account: int = 200, *, named: bool = False
) -> tuple[str, ...]:
    counts = one.counts
    figures = (counts.archived, counts.without, counts.waiting, counts.lost, counts.failed)
    name = plain(one.name, most) or "not known"
    # What stands for all others is of no account alone.
    account = (plain(one.account, most_of_account) or "-",) if named else ()
    numbers = (f"{number:,}" if number else "-" for number in figures)
    return (name, *account, f"{counts.calls:,}", *numbers)


def _brought(morning: Morning) -> Iterator[tuple[str, ...]]:
    for one in morning.sources:
        for brought in one.brought:
            yield (brought.source, one.account, f"{brought.calls:,}", f"{brought.alone:,}")


def _silences(morning: Morning, zone: ZoneInfo) -> Iterator[Item]:
    for one in morning.sources:
        lines = [
            silence_text(brought.source, silence, zone)
            for brought in one.brought
            for silence in brought.silences
        ]
        more = [f"and {len(lines) - _SILENCES:,} times more"] if len(lines) > _SILENCES else []
        if lines:
            yield Item(one.account, (*lines[:_SILENCES], *more))
