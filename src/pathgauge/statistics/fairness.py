"""How evenly several share what they have in common."""

import math
from collections.abc import Sequence


def jain(shares: Sequence[float]) -> float | None:
    """Jain's index (Jain, Chiu and Hawe, 1984) of shares, none of them negative: 1 where all have the same, 1/n where
    one of n has all. None where there is nothing to share.
    """
    greatest = max(shares, default=0.0)
    if greatest <= 0.0 or not math.isfinite(greatest):
        return None
    parts = [share / greatest for share in shares]  # so that no square overflows or vanishes
    return math.fsum(parts) ** 2 / (len(parts) * math.fsum(part * part for part in parts))
