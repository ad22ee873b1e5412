import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.errors import UserError
from pathgauge.paths.steering import Masks, cpus_of, mask_of, masks_of, one_cpu, same, written


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("off", set()), ("0", {0}), ("1+3", {1, 3}), ("0-2", {0, 1, 2}), ("0+2-3", {0, 2, 3}), ("8191", {8191})],
)
def test_cpus(text: str, cpus: set[int]) -> None:
    assert cpus_of(text) == cpus


@pytest.mark.parametrize(
    ("bits", "mask"),
    [(0, "0"), (2, "2"), (1 << 31, "80000000"), (1 << 32, "1,00000000"), (5 | 1 << 65, "2,00000000,00000005")],
)
def test_masks_are_as_the_kernel_reads_them(bits: int, mask: str) -> None:
    assert written(bits) == mask


def test_only_cpus_that_are_online_have_a_mask() -> None:
    assert mask_of("off") == "0"
    assert mask_of("0") == "1"
    with pytest.raises(UserError, match="CPU 8191 is not online"):
        mask_of("0+8191")


@given(st.integers(0, 2**200 - 1))
def test_masks_are_compared_by_their_cpus(bits: int) -> None:
    mask = written(bits)
    assert same(mask, "0" * 8 + "," + mask)
    assert not same(mask, written(bits + 1))
    assert one_cpu(mask) == (bits != 0 and bits & (bits - 1) == 0)


def test_one_mask_for_both_sides_or_one_each() -> None:
    cpu = min(os.sched_getaffinity(0))
    mask = written(1 << cpu)
    assert masks_of(str(cpu)) == Masks(mask, mask)
    assert masks_of(f"{cpu}/off") == Masks(mask, "0")
    with pytest.raises(UserError, match="CPU 8000 is not online"):
        masks_of(f"{cpu}/8000")
