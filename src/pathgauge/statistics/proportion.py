"""How sure a share is that was counted: k of n."""


def bounds(count: int, of: int, confidence: float) -> tuple[float, float]:
    """The exact interval of a probability that showed itself `count` times in `of` trials (Clopper and Pearson, 1934).

    `confidence` lies between 0 and 1. Without trials nothing is known: 0 to 1.
    """
    from scipy.special import betaincinv  # type: ignore[import-untyped]  # scipy ships no types

    tail = (1.0 - confidence) / 2.0
    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, tail))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 1.0 - tail))
    return low, high
