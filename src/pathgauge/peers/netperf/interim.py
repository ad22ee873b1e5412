"""Interim results (-D) as lines. Who measures them calls `lines` for each as it comes, from 0 on."""

import json
from dataclasses import dataclass

from pathgauge.peers.netperf import units
from pathgauge.peers.netperf.settings import Output

SCHEMA = "pathgauge.netperf.interim/1"


@dataclass(frozen=True, slots=True)
class Interim:
    """One interim result: a rate in the run's unit over some seconds, and when they ended (s since 1970)."""

    number: int  # from 0 on
    rate: float
    elapsed: float
    ending: float


def lines(result: Interim, letter: str, output: Output) -> list[str]:
    """The lines of one interim result in the unit of that letter, in the style of the run's own output."""
    per_second = units.rate_label(letter)
    ending = f"{result.ending:.3f}"
    if output == "json":  # on one line, so that the run's own object may follow as another
        return [
            json.dumps(
                {
                    "schema": SCHEMA,
                    "interim": result.number,
                    "throughput": result.rate,
                    "units": per_second,
                    "seconds": result.elapsed,
                    "ending": result.ending,
                }
            )
        ]
    if output == "keyval":
        at = f"[{result.number}]"
        return [
            f"NETPERF_INTERIM_RESULT{at}={result.rate:.2f}",
            f"NETPERF_UNITS{at}={per_second}",
            f"NETPERF_INTERVAL{at}={result.elapsed:.3f}",
            f"NETPERF_ENDING{at}={ending}",
        ]
    if output == "csv":
        return [f"{result.rate:7.2f},{per_second},{result.elapsed:.3f},{ending}"]
    return [f"Interim result: {result.rate:7.2f} {per_second} over {result.elapsed:.3f} seconds ending at {ending}"]
