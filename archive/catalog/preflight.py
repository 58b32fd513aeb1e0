"""What this catalog has measured, for a preflight, and which calls it does not know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archive.preflight import TALKED_S, Format, Measured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archive.catalog.database import Tx


def begin_preview(tx: Tx) -> None:
    """Begin to count, in a scratch transaction."""
    tx.run("make_previewed")


def unknown(tx: Tx, sids: Sequence[str], account: str) -> set[str]:
    """Return those of the Sids that nobody has told of, once each; in a scratch transaction."""
    found = tx.rows("preview", account=account, sids=json.dumps(list(sids)))
    return {row["sid"] for row in found}


def measured(tx: Tx, account: str) -> Measured:
    """Return what is measured. Reads all calls and recordings."""
    words = {
        bool(row["talked"]): (row["calls"], row["recorded"])
        for row in tx.rows("settled_by_word", least=TALKED_S)
    }
    formats = tuple(
        Format(
            _name(row["format"], row["channels"]), row["recordings"], row["bytes"], row["seconds"]
        )
        for row in tx.rows("formats")
    )
    last = tx.row("last_hour")
    return Measured(
        talked=words.get(True, (0, 0)),
        silent=words.get(False, (0, 0)),
        formats=formats,
        pace=(last["recordings"], last["bytes"], last["span_ms"] / 1000),
        waiting={
            row["hour"]: row["calls"] for row in tx.rows("deletions_by_hour", account=account)
        },
    )


def _name(kind: str, channels: int) -> str:
    return kind if channels < 2 else f"{kind}, {channels} channels"  # noqa: PLR2004 - stereo
