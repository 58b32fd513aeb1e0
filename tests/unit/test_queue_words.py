"""What is wrong with Redis is said as what it is, with what a person can do about it."""

from __future__ import annotations

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ExecAbortError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    WatchError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.queue import name_trouble

# What older servers say of a command that a script ran.
IN_SCRIPT = "Error running script (call to f_1): @user_script:4: -OOM command not allowed when used"
READ_ONLY_IN_SCRIPT = "Error running script: -READONLY You can't write against a read only replica."


@pytest.mark.parametrize(
    ("error", "text", "hint"),
    [
        (OutOfMemoryError("command not allowed"), "out of memory", "maxmemory"),
        (ResponseError(IN_SCRIPT), "out of memory", "maxmemory"),
        (ReadOnlyError("no"), "read-only", "[queue] url"),
        (ResponseError(READ_ONLY_IN_SCRIPT), "read-only", "[queue] url"),
        (AuthenticationError("WRONGPASS"), "does not let us in", "password"),
        (NoPermissionError("NOPERM"), "does not let us in", "may do"),
        (BusyLoadingError("LOADING"), "still loading", "goes on"),
        (ResponseError("MISCONF Errors writing to the AOF file"), "refuses to work", "its log"),
        (RedisConnectionError("refused"), "does not answer", "[queue] url"),
        (RedisTimeoutError("Timeout reading"), "does not answer", "[queue] url"),
        (WatchError("changed"), "does not answer", "goes on"),
        (ConnectionResetError(104, "reset"), "does not answer", "[queue] url"),
    ],
)
def test_each_trouble_has_its_words(error: RedisError | OSError, text: str, hint: str) -> None:
    """Its own words stay, for whoever looks for them."""
    trouble = name_trouble(error)
    assert text in trouble.text
    assert str(error) in trouble.text
    assert hint in trouble.hint


def test_what_a_transaction_refused_is_told_as_what_it_is() -> None:
    """redis-py raises the refusal itself, and the transaction's end as its cause."""
    error = ReadOnlyError("You can't write against a read only replica.")
    error.__cause__ = ExecAbortError("Transaction discarded because of previous errors.")
    assert name_trouble(error).text.startswith("Redis is read-only")
