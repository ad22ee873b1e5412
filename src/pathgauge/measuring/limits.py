"""Whether a slice ran into a limit of the instrument's own: what its loops can do, or the CPUs they run on.

Neither makes a verdict wrong: see docs/explanation/decisions/0014-limits-of-our-own.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Literal

import msgspec

from pathgauge.measuring.measured import Block
from pathgauge.results.document import Slice
from pathgauge.traffic.kind import End, TestKind

NEAR = 0.8  # of what the loops do with no network between them
FULL = 0.98  # of the CPUs that an end's loops are bound to

Limited = Literal["ceiling", "cpu"] | None


@dataclass(frozen=True, slots=True)
class Own:
    """What an arm's loops do at most, in bytes sent or transactions a second (None: unknown), and the CPUs that those
    of each end are bound to; no CPUs of an end whose use of them says nothing, as of a reader that spins.
    """

    kind: TestKind
    rate: float | None = None
    cpus: Mapping[End, frozenset[int | None]] = field(default_factory=dict)

    def limited(self, rows: Sequence[Slice]) -> list[Limited]:
        """What limited each of the arm's slices, if anything of ours did.

        Most slices faster than it show that a ceiling is none: the kernel puts a connection's small messages together,
        and not a socket pair's.
        """
        shares = [self._share(row) for row in rows]
        known = [share for share in shares if share is not None]
        refuted = bool(known) and median(known) > 1.0
        return [
            "ceiling" if share is not None and share >= NEAR and not refuted else "cpu" if self._full(row) else None
            for row, share in zip(rows, shares, strict=True)
        ]

    def _share(self, row: Slice) -> float | None:
        """What the slice did of what the loops can."""
        seconds = row.local_seconds if self.kind.active == "local" else row.remote_seconds
        if self.rate is None or seconds <= 0.0:
            return None
        return (row.bytes_sent if self.kind.pattern == "stream" else row.transactions) / seconds / self.rate

    def _full(self, row: Slice) -> bool:
        """Whether an end kept its CPUs busy, or both together the ones that they share."""
        spent: dict[End, tuple[float | None, float]] = {
            "local": (row.cpu_local_seconds, row.local_seconds),
            "remote": (row.cpu_remote_seconds, row.remote_seconds),
        }
        known = ((end, *spent[end]) for end in self.cpus)
        loads = {end: used / seconds for end, used, seconds in known if used is not None and seconds > 0.0}
        if len(loads) > 1 and len({self.cpus[end] for end in loads}) == 1:
            loads = {next(iter(loads)): sum(loads.values())}
        return any(load >= FULL * len(self.cpus[end]) for end, load in loads.items())


def marked(blocks: Sequence[Block], own: Mapping[str, Own]) -> list[Block]:
    """The blocks with what limited each slice."""
    found: dict[str, list[Limited]] = {
        name: limits.limited([measured.row for block in blocks for measured in block.slices.get(name, ())])
        for name, limits in own.items()
    }
    left = {name: iter(each) for name, each in found.items()}
    return [
        replace(
            block,
            slices={
                name: [
                    replace(each, row=msgspec.structs.replace(each.row, limited=next(left[name])))
                    if name in left
                    else each
                    for each in slices
                ]
                for name, slices in block.slices.items()
            },
        )
        for block in blocks
    ]
