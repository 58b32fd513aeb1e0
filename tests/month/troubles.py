"""One bad night of each kind: what is done to the house, and what its report has to say of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.month.house import House

_FEW: Final = 5


class Trouble(msgspec.Struct, frozen=True):
    """A kind of bad night.

    ``codes`` are the exit codes that its units may end with beside 0, ``says`` what one of the
    outputs of that night or its morning has to hold.
    """

    name: str
    what: str
    happens: Callable[[House], AbstractContextManager[None]]
    codes: frozenset[int]
    says: tuple[str, ...]


@contextmanager
def _provider_away(house: House) -> Iterator[None]:
    house.provider.spoil({"kind": "outage", "where": "all"})
    yield
    house.provider.heal()


@contextmanager
def _key_refused(house: House) -> Iterator[None]:
    with house.with_environment(EXOTEL_API_KEY="a-key-that-was-revoked"):
        yield


@contextmanager
def _nothing_listed(house: House) -> Iterator[None]:
    house.provider.spoil({"kind": "leave-out", "where": "listing", "parameters": {"rows": 1}})
    yield
    house.provider.heal()


@contextmanager
def _disk_full(house: House) -> Iterator[None]:
    with house.with_environment(CALLVAULT_ARCHIVE_MIN_FREE="100000TiB"):
        yield


@contextmanager
def _machine_off(house: House) -> Iterator[None]:
    house.is_off = True
    yield
    house.is_off = False


@contextmanager
def _recordings_gone(house: House) -> Iterator[None]:
    house.provider.spoil(
        *({"kind": "not-found", "where": "hosts", "sid": sid} for sid in _talked(house)[:_FEW])
    )
    yield
    house.provider.heal()


@contextmanager
def _recordings_cut(house: House) -> Iterator[None]:
    sids = _talked(house)[:_FEW]
    house.provider.spoil({"kind": "cut", "where": "hosts", "sid": sids, "in_row": None})
    yield
    house.provider.heal()


@contextmanager
def _throttled(house: House) -> Iterator[None]:
    rule = {"kind": "too-many", "where": "api", "times": 12, "parameters": {"retry_after": 2}}
    house.provider.spoil({**rule, "in_row": None})
    yield
    house.provider.heal()


@contextmanager
def _killed(house: House) -> Iterator[None]:
    house.kills = 1
    yield
    house.kills = 0


@contextmanager
def _disk_rots(house: House) -> Iterator[None]:
    for path in house.recordings()[:_FEW]:
        path.write_bytes(path.read_bytes()[:-100])
    yield
    # What the report's reader does; the next night fetches them.
    house.run("by-hand", ("verify", "--repair"))


@contextmanager
def _channels_away(house: House) -> Iterator[None]:
    house.sink.is_away = True
    yield
    house.sink.is_away = False


@contextmanager
def _spoilt(house: House) -> Iterator[None]:
    house.provider.spoil({"share": 0.2})
    yield
    house.provider.heal()


@contextmanager
def _recording_off(house: House) -> Iterator[None]:
    house.provider.spoil(
        {"kind": "null-url", "where": "api", "parameters": {"rows": 1}, "in_row": None}
    )
    yield
    house.provider.heal()


def _talked(house: House) -> list[str]:
    """Return the Sids of yesterday's calls that have a recording, as the provider knows them."""
    return sorted(
        call["sid"]
        for call in house.provider.truth()
        if call["recordings"] and call["started_at"].startswith(house.yesterday)
    )


TROUBLES: Final = {
    2: Trouble("provider-away", "no answer all night", _provider_away, frozenset({5}), ()),
    4: Trouble("key-refused", "the key was revoked", _key_refused, frozenset({7}), ()),
    6: Trouble("nothing-listed", "an empty listing", _nothing_listed, frozenset({5}), ()),
    8: Trouble("disk-full", "no room for recordings", _disk_full, frozenset({7}), ()),
    10: Trouble("machine-off", "no timer fired", _machine_off, frozenset(), ()),
    12: Trouble("recordings-gone", "five give 404", _recordings_gone, frozenset({5, 6}), ()),
    14: Trouble("recordings-cut", "five come cut", _recordings_cut, frozenset({6}), ()),
    16: Trouble("throttled", "429 to a dozen requests", _throttled, frozenset({5}), ()),
    18: Trouble("killed", "the drain is killed", _killed, frozenset({-9}), ()),
    20: Trouble("disk-rots", "five files lose their end", _disk_rots, frozenset({6}), ()),
    22: Trouble("channels-away", "nobody takes the report", _channels_away, frozenset(), ()),
    24: Trouble("spoilt", "a fifth of all answers is wrong", _spoilt, frozenset({5, 6}), ()),
    26: Trouble("recording-off", "no call has a URL", _recording_off, frozenset(), ()),
}
"""By night; those in between are good ones, which have to make up for what was missed."""
