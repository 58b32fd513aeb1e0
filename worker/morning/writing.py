"""Writes a report down: in one of its forms, to a file, or into a parcel that is sent."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from archive.morning.facts import Level
from worker.morning.head import headed
from worker.morning.markdown import render_markdown
from worker.morning.page import render_page
from worker.morning.pictures import pictures
from worker.morning.text import render_coloured, render_text
from worker.morning.unreadable import Unreadable
from worker.morning.words import document_of
from worker.outputs import not_written
from worker.sending.parcel import Attachment, Parcel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archive.morning.facts import Morning
    from worker.morning.document import Document

FORMS: Final = ("text", "markdown", "json", "html")
_SUFFIXES: Final = {"html": "html", "markdown": "md", "json": "json"}


def render(told: Morning | Unreadable, form: str, *, coloured: bool = False) -> str:
    """Return a report in one of `FORMS`; in JSON it has the facts alone.

    ``coloured`` is text for a terminal; `click.echo` and `click.unstyle` take the colours out.
    """
    match form:
        case "html":
            charts = {} if isinstance(told, Unreadable) else pictures(told)
            return render_page(_document(told), charts)
        case "markdown":
            return render_markdown(_document(told))
        case "json":
            return json_line(told)
    document = _document(told)
    return render_coloured(document) if coloured else render_text(document)


def _document(told: Morning | Unreadable) -> Document:
    return headed(told) if isinstance(told, Unreadable) else document_of(told)


def json_line(document: object) -> str:
    """Return one line of JSON, with its end."""
    return msgspec.json.encode(document).decode() + "\n"


def parcel_of(told: Morning | Unreadable, attach: Iterable[str]) -> Parcel:
    """Return a report to be sent: as text, with the forms that are to be attached."""
    document = _document(told)
    return Parcel(
        headline=document.sentence,
        text=render_text(document),
        attachments=tuple(
            Attachment(f"callvault-{told.day}.{_SUFFIXES[form]}", form, render(told, form))
            for form in dict.fromkeys(attach)
        ),
        is_problem=not told.verdict.is_clean,
        is_failure=told.verdict.level is not Level.COMPLETE,
    )


def write_file(path: Path, text: str) -> None:
    """Write a file at once or not at all: nobody sees half of it.

    Raises:
        InputError: it cannot be written there.
        FatalError: the disk is full, or fails.
    """
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        doing, hint = f"writing the report {path}", "name another with --output"
        raise not_written(error, doing, hint=hint) from error
