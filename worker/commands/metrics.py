"""``callvault metrics``."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from archive.clock import system_clock
from archive.errors import Exit, InputError
from worker.outputs import not_written
from worker.settings import load_settings

_SUFFIX: Final = ".prom"
_FOR_ALL: Final = 0o644


@click.command()
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write them to this file, for the textfile collector of node_exporter.",
)
@click.pass_obj
def metrics(config: Path | None, *, textfile: Path | None) -> int:
    """Tell Prometheus of all processes: what `callvault web` answers at /metrics, once.

    A catalog that cannot be read is told of as callvault_catalog_up 0, and ends it with 7.
    """
    settings = load_settings(config, os.environ)
    from worker.metrics import read_once  # noqa: PLC0415 - Prometheus' library, for this alone

    text, trouble = read_once(settings, system_clock)
    if textfile is None:
        click.echo(text, nl=False)
    else:
        write_textfile(textfile, text)
    if trouble is not None:
        raise trouble
    return Exit.COMPLETE


def write_textfile(file: Path, text: bytes) -> None:
    """Put a text in a file's place, whole or not at all, for everybody to read.

    Raises:
        InputError: the file's name is not one that is collected, or it cannot be written there.
        FatalError: the disk is full, or fails.
    """
    if file.suffix != _SUFFIX:
        raise InputError(
            f"{file.name!r} is no file that the textfile collector reads",
            hint=f"end its name in {_SUFFIX}",
        )
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with unfinished.open("xb") as out:
            os.fchmod(out.fileno(), _FOR_ALL)
            out.write(text)
        unfinished.replace(file)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise not_written(
            error,
            f"writing {file}",
            hint="name a file in the collector's folder, which has to be there and ours to write",
        ) from error
