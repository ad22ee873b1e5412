"""Readings of counters: their names, and what two readings say together."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.counters.reading import NARROW, Counters, difference, merged, part

NAMES = st.text(alphabet="ab.", min_size=1, max_size=4)
NUMBERS = st.dictionaries(NAMES, st.integers(0, 2**64 - 1), max_size=5)
NARROW_NUMBERS = st.dictionaries(NAMES, st.integers(0, NARROW - 1), max_size=5)


def test_a_reading_is_a_mapping_of_all_that_it_holds() -> None:
    reading = Counters({"a": 1}, {"b": 2}, {"c": 3})
    assert dict(reading) == {"a": 1, "b": 2, "c": 3}
    assert len(reading) == 3
    assert "d" not in reading
    with pytest.raises(KeyError):
        reading["d"]


def test_a_difference_is_by_kind() -> None:
    before = Counters({"up": 5, "fell": 9, "gone": 1}, {"wrapped": NARROW - 2, "same": 7, "leapt": 0}, {"level": 3})
    after = Counters({"up": 8, "fell": 2, "new": 4}, {"wrapped": 3, "same": 7, "leapt": NARROW // 2}, {"level": 1})
    assert difference(before, after) == Counters({"up": 3}, {"wrapped": 5, "same": 0}, {"level": 1})


@given(NUMBERS, NARROW_NUMBERS, NUMBERS)
def test_the_difference_to_itself_is_zero(
    rising: Mapping[str, int], narrow: Mapping[str, int], gauges: Mapping[str, int]
) -> None:
    reading = Counters(rising, narrow, gauges)
    assert difference(reading, reading) == Counters(dict.fromkeys(rising, 0), dict.fromkeys(narrow, 0), dict(gauges))
    assert difference(Counters(), reading) == Counters({}, {}, dict(gauges))


@given(st.integers(0, NARROW - 1), st.integers(0, NARROW // 2 - 1))
def test_a_narrow_counter_may_wrap_once(start: int, step: int) -> None:
    before, after = Counters({}, {"n": start}, {}), Counters({}, {"n": (start + step) % NARROW}, {})
    assert difference(before, after)["n"] == step


@given(NUMBERS, NARROW_NUMBERS, NUMBERS)
def test_what_is_put_under_a_name_is_found_within_it(
    rising: Mapping[str, int], narrow: Mapping[str, int], gauges: Mapping[str, int]
) -> None:
    reading = Counters(rising, narrow, gauges)
    other = Counters({"other.a": 1}, {"clientele": 2}, {"cl": 3})
    assert merged([other, reading.under("client")]).within("client") == reading
    assert merged([reading, Counters()]) == reading


@given(st.text())
def test_a_foreign_word_is_one_bounded_part(word: str) -> None:
    made = part(word)
    assert "." not in made
    assert " " not in made
    assert len(made) <= 64
    assert made.isprintable()


def test_a_device_keeps_its_name_but_for_dots() -> None:
    assert part("eth0.100") == "eth0/100"
    assert part("macvlan-2_x@if3:y") == "macvlan-2_x@if3:y"
