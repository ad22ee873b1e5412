"""On which CPUs received packets were taken up the stack, out of a path's slices."""

from collections import Counter
from collections.abc import Iterable

from pathgauge.results.document import Slice


def shares(rows: Iterable[Slice]) -> dict[str, float]:
    """Each CPU's share of all packets, by the number of the CPU; empty where none came or they are unknown."""
    packets: Counter[str] = Counter()
    for row in rows:
        packets.update(row.packets_by_cpu or {})
    every = packets.total()
    return {cpu: count / every for cpu, count in sorted(packets.items(), key=lambda item: int(item[0]))}
