"""Calls with more than one recording: names, sounds, and what is said of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import several, truth
from sandbox.calls import FormatChoice, Provider
from sandbox.stats import Stats

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROVIDER = Provider(
    calls=400,
    first=NOW - timedelta(days=1),
    span=timedelta(hours=12),
    zone=UTC,
    launched=NOW,
    several=0.4,
)
ALL = [several.of_call(PROVIDER, PROVIDER.call(index)) for index in range(PROVIDER.calls)]


def test_a_share_of_the_recorded_calls_has_two_or_three() -> None:
    """The share is that of the recorded calls; the others have one, or none."""
    counts = [len(recordings) for recordings in ALL if recordings]
    assert {1, 2, 3} == set(counts)
    assert 0.33 < sum(count > 1 for count in counts) / len(counts) < 0.47
    one = replace(PROVIDER, several=0.0)
    assert {0, 1} == {len(several.of_call(one, one.call(index))) for index in range(400)}


def test_every_recording_is_found_by_its_name() -> None:
    """Each name leads back to its recording, and all names differ."""
    everything = [one for recordings in ALL for one in recordings]
    assert everything == [several.find(PROVIDER, one.name) for one in everything]
    assert len(everything) == len({one.name for one in everything})
    assert any("." in one.name[:-4] for one in everything if one.place)


@settings(deadline=None)
@given(st.text("0123456789_.mp3wav", max_size=20))
def test_no_made_up_name_is_found(name: str) -> None:
    """A name that was never given leads nowhere, a number too high neither."""
    found = several.find(PROVIDER, name)
    assert found is None or found.name == name
    for recordings in (one for one in ALL if one):
        stem, _, extension = str(recordings[0].call.object_name).rpartition(".")
        beyond = f"{stem.removesuffix('_1')}_{len(recordings) + 1}.{extension}"
        assert several.find(PROVIDER, beyond) is None
        break


@pytest.mark.parametrize("size", [None, 20_000])
@pytest.mark.parametrize("formats", FormatChoice)
def test_further_recordings_sound_otherwise(formats: FormatChoice, size: int | None) -> None:
    """The recordings of a call have one format and share no bytes; the first is unchanged."""
    provider = replace(PROVIDER, formats=formats, recording_bytes=size)
    for call in (PROVIDER.call(index).index for index, found in enumerate(ALL) if len(found) == 3):
        recordings = several.of_call(provider, provider.call(call))[:3]
        sounds = [several.audio(provider, one.index) for one in recordings]
        assert provider.audio(call) == sounds[0]
        wholes = {sound.whole() for sound in sounds if sound}
        assert len(wholes) == 3
        assert len({sound.media_type for sound in sounds if sound}) == 1
        break


def test_the_truth_lists_all() -> None:
    """The truth's fields are those of the first recording, which leads the list of all."""
    index = next(index for index, found in enumerate(ALL) if len(found) > 1)
    told = truth.of_call(PROVIDER, index)
    recordings = told["recordings"]
    assert isinstance(recordings, list)
    assert [one.name for one in ALL[index]] == [one["object"] for one in recordings]
    names = ("object", "url_path", "bytes", "sha256", "seconds")
    assert all(told[name] == recordings[0][name] for name in names)


def test_each_recording_counts_as_distinct() -> None:
    """The recordings of a call are counted apart."""
    stats = Stats(PROVIDER.calls)
    for _ in range(2):
        for recordings in ALL:
            for one in recordings:
                stats.served(one.index)
    expected = sum(map(len, ALL))
    assert {"total": 2 * expected, "distinct": expected} == stats.shown()["downloads"]
