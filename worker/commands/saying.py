"""What is said while exports are taken in, and of what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import click
import msgspec

from archive.errors import InputError
from worker.commands.options import print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archive.catalog.rows import NewCall
    from jobs.cdr import Rejected
    from jobs.cdr_facts import UnreadTimes
    from jobs.intake import Report
    from jobs.rejected import RejectedFile
    from worker.commands.preflight import Ahead

Found: TypeAlias = "NewCall | Rejected | InputError | str"
"""What comes of an export: rows, and between them why some of it is not read, and notes."""
Noun: TypeAlias = "tuple[str, str]"
"""What one is called, and what several are."""
ROWS: Final[Noun] = ("row read", "rows read")
SIDS: Final[Noun] = ("Sid", "Sids")
LISTED: Final[Noun] = ("call listed", "calls listed")
_NEW: Final[Noun] = ("call new", "calls new")
_REJECTED: Final[Noun] = ("row rejected", "rows rejected")
_REJECTED_SHOWN: Final = 20


class Said:
    """Says what happens: rejected rows and notes on stderr, the result on stdout."""

    def __init__(self, *, as_json: bool, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._rejected = 0
        self.kept: RejectedFile | None = None
        self.refused: list[InputError] = []

    def rejected(self, row: Rejected) -> None:
        """Report a row that cannot be used; the first few at once, the rest as a count."""
        self._rejected += 1
        if self._rejected <= _REJECTED_SHOWN:
            click.echo(f"{row.file}:{row.line}: {row.reason}", err=True)
        if self.kept is not None:
            self.kept.add(row)

    def note(self, text: str) -> None:
        """Say something a person should know."""
        click.echo(f"note: {text}", err=True)

    def refuse(self, error: InputError, *, aloud: bool) -> None:
        """Keep why a file was not read, and say it where there are others that go on."""
        self.refused.append(error)
        if aloud:
            self.error(error)

    def error(self, error: InputError) -> None:
        """Say an error in the form in which the last one is said."""
        click.echo(f"callvault: {error.message}\n  hint: {error.hint}", err=True)

    def told(self, rows: Iterable[Found], *, aloud: bool) -> Iterator[NewCall | Rejected]:
        """Pass on the rows of a file, and say what stands between them."""
        for row in rows:
            if isinstance(row, InputError):
                self.refuse(row, aloud=aloud)
            elif isinstance(row, str):
                self.note(row)
            else:
                yield row

    def file(self, file: str, report: Report) -> None:
        """Say what came of one of several files."""
        click.echo(f"{file}: {counted(report, ROWS)}", err=True)

    def report(
        self, report: Report, noun: Noun, *, dry_run: bool, ahead: Ahead | None = None
    ) -> None:
        """Print what came of it."""
        hidden = self._rejected - _REJECTED_SHOWN
        if hidden > 0:
            click.echo(f"... and {hidden:,} more rows rejected", err=True)
        if self.kept is not None and self.kept.is_written:
            self.note(f"rejected rows are in {self.kept.path}; they can be corrected and fed in")
        if self._quiet:
            return
        if self._as_json:
            document = msgspec.to_builtins(report)
            print_json({**document, "preflight": ahead.told} if ahead else document)
            return
        would = " (dry run: nothing was changed)" if dry_run else ""
        click.echo(f"{counted(report, noun)}{would}")
        for line in ahead.lines() if ahead else ():
            click.echo(line)


def counted(report: Report, noun: Noun) -> str:
    """Say what came of taking in, in one line."""
    return (
        f"{_number(report.rows, noun)}: {_number(report.new, _NEW)}, "
        f"{report.known:,} already known, {_number(report.rejected, _REJECTED)}"
    )


def _number(count: int, noun: Noun) -> str:
    return f"{count:,} {noun[count != 1]}"


def unread_times(file: str, times: UnreadTimes) -> str:
    """Say that times were not understood: their calls are kept, and dates asked for."""
    exports = "The provider exports YYYY-MM-DD HH:MM:SS"
    if times.count == 1:
        one = f"a time cannot be read, {times.first}; its call is kept without it"
        return f"{file}: {one}. {exports}"
    many = f"{times.count:,} times cannot be read, the first is {times.first}"
    return f"{file}: {many}; their calls are kept without them. {exports}"
