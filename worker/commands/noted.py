"""Commands whose runs are noted in the catalog: when each began and ended, how, and its figures."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

import click

from archive.catalog import runs
from archive.catalog.database import open_database
from archive.clock import system_clock
from archive.errors import CallvaultError, CatalogError, Exit, NoCatalogError
from worker.endings import READER_GONE
from worker.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from archive.catalog.database import Tx
    from worker.settings import Settings

_NOTE: Final = "callvault.note"
_LONGEST: Final = 300
_PATIENCE_S: Final = 5.0
"""How long a note waits for the catalog: no run fails, or lasts much longer, for want of one."""


class Noted(click.Command):
    """A command each of whose runs is noted, but for one that was only asked what it would do.

    Nor is one kept that ended with a mistake of who typed it before anything was done.

    ``only`` names the flag without which it has no end, and is not noted. ``at_end`` is for what
    copies the catalog: its beginning is not noted, since the copy would have it for ever. ``named``
    are the options, by their parameters, that make another thing of it, so that they are noted.
    ``load`` reads the settings, for who has to tell somebody that they cannot be read.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's
        only: str = "",
        named: Mapping[str, str] | None = None,
        at_end: bool = False,
        load: Callable[[Path | None, Mapping[str, str]], Settings] = load_settings,
        **kwargs: Any,  # noqa: ANN401 - click's
    ) -> None:
        super().__init__(*args, **kwargs)
        self._only = only
        self._named = named or {}
        self._at_end = at_end
        self._load = load

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what the command returns
        """Run the command between two notes."""
        if ctx.params.get("dry_run") or not (ctx.params[self._only] if self._only else True):
            return super().invoke(ctx)
        settings = self._load(ctx.obj, os.environ)
        where, host = settings.catalog.url, settings.worker.host or socket.gethostname()
        more = [option for name, option in self._named.items() if ctx.params.get(name)]
        run = runs.begun(" ".join([_typed(ctx), *more]), host=host, now=system_clock())
        if not self._at_end:
            _write(where, lambda tx: runs.begin(tx, run))
        code, error = int(Exit.UNEXPECTED), ""
        try:
            result = super().invoke(ctx)
            code = result if isinstance(result, int) else Exit.COMPLETE
        except CallvaultError as met:
            code, error = met.exit_code, met.message.partition("\n")[0]
            raise
        except click.ClickException:
            code = Exit.USAGE
            raise
        except (click.Abort, KeyboardInterrupt):
            code = 128 + 2
            raise
        except BrokenPipeError:
            code = READER_GONE
            raise
        finally:
            figures = str(ctx.meta.get(_NOTE, ""))
            note, now = (error or figures)[:_LONGEST], system_clock()
            if code == Exit.USAGE and not figures:
                written = _write(where, lambda tx: runs.forget(tx, run))
            else:
                written = _write(where, lambda tx: runs.end(tx, run, code=code, note=note, now=now))
            # Who has met an error has said what is wrong.
            if not (written or error):
                click.echo("note: the catalog could not be told how this run ended", err=True)
        return result


def note_of_run(text: str) -> None:
    """Give the run of the present command its figures; the last word counts."""
    ctx = click.get_current_context(silent=True)
    if ctx is not None:
        ctx.meta[_NOTE] = text


def _typed(ctx: click.Context) -> str:
    """Return the command as it is typed: ``enqueue cdr``."""
    below: list[str] = []
    at: click.Context | None = ctx
    while at is not None and at.parent is not None:
        below.insert(0, at.info_name or "")
        at = at.parent
    return " ".join(below)


def _write(where: str, work: Callable[[Tx], None]) -> bool:
    """Write to the catalog that there is; return whether that could be done.

    What is wrong with the catalog is for the command itself to say, and none is made here.
    """
    try:
        database = open_database(where, patience_s=_PATIENCE_S, make=False)
        try:
            with database.write() as tx:
                work(tx)
        finally:
            database.close()
    except NoCatalogError:
        return True
    except CatalogError:
        return False
    return True
