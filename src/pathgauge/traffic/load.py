"""The offered load: transactions or bits that a test starts in a second, whether the path keeps up or not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pathgauge.errors import UserError

if TYPE_CHECKING:
    from pathgauge.results.document import Slice
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters

MOST_TRANSACTIONS = 10_000_000  # in a second
LEAST_BITS = 8000
PARTIAL = ("sendfile", "splice")
KEPT = 0.98  # of what was asked for; less is a load that was not reached


def check(kind: "TestKind", parameters: "Parameters") -> None:
    """UserError where the test cannot be offered such a load."""
    rate = parameters.rate
    if rate is None:
        return
    if kind.pattern == "transactions":
        if rate > MOST_TRANSACTIONS:
            raise UserError(
                f"{kind.name} counts transactions, and {rate:g} a second are too many", hint="--rate 10k, say: 10,000/s"
            )
        if parameters.burst and "burst" in kind.parameters:
            raise UserError(
                "a rate is kept with one request at a time, and a burst is several", hint="leave out --rate or --burst"
            )
    elif parameters.send_method in PARTIAL:
        raise UserError(
            f"{parameters.send_method} sends messages in parts, to which no rate can be kept",
            hint="--send-method copy, or leave out --rate",
        )
    elif rate < LEAST_BITS:
        raise UserError(f"{kind.name} counts bits, and {rate:g} bit/s are too few", hint="--rate 100mbit, say")


def missed(kind: "TestKind", parameters: "Parameters", rows: "Sequence[Slice]") -> float | None:
    """What was started in a second where it is less than the rate that was asked; None where that was kept."""
    seconds = sum(row.local_seconds if kind.active == "local" else row.remote_seconds for row in rows)
    if parameters.rate is None or seconds <= 0:
        return None
    streams = kind.pattern == "stream"
    started = sum(8 * row.bytes_sent if streams else row.transactions for row in rows) / seconds
    return started if started < KEPT * parameters.rate else None
