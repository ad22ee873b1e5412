import pytest

from pathgauge.errors import UserError
from pathgauge.paths.steering import cpus_of, mask_of, written


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
