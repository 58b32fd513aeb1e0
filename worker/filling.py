"""The commented ``config.toml``, filled in: the same text that stands in the project's root.

So a file that ``callvault init`` writes shows every key there is, with its default.
"""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Value: TypeAlias = "str | int | bool | tuple[str, ...]"
Filled: TypeAlias = "Mapping[str, Mapping[str, Value]]"
"""Values by section and key."""

_SECTION: Final = re.compile(r"\[([a-z0-9_.\-]+)\]")
_KEY: Final = re.compile(r"#? ?(?P<key>\w+) = (?P<value>\S.*?)(?P<remark> +# .*)?")
_ACCOUNT: Final = "accounts.main"


def example() -> str:
    """Return the commented settings as they come with callvault."""
    return files("worker").joinpath("example.toml").read_text(encoding="utf-8")


def fill(text: str, account: str, filled: Filled) -> str:
    """Return the commented settings with these values, and all else as it is.

    The values of the account stand in the section ``account``; its section gets this name.
    """
    left = {
        (_ACCOUNT if section == "account" else section, key): value
        for section, values in filled.items()
        for key, value in values.items()
    }
    lines, section = [], ""
    for line in text.splitlines():
        written = line
        if heading := _SECTION.fullmatch(line):
            section = heading[1]
            if section == _ACCOUNT:
                written = f"[accounts.{account}]"
        elif (found := _KEY.fullmatch(line)) and (section, found["key"]) in left:
            value = left.pop((section, found["key"]))
            written = _line(found["key"], value, found["remark"] or "")
        lines.append(written)
    assert not left, left  # a key that the example does not show
    return "\n".join((*lines, ""))


def _line(key: str, value: Value, remark: str) -> str:
    given = f"{key} = {_written(value)}"
    return f"{given:<40}  {remark.strip()}".rstrip()


def _written(value: Value) -> str:
    # Texts, numbers, truth values and lists of texts are written alike in JSON and in TOML, but
    # for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
