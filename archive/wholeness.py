"""Whether a recording on disk is whole audio, from its first byte to its last. The one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archive.audio import NotAudioError, look_at_head

if TYPE_CHECKING:
    from pathlib import Path

_HEAD: Final = 65_536


def damage_in(path: Path) -> str:
    """Return in a word what is damaged within a recording; empty if nothing is. Blocks.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    try:
        look_at_head(head, path.stat().st_size)
    except NotAudioError as error:
        return error.reason
    return ""
