"""What the machine alone would permit in a case, and the cases themselves."""

from typing import cast

import msgspec
import pytest

from benchmarks.cases import BEST, PLAIN, Case, limit
from pathgauge import _native
from pathgauge.traffic import methods
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS


class Cost(msgspec.Struct):
    """As the native core finds it."""

    call_ns: float = 100.0
    copy_rate: float = 10e9


COST = cast("_native.OwnCost", Cost())


@pytest.mark.parametrize("case", [*PLAIN, *BEST], ids=lambda case: case.name)
def test_every_case_has_a_limit_and_peers_and_parameters_that_go_together(case: Case) -> None:
    kind = TESTS[case.test]
    methods.check(kind, case.parameters)
    assert case.peers
    assert limit(case, kind, kind.complete(case.parameters, 1500), COST) > 0


def test_a_stream_of_large_sends_is_limited_by_its_copies() -> None:
    large = next(case for case in PLAIN if case.name == "TCP_STREAM 64K")
    found = limit(large, TESTS["TCP_STREAM"], large.parameters, COST)
    assert found == pytest.approx(8 * 65536 / (100e-9 + 65536 / 10e9))


def test_a_stream_of_small_sends_is_limited_by_its_calls() -> None:
    small = next(case for case in PLAIN if case.name == "UDP_STREAM 64")
    segmented = next(case for case in BEST if case.name == "best UDP 64")
    plain = limit(small, TESTS["UDP_STREAM"], small.parameters, COST)
    assert plain < 8 * 64 / 100e-9
    assert limit(segmented, TESTS["UDP_STREAM"], segmented.parameters, COST) > 10 * plain


def test_a_transaction_is_four_calls_and_four_copies() -> None:
    case = next(case for case in PLAIN if case.name == "TCP_RR 1K/1K")
    found = limit(case, TESTS["TCP_RR"], Parameters(request_size=1024, response_size=1024), COST)
    assert 1 / found == pytest.approx(4 * 100e-9 + 4 * 1024 / 10e9)
