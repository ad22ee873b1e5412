"""What the loop gathers: slices with their histograms, blocks of slices."""

from dataclasses import dataclass
from typing import Protocol

from pathgauge.results.document import Connection, Slice
from pathgauge.results.latency import Histogram


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice, with the latencies of its transactions where it has any."""

    row: Slice
    latency: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """All slices of one block by the name of their arm. Void as a whole as soon as one slice is."""

    number: int
    slices: dict[str, list[Measured]]
    seconds: float

    @property
    def void(self) -> str | None:
        """Why the block does not count; None if it does."""
        reasons = (measured.row.void for rows in self.slices.values() for measured in rows)
        return next((reason for reason in reasons if reason is not None), None)


@dataclass(frozen=True, slots=True)
class Warmed:
    """What a warm-up showed: its length in seconds, and the messages that came through."""

    seconds: float
    messages: int


class Arm(Protocol):
    """One of the things compared: a path with its parameters, measured by the native engine or by a peer's program.

    `open` makes fresh connections, `warm` runs them uncounted, `measure` runs one slice after a ramp.
    """

    @property
    def name(self) -> str: ...
    def open(self) -> None: ...
    def warm(self, seconds: float) -> Warmed: ...
    def measure(self, ramp: float, seconds: float) -> Measured: ...
    def connection(self) -> Connection: ...
    def close(self) -> None: ...
