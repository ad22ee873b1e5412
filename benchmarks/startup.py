"""How long pathgauge keeps one waiting: start, import, a lab up and down. Medians with the least and the most.

python -m benchmarks.startup [--runs 20] [--page docs/reference/performance.md]
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.page import add_option, put
from pathgauge.paths.lab import Lab
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec


def command(*arguments: str) -> Callable[[], None]:
    """Run a command of this Python to its end."""

    def run() -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    return run


def lab() -> None:
    """A lab of host and macvlan, up and down."""
    Lab.build(parse_paths(["host", "macvlan"]), WireSpec()).close()


CASES: tuple[tuple[str, float, Callable[[], None]], ...] = (
    ("`pathgauge --help`", 0.200, command("-m", "pathgauge", "--help")),
    ("`python -c 'import pathgauge'`", 0.050, command("-c", "import pathgauge")),
    ("`python -c pass`, for comparison", 0.050, command("-c", "pass")),
    ("a lab of host and macvlan, up and down", 0.500, lab),
)
HEADER = "| what | median | least - most | asked |\n|---|---|---|---|"


def timed(action: Callable[[], None]) -> float:
    """Seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Run every case in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    add_option(parser)
    chosen = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name, _, _ in CASES}
    for _ in range(chosen.runs):
        for name, _, action in CASES:
            found[name].append(timed(action))
    lines = [HEADER]
    for name, limit, _ in CASES:
        ms = [1000 * seconds for seconds in found[name]]
        lines.append(
            f"| {name} | {statistics.median(ms):.0f} ms | {min(ms):.0f} - {max(ms):.0f} ms | {1000 * limit:.0f} ms |"
        )
    print("\n".join(lines))
    if chosen.page:
        put(chosen.page, "startup", lines)


if __name__ == "__main__":
    main()
