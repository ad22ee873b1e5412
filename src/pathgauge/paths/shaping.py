"""How a wire is shaped: a token bucket (tbf) whose burst does not itself limit, and a queue behind it."""

from dataclasses import dataclass

from pathgauge.errors import UserError

# A GSO packet of 64 KiB has to fit, and what is sent between two ticks of a kernel with HZ=250; then twice the larger.
_LEAST_BURST = 128 * 1024
_TICKS_PER_SECOND = 250
_QUEUE_SECONDS = 0.020
_LEAST_QUEUE = 256 * 1024
_SLOW_SECONDS = 0.020
_FRAMES = 16 * 1024
_LONGEST_BURST = 200  # seconds; tbf counts its time in 32 bits of 64 ns

LOWEST_RATE = 8_000  # below, the burst's time overflows tbf's 32 bits
HIGHEST_RATE = 8 * (2**32 - 1)  # pyroute2 writes tbf's rate in 32 bits of bytes/s, without TCA_TBF_RATE64


@dataclass(frozen=True, slots=True)
class Shaping:
    """tbf's settings: bytes/s, bytes, bytes."""

    rate: int
    burst: int
    limit: int


def shaping(rate: int, burst: int | None = None, limit: int | None = None) -> Shaping:
    """The settings for a rate in bit/s, and for a burst and a limit in bytes where they are given.

    Raises UserError for a rate that tbf cannot hold.
    """
    if rate < LOWEST_RATE:
        raise UserError(f"a wire cannot be shaped to {rate} bit/s", hint="type a rate of at least 8kbit, such as 1gbit")
    if rate > HIGHEST_RATE:
        raise UserError(
            f"a wire cannot be shaped to {rate} bit/s", hint="type a rate of at most 34gbit, or leave it out"
        )
    octets = rate // 8
    # On a slow wire these floors would hold seconds of it: there they shrink to a share of a second, or a few frames.
    least_burst = max(_FRAMES, min(_LEAST_BURST, int(octets * _SLOW_SECONDS)))
    least_queue = max(_FRAMES, min(_LEAST_QUEUE, int(octets * 5 * _SLOW_SECONDS)))
    if burst is None:
        burst = 2 * max(least_burst, octets // _TICKS_PER_SECOND)
    elif burst > _LONGEST_BURST * octets:
        raise UserError(
            f"a burst of {burst} bytes takes too long at this rate", hint="a smaller burst, or a higher rate"
        )
    if limit is None:
        limit = burst + max(least_queue, int(octets * _QUEUE_SECONDS))
    return Shaping(octets, burst, limit)
