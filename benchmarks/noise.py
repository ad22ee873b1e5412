"""Record real noise: the same path against itself for hundreds of blocks, on a quiet machine and on a busy one.

    python -m benchmarks.noise [--blocks 500] [--file tests/calibration/data/noise.csv] [SERIES...]

What is recorded stays data: tests/calibration/test_recorded.py judges it again. A series that the file has already is
left alone, so an ended recording is taken up where it ended.
"""

import argparse
import csv
import math
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pathgauge import Result, compare

FILE = Path("tests/calibration/data/noise.csv")
COLUMNS = ("series", "block", "start", "candidate_first", "log_ratio")
LONGEST = 1200.0  # seconds for one series
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Series:
    """One recording: a test, the wire's rate ("" for none), and what else the machine does."""

    test: str
    rate: str
    load: str
    share: float = 1.0  # of the blocks asked for

    @property
    def name(self) -> str:
        return "-".join(part for part in (self.test, self.rate, self.load) if part)


SERIES = (
    *(Series("TCP_STREAM", "1gbit", load, 0.8) for load in ("bursts", "tides")),
    *(Series(test, "", load) for test in ("TCP_STREAM", "TCP_RR", "UDP_STREAM") for load in ("bursts", "tides")),
    Series("TCP_STREAM", "1gbit", "quiet", 0.8),
    *(Series(test, "", "quiet", 0.6) for test in ("TCP_STREAM", "TCP_RR", "UDP_STREAM")),
)


def busy(load: str) -> None:
    """Burn CPU for ever: `bursts` at random for 0.1 s in the mean, 0.3 s apart; `tides` for 2 s in every 5 s."""
    while True:
        work, rest = (random.expovariate(10.0), random.expovariate(1 / 0.3)) if load == "bursts" else (2.0, 3.0)
        until = time.monotonic() + work
        while time.monotonic() < until:
            math.sqrt(2.0)
        time.sleep(rest)


@contextmanager
def loaded(load: str) -> Iterator[None]:
    """With the load beside it."""
    if load == "quiet":
        yield
        return
    command = [sys.executable, "-m", "benchmarks.noise", "--busy", load]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait(PATIENCE)


def blocks_of(result: Result) -> Iterator[tuple[int, float, bool, float]]:
    """Number, start in s, whether the candidate was first, and log-ratio of each valid block."""
    baseline, candidate = (path.name for path in result.paths)
    rows = defaultdict(list)
    for row in result.slices:
        rows[row.block].append(row)
    for number, slices in rows.items():
        if any(row.void for row in slices):
            continue
        rate = {}
        for name in (baseline, candidate):
            own = [row for row in slices if row.path == name]
            work = math.fsum(row.transactions or row.bytes_received for row in own)
            rate[name] = work / math.fsum(row.local_seconds if row.transactions else row.remote_seconds for row in own)
        first = min(slices, key=lambda row: row.position)
        yield number, first.start, first.path == candidate, math.log(rate[candidate] / rate[baseline])


def record(series: Series, blocks: int) -> Iterator[tuple[object, ...]]:
    """The rows of one series."""
    with loaded(series.load):
        result = compare("host", "host", **asked(series, blocks))
    for number, start, first, value in blocks_of(result):
        yield series.name, number, f"{start:.2f}", int(first), f"{value:.6f}"


def asked(series: Series, blocks: int) -> dict[str, object]:
    """The options of the comparison."""
    options: dict[str, object] = {"test": [series.test], "blocks": round(blocks * series.share), "max_time": LONGEST}
    options["slice"] = "100ms" if series.rate else "20ms"
    return options | ({"link_rate": series.rate} if series.rate else {})


def recorded(file: Path) -> set[str]:
    """The series that the file has."""
    if not file.exists():
        return set()
    with file.open(newline="") as lines:
        return {row["series"] for row in csv.DictReader(lines)}


def main() -> None:
    """Record what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=500)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--busy", help=argparse.SUPPRESS)
    parser.add_argument("series", nargs="*", help="only those that contain this text")
    chosen = parser.parse_args()
    if chosen.busy:
        busy(chosen.busy)
    have = recorded(chosen.file)
    for series in SERIES:
        if series.name in have or (chosen.series and not any(text in series.name for text in chosen.series)):
            continue
        rows = list(record(series, chosen.blocks))
        fresh = not chosen.file.exists()
        with chosen.file.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([COLUMNS, *rows] if fresh else rows)
        print(f"{series.name}: {len(rows)} blocks", flush=True)


if __name__ == "__main__":
    main()
