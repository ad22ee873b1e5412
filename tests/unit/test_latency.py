"""Latency histograms: layout, values, round trip through the standard encoding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathgauge import _native
from pathgauge.results.latency import LARGEST_NS, Histogram, seconds


@given(st.integers(min_value=1, max_value=2**37 - 1))
def test_a_place_stands_for_its_value_to_three_digits(nanoseconds: int) -> None:
    place = _native.histogram_index(nanoseconds)
    assert float(seconds(place)) * 1e9 == pytest.approx(nanoseconds, rel=1e-3, abs=0.5)


def test_places_ascend_in_value() -> None:
    values = seconds(np.arange(_native.HISTOGRAM_SIZE))
    assert np.all(np.diff(values) > 0)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.integers(min_value=1, max_value=_native.HISTOGRAM_SIZE - 1), st.integers(1, 10**6), min_size=1, max_size=20
    )
)
def test_the_standard_encoding_keeps_every_count(counts: dict[int, int]) -> None:
    places = np.array(sorted(counts))
    original = Histogram(places, np.array([counts[place] for place in sorted(counts)]))
    copy = Histogram.decode(original.encode())
    assert copy.places.tolist() == original.places.tolist()
    assert copy.counts.tolist() == original.counts.tolist()


def test_the_encoding_is_the_librarys_own() -> None:
    from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # ships no types

    theirs = HdrHistogram(1, LARGEST_NS, 3)
    for value in (1, 2047, 2048, 70_000, 70_001, 9_999_999, LARGEST_NS):
        theirs.record_value(value, value % 7 + 1)
    encoded = theirs.encode().decode("ascii")
    assert Histogram.decode(encoded).encode() == encoded
    empty = Histogram(np.array([], dtype=np.int64), np.array([], dtype=np.int64))
    assert empty.encode() == HdrHistogram(1, LARGEST_NS, 3).encode().decode("ascii")


def test_from_raw_counts() -> None:
    raw = np.zeros(_native.HISTOGRAM_SIZE, dtype=np.uint32)
    raw[[5, 100]] = 3, 4
    found = Histogram.from_counts(raw.tobytes())
    assert found.places.tolist() == [5, 100]
    assert found.counts.tolist() == [3, 4]


@pytest.mark.parametrize("text", ["", "HISTFAAA", "not base64!", "AAAA" * 100])
def test_what_is_no_histogram_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="HDR"):
        Histogram.decode(text)
