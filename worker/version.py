"""The version of this installation."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final


def _find() -> str:
    try:
        return version("callvault")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0+unknown"


VERSION: Final = _find()
