"""A live view on a terminal, or as lines elsewhere, until somebody has seen enough."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from worker.commands.options import print_json
from worker.live.facts import document
from worker.live.lines import ASCII, UNICODE, Line
from worker.live.sections import plain_line
from worker.live.view import Shape, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from worker.live.facts import Facts

_QUIT: Final = frozenset(b"qQ\x03\x04")
"""q, and what Ctrl-C and Ctrl-D are where the terminal does not make signals of them."""
_CHUNK: Final = 64


def is_a_screen(console: Console) -> bool:
    """Tell whether what is written to can be drawn on."""
    return console.is_terminal and not console.is_dumb_terminal and sys.stdout.isatty()


def has_unicode(console: Console, environment: Mapping[str, str]) -> bool:
    """Tell whether a terminal shows more than ASCII.

    Python writes UTF-8 in the locales C and POSIX as well (PEP 538, 540), so that its encoding
    says nothing there; who chose one of them has said what the terminal can show.
    """
    chosen = next(filter(None, map(environment.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return not console.options.ascii_only and chosen not in {"C", "POSIX"}


def styled(lines: list[Line]) -> Group:
    """Return lines as rich draws them; nothing in them is read as markup."""
    return Group(*(Text.assemble(*line, no_wrap=True, overflow="crop") for line in lines))


async def show_screen(
    look: Callable[[], Facts], *, every_s: float, zone: ZoneInfo, console: Console
) -> None:
    """Draw what ``look`` returns, again and again, until q, Ctrl-C or SIGTERM.

    The terminal is as it was before, whatever ends this.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    quitting, resized = asyncio.Event(), asyncio.Event()
    facts = await asyncio.to_thread(look)
    glyphs = UNICODE if has_unicode(console, os.environ) else ASCII

    def picture() -> Group:
        shape = Shape(console.size.width, console.size.height, glyphs, zone)
        return styled(draw(facts, shape))

    with (
        _signals({signal.SIGINT: quitting, signal.SIGTERM: quitting, signal.SIGWINCH: resized}),
        _keys(quitting),
        Live(
            picture(), console=console, screen=True, auto_refresh=False, redirect_stderr=False
        ) as live,
    ):
        live.refresh()
        while not quitting.is_set():
            await _either(quitting, resized, every_s)
            if quitting.is_set():
                break
            if resized.is_set():
                resized.clear()
            else:
                looking = asyncio.ensure_future(asyncio.to_thread(look))
                leaving = asyncio.ensure_future(quitting.wait())
                await asyncio.wait({looking, leaving}, return_when=asyncio.FIRST_COMPLETED)
                leaving.cancel()
                if not looking.done():
                    break
                facts = looking.result()
            live.update(picture(), refresh=True)


async def show_lines(
    look: Callable[[], Facts], *, every_s: float, zone: ZoneInfo, as_json: bool
) -> None:
    """Write a line, or a JSON document, a period; until Ctrl-C, SIGTERM or nobody reads.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    quitting = asyncio.Event()
    shape = Shape(0, 0, ASCII, zone)
    with _signals({signal.SIGINT: quitting, signal.SIGTERM: quitting}):
        while not quitting.is_set():
            facts = await asyncio.to_thread(look)
            try:
                if as_json:
                    print_json(document(facts))
                else:
                    click.echo(plain_line(facts, shape))
            except BrokenPipeError:
                _write_nowhere()
                return
            await _either(quitting, asyncio.Event(), every_s)


def _write_nowhere() -> None:
    """Nobody reads any more: what is left to be flushed at the end is no error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


async def _either(one: asyncio.Event, other: asyncio.Event, most_s: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    await asyncio.wait(waits, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


@contextmanager
def _signals(events: dict[signal.Signals, asyncio.Event]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number, event in events.items():
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in events:
            loop.remove_signal_handler(number)


@contextmanager
def _keys(quitting: asyncio.Event) -> Iterator[None]:
    """Take keys as they are pressed, where standard input is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        try:
            keys = os.read(handle, _CHUNK)
        except OSError:
            keys = b""
        # No key at all: the terminal has gone.
        if not keys or _QUIT & set(keys):
            quitting.set()

    tty.setcbreak(handle)
    loop.add_reader(handle, pressed)
    try:
        yield
    finally:
        loop.remove_reader(handle)
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
