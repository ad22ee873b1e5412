import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge import quantities
from pathgauge.errors import UserError

ODDITIES = ["", " ", "-1", "-0", "nan", "inf", "1e999", "x", "1 2", "--", "0x10", "1_000", "٣", "9" * 80, "\x1b[31m"]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1gbit", 10**9),
        ("100mbit", 10**8),
        ("2.5gbit", 2_500_000_000),
        ("10Mbps", 80_000_000),
        ("1gibit", 2**30),
        ("1KiBps", 8192),
        ("1GBIT", 10**9),
        ("8000", 8000),
        ("1e9", 10**9),
        ("34gbit", 34 * 10**9),
    ],
)
def test_rates_are_read_as_tc_reads_them(text: str, rate: int) -> None:
    assert quantities.parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "size"),
    [("128K", 131072), ("128k", 128000), ("1M", 2**20), ("1m", 10**6), ("1G", 2**30), ("1400", 1400), ("1.5K", 1536)],
)
def test_sizes_are_read_as_netperf_reads_them(text: str, size: int) -> None:
    assert quantities.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("8", 8.0), ("8s", 8.0), ("200ms", 0.2), ("50us", 50e-6), ("0.5", 0.5), ("86400s", 86400.0)]
)
def test_times(text: str, seconds: float) -> None:
    assert quantities.parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["95", "95%", "0.95", "95 %"])
def test_a_confidence_has_three_spellings(text: str) -> None:
    assert quantities.parse_confidence(text) == pytest.approx(0.95)


@pytest.mark.parametrize("text", ["49", "0.4", "100", "1", "100%", "0.95%", "95x"])
def test_confidences_that_are_none(text: str) -> None:
    with pytest.raises(UserError) as caught:
        quantities.parse_confidence(text)
    assert "95" in caught.value.hint


@pytest.mark.parametrize("text", ["2%", "2", "2 %"])
def test_percents(text: str) -> None:
    assert quantities.parse_percent(text) == pytest.approx(0.02)


@pytest.mark.parametrize("text", ["0", "0%", "100%", "250", "2ms"])
def test_margins_that_are_none(text: str) -> None:
    with pytest.raises(UserError):
        quantities.parse_margin(text)


@pytest.mark.parametrize(
    ("text", "value"), [("EF", 46), ("ef", 46), ("AF41", 34), ("CS1", 8), ("0", 0), ("63", 63), ("BE", 0), ("AF13", 14)]
)
def test_dscp(text: str, value: int) -> None:
    assert quantities.parse_dscp(text) == value


@pytest.mark.parametrize("text", ["64", "AF44", "AF", "CS8", "-1", "²", ""])
def test_dscps_that_are_none(text: str) -> None:
    with pytest.raises(UserError):
        quantities.parse_dscp(text)


@pytest.mark.parametrize("text", ["", "a" * 16, "cubic bbr", "../x", "cubic\n\0"])
def test_congestion_names_the_kernel_would_not_take(text: str) -> None:
    with pytest.raises(UserError):
        quantities.parse_congestion(text)


@pytest.mark.parametrize(("text", "value"), [("on", True), ("OFF", False), ("yes", True), ("0", False)])
def test_switches(text: str, value: bool) -> None:
    assert quantities.parse_switch(text) is value


@pytest.mark.parametrize("text", [*ODDITIES, "0"])
@pytest.mark.parametrize(
    "parse",
    [quantities.parse_rate, quantities.parse_size, quantities.parse_margin, quantities.parse_time],
    ids=lambda parse: parse.__name__,
)
def test_odd_numbers_are_refused_in_one_sentence_that_is_safe_to_print(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(UserError) as caught:
        parse(text)
    assert str(caught.value).isprintable()
    assert caught.value.hint
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (quantities.parse_rate, "11tbit"),
        (quantities.parse_rate, "999bit"),
        (quantities.parse_rate, "1parsec"),
        (quantities.parse_size, "1025M"),
        (quantities.parse_size, "0.5"),
        (quantities.parse_size, "64KB"),
        (quantities.parse_time, "86401"),
        (quantities.parse_time, "5min"),
    ],
)
def test_out_of_range_or_of_unknown_unit(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(UserError):
        parse(text)


def test_a_time_may_be_zero_only_where_told() -> None:
    assert quantities.parse_time("0", zero=True) == 0.0


@given(st.text(max_size=20))
def test_whatever_is_typed_gives_a_number_in_range_or_a_user_error(text: str) -> None:
    for parse in (quantities.parse_rate, quantities.parse_size):
        with contextlib.suppress(UserError):
            assert 1 <= parse(text) <= quantities.GREATEST_RATE


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (9.41e9, "bit/s", "9.41 Gbit/s"),
        (999.6e6, "bit/s", "1.00 Gbit/s"),
        (12.0, "bit/s", "12.0 bit/s"),
        (23.4e-6, "s", "23.4 us"),
        (1.5, "s", "1.50 s"),
        (43210.4, "1/s", "43,210 /s"),
        (12.34, "1/s", "12.3 /s"),
        (0.0012, "1", "0.120 %"),
        (0.987, "CPU", "0.987 CPU"),
        (123456.0, "us/KiB", "123000 us/KiB"),
        (0.0, "bit/s", "0 bit/s"),
        (0.0, "s", "0 s"),
        (None, "s", "unknown"),
        (math.nan, "bit/s", "unknown"),
    ],
)
def test_values_for_people(value: float | None, unit: str, text: str) -> None:
    assert quantities.format_value(value, unit) == text


@given(st.floats(min_value=8.1e3, max_value=33.9e9))
def test_a_rate_shown_is_within_half_a_percent_of_the_rate(rate: float) -> None:
    number, unit = quantities.format_rate(rate).split()
    assert quantities.parse_rate(number + unit.removesuffix("/s")) == pytest.approx(rate, rel=0.0051)


@pytest.mark.parametrize(("text", "hint"), [("hots", "did you mean host?"), ("zzz", "one of: host, macvlan")])
def test_nearest(text: str, hint: str) -> None:
    assert quantities.nearest(text, ["host", "macvlan"]) == hint
