"""Jain's index, and slices of copies that ran at once as one slice."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arms_twin import TwinArm
from pathgauge.measuring.crowd import rate, summed
from pathgauge.results.document import Slice
from pathgauge.results.latency import Histogram
from pathgauge.statistics.fairness import jain
from pathgauge.traffic.metrics import METRICS
from pathgauge.traffic.registry import TESTS

SHARES = st.lists(st.floats(0.0, 1e12, allow_subnormal=False), min_size=1, max_size=50)
STREAM, RR = TESTS["TCP_STREAM"], TESTS["TCP_RR"]


@given(SHARES)
def test_the_index_lies_between_one_for_all_and_all_for_one(shares: list[float]) -> None:
    found = jain(shares)
    if max(shares) == 0.0:
        assert found is None
    else:
        assert found is not None
        assert 1.0 / len(shares) * (1 - 1e-9) <= found <= 1.0 + 1e-9


@given(SHARES, st.floats(1e-3, 1e3))
def test_the_index_knows_neither_unit_nor_order(shares: list[float], unit: float) -> None:
    there, here = jain(shares), jain([share * unit for share in reversed(shares)])
    assert there == here or math.isclose(there or 0.0, here or 0.0, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("shares", "index"), [([5.0, 5.0], 1.0), ([7.0, 0.0, 0.0, 0.0], 0.25), ([1.0, 3.0], 0.8), ([], None), ([0.0], None)]
)
def test_known_indices(shares: list[float], index: float | None) -> None:
    assert jain(shares) == (None if index is None else pytest.approx(index))


def piece(received: int, seconds: float, **fields: object) -> Slice:
    row = TwinArm("a").measure(0.0, 1.0).row
    return msgspec.structs.replace(row, bytes_received=received, remote_seconds=seconds, **fields)


@given(st.lists(st.tuples(st.integers(0, 10**12), st.floats(0.01, 10.0)), min_size=1, max_size=20))
def test_the_whole_runs_at_the_sum_of_the_rates(parts: list[tuple[int, float]]) -> None:
    rows = [piece(received, seconds) for received, seconds in parts]
    whole = summed(rows, [STREAM] * len(rows))
    assert whole.bytes_received == sum(received for received, _ in parts)
    assert rate(whole, STREAM) == pytest.approx(sum(rate(row, STREAM) for row in rows), rel=1e-9)
    assert min(seconds for _, seconds in parts) * 0.999 <= whole.remote_seconds


def test_an_ends_cpu_is_counted_once_and_retransmits_of_all() -> None:
    rows = [piece(1000, 1.0, cpu_local_seconds=0.5, local_seconds=1.0, retransmits=2) for _ in range(4)]
    whole = summed(rows, [STREAM] * 4)
    assert whole.cpu_local_seconds == pytest.approx(0.5 * whole.local_seconds)
    assert whole.retransmits == 8
    assert whole.machine_seconds == rows[0].machine_seconds
    assert whole.busy_seconds is whole.congestion_window is None
    assert summed([*rows, piece(1, 1.0, retransmits=None)], [STREAM] * 5).retransmits is None


def test_transactions_of_all() -> None:
    rows = [piece(0, 1.0, transactions=done, local_seconds=2.0) for done in (100, 300)]
    assert rate(summed(rows, [RR, RR]), RR) == pytest.approx(200.0)


@given(st.tuples(*[st.integers(1, 10**12)] * 4), st.tuples(*[st.floats(0.01, 10.0)] * 4))
def test_both_directions_run_at_the_sum_of_the_rates(moved: tuple[int, ...], seconds: tuple[float, ...]) -> None:
    row = TwinArm("a").measure(0.0, 1.0).row
    there = msgspec.structs.replace(
        row, bytes_sent=moved[0], bytes_received=moved[1], local_seconds=seconds[0], remote_seconds=seconds[1]
    )
    back = msgspec.structs.replace(
        row, bytes_sent=moved[2], bytes_received=moved[3], local_seconds=seconds[2], remote_seconds=seconds[3]
    )
    whole = summed([there, back], [STREAM, STREAM.reversed()])
    assert rate(whole, STREAM) == pytest.approx(moved[1] / seconds[1] + moved[3] / seconds[2])
    assert whole.bytes_sent / whole.local_seconds == pytest.approx(moved[0] / seconds[0] + moved[2] / seconds[3])


def test_fairness_is_a_metric_of_copies_alone() -> None:
    terms = METRICS["fairness"].terms
    assert terms is not None
    assert terms(piece(1, 1.0), STREAM) is None
    assert terms(piece(1, 1.0, fairness=0.9), STREAM) == (0.9, 1.0)
    assert "fairness" not in STREAM.metrics
    assert STREAM.of_many().metrics == (*STREAM.metrics, "fairness")


@given(st.lists(st.dictionaries(st.integers(0, 30000), st.integers(1, 1000), max_size=8), min_size=1, max_size=6))
def test_summed_histograms_count_every_one(parts: list[dict[int, int]]) -> None:
    made = [Histogram(np.array(sorted(part), dtype=np.int64), np.array([part[k] for k in sorted(part)], dtype=np.int64))
            for part in parts]  # fmt: skip
    whole = Histogram.summed(made)
    expected = {place: sum(part.get(place, 0) for part in parts) for part in parts for place in part}
    assert dict(zip(whole.places.tolist(), whole.counts.tolist(), strict=True)) == expected
    assert whole.places.tolist() == sorted(expected)
