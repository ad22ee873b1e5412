"""Latency histograms: the HDR layout of the native core, as arrays, and its standard text form in documents."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

Timed = Literal["transaction", "request", "response"]

LARGEST_NS = (1 << 37) - 1
DIGITS = 3
HALF = 1024  # sub-buckets of 3 significant digits: 2048, of which all but the first bucket use the upper half


@dataclass(frozen=True, slots=True)
class Histogram:
    """A sparse histogram: `places` in the HDR layout (ascending) and how often each was hit."""

    places: "NDArray[np.int64]"
    counts: "NDArray[np.int64]"

    @classmethod
    def from_counts(cls, raw: bytes) -> "Histogram":
        """From the native core's unsigned 32-bit counts."""
        import numpy as np

        dense = np.frombuffer(raw, dtype=np.uint32)
        places = np.flatnonzero(dense)
        return cls(places, dense[places].astype(np.int64))

    @classmethod
    def summed(cls, histograms: "Sequence[Histogram]") -> "Histogram":
        """All of them as one."""
        import numpy as np

        places, where = np.unique(np.concatenate([each.places for each in histograms]), return_inverse=True)
        counts = np.zeros(len(places), dtype=np.int64)
        np.add.at(counts, where, np.concatenate([each.counts for each in histograms]))
        return cls(places, counts)

    def encode(self) -> str:
        """The V2 compressed encoding of HdrHistogram, in base64."""
        import numpy as np
        from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # ships no types

        histogram = HdrHistogram(1, LARGEST_NS, DIGITS)
        if len(self.places):  # all counts at once: one call of the library for each place takes a hundred times as long
            np.frombuffer(histogram.counts, dtype=np.uint64)[self.places] = self.counts
            histogram.set_internal_tacking_values(*map(int, self.places[[0, -1]]), int(self.counts.sum()))
        return str(histogram.encode().decode("ascii"))

    @classmethod
    def decode(cls, text: str) -> "Histogram":
        """From a document. Raises ValueError for what is no histogram of ours."""
        import numpy as np
        from hdrh.histogram import HdrHistogram

        try:
            histogram = HdrHistogram.decode(text)
        except Exception as error:  # the library raises whatever its parser meets
            raise ValueError("not an HDR histogram in V2 compressed encoding") from error
        if histogram.significant_figures != DIGITS or histogram.lowest_trackable_value != 1:
            raise ValueError("an HDR histogram of another resolution than 3 digits from 1 ns")
        dense = np.frombuffer(histogram.counts, dtype=np.uint64).astype(np.int64)
        places = np.flatnonzero(dense)
        return cls(places, dense[places])


class Ways(NamedTuple):
    """The times of each way of some transactions."""

    request: Histogram
    response: Histogram


def seconds(places: "int | NDArray[np.int64]") -> "NDArray[np.float64]":
    """The middles of places' ranges, in seconds."""
    import numpy as np

    place = np.asarray(places, dtype=np.int64)
    bucket = np.maximum(place // HALF - 1, 0)
    lowest = (place - bucket * HALF) << bucket
    return np.asarray((lowest + ((np.int64(1) << bucket) >> 1)) / 1e9, dtype=np.float64)
