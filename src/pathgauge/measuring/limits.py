"""Whether a slice ran into a limit of the instrument's own: what its loops can do, or the CPUs they run on.

Neither makes a verdict wrong: see docs/explanation/decisions/0014-limits-of-our-own.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pathgauge.results.document import Slice
from pathgauge.traffic.kind import End, TestKind

NEAR = 0.8  # of what the loops do with no network between them
FULL = 0.98  # of the CPUs that an end's loops are bound to

Limited = Literal["ceiling", "cpu"] | None
Limits = Callable[[Slice], Limited]


@dataclass(frozen=True, slots=True)
class Own:
    """What an arm's loops do at most, in bytes sent or transactions a second (None: unknown), and the CPUs that those
    of each end are bound to; no CPUs of an end whose use of them says nothing, as of a reader that spins.
    """

    kind: TestKind
    rate: float | None = None
    cpus: Mapping[End, frozenset[int | None]] = field(default_factory=dict)

    def limited(self, row: Slice) -> Limited:
        """What limited the slice, if anything of ours did."""
        seconds: dict[End, float] = {"local": row.local_seconds, "remote": row.remote_seconds}
        if min(seconds.values()) <= 0.0:
            return None
        moved = row.bytes_sent if self.kind.pattern == "stream" else row.transactions
        if self.rate and moved / seconds[self.kind.active] >= NEAR * self.rate:
            return "ceiling"
        spent: dict[End, float | None] = {"local": row.cpu_local_seconds, "remote": row.cpu_remote_seconds}
        loads = {end: used / seconds[end] for end in self.cpus if (used := spent[end]) is not None}
        if len(loads) > 1 and len({self.cpus[end] for end in loads}) == 1:
            loads = {next(iter(loads)): sum(loads.values())}  # both ends share what they run on
        return "cpu" if any(load >= FULL * len(self.cpus[end]) for end, load in loads.items()) else None
