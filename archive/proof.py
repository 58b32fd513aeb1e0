"""What is known of a recording once it is proved: the form in which it enters the catalog."""

from __future__ import annotations

import msgspec


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that is on disk, flushed and hashed.

    ``path`` and ``day_folder`` are relative to the archive's root. ``seconds`` is the duration the
    audio's head promises, None where it promises none. ``flag`` says what is odd about it, if
    anything is (`archive.flags`). ``root`` is the number of the root that it lies in, 0 for the one
    that this process writes to.
    """

    sid: str
    object_name: str
    path: str
    day_folder: str
    sha256: str
    size: int
    format: str
    channels: int
    sample_rate: int
    seconds: float | None
    flag: str = ""
    root: int = 0
