"""Which selectors an output shows: as -k, -o and -O were given them, from a file, or by the test's direction."""

import os
from collections.abc import Iterable

from pathgauge.errors import UserError
from pathgauge.peers.netperf.selectors import BLOCKS, P999, SELECTORS, Selector, find, percentile_name
from pathgauge.peers.netperf.settings import RECEIVE, SEND, Output, Settings
from pathgauge.quantities import quoted_file

LARGEST_BLOCKS = 4
LARGEST_FILE = 65536
LAST = "OUTPUT_END"  # a name that ends a list, and the list of all
NOTHING = Selector("", (), "", lambda _: None)  # the column of a name that nobody knows

SEND_DEFAULT = ("LSS_SIZE_END", "RSR_SIZE_END", "LOCAL_SEND_SIZE")
RECEIVE_DEFAULT = ("RSS_SIZE_END", "LSR_SIZE_END", "REMOTE_SEND_SIZE")
BOTH_DEFAULT = ("LSS_SIZE_END", "LSR_SIZE_END", "RSR_SIZE_END", "RSS_SIZE_END", "REQUEST_SIZE", "RESPONSE_SIZE")
RESULT_DEFAULT = ("ELAPSED_TIME", "THROUGHPUT", "THROUGHPUT_UNITS")
CPU_DEFAULT = tuple(
    f"{end}_CPU_{what}"
    for end in ("LOCAL", "REMOTE")
    for what in (
        "UTIL",
        "PERCENT_USER",
        "PERCENT_SYSTEM",
        "PERCENT_IOWAIT",
        "PERCENT_IRQ",
        "PERCENT_SWINTR",
        "METHOD",
    )
)
DEMAND_DEFAULT = ("LOCAL_SD", "REMOTE_SD", "SD_UNITS")

Blocks = list[list[Selector]]


def listing(output: Output) -> list[str]:
    """What `?` prints: every name on a line of its own for -O, else all on one line."""
    names = ["OUTPUT_NONE", *(selector.name for block in BLOCKS for selector in block), LAST, P999.name]
    return names if output == "human" else [",".join(names)]


def blocks(settings: Settings) -> Blocks:
    """What to show, in blocks (only -O has more than one). Reads the selector file if one was named.

    Raises UserError for a lone name that is neither a selector nor a readable file: call it before the run.
    """
    wanted = settings.selection.strip()
    if wanted.lower() == "all" or (settings.output == "json" and not wanted):
        return _all(settings)
    if not wanted:
        return [_chosen([*_default(settings), *map(percentile_name, settings.percentiles)])]
    if "," in wanted or ";" in wanted or find(wanted) is not None:
        return [_chosen(part.split(",")) for part in wanted.split(";")[:LARGEST_BLOCKS]]
    return [_chosen(line.split(",")) for line in _read(wanted)[:LARGEST_BLOCKS]]


def shows_latency(settings: Settings) -> bool:
    """Whether a value of latency was asked for by name, so that the run must keep it."""
    if settings.percentiles:
        return True
    if not settings.selection.strip() or (settings.output == "classic" and settings.test != "OMNI"):
        return False  # no default asks for it; that of JSON shows what there is
    names = [selector.name for block in blocks(settings) for selector in block]
    return any(name.endswith("_LATENCY") and name != "RT_LATENCY" for name in names)


def _chosen(names: Iterable[str]) -> list[Selector]:
    chosen = []
    for name in names:
        if name.strip().upper() == LAST:
            break
        chosen.append(find(name) or NOTHING)
    return chosen


def _all(settings: Settings) -> Blocks:
    """netperf's own in its order, then ours: P999_LATENCY and the percentiles that were asked for."""
    ours = dict.fromkeys([P999.name, *map(percentile_name, settings.percentiles)])
    everything = [list(block) for block in BLOCKS]
    everything[-1] += [selector for name in ours if name not in _STOCK for selector in _chosen([name])]
    return everything


_STOCK = frozenset(SELECTORS) - {P999.name}


def _default(settings: Settings) -> tuple[str, ...]:
    by_direction: dict[int, tuple[str, ...]] = {SEND: SEND_DEFAULT, RECEIVE: RECEIVE_DEFAULT}
    names = BOTH_DEFAULT if settings.transactions else by_direction[settings.direction]
    names += RESULT_DEFAULT
    if settings.local_cpu_wanted or settings.remote_cpu_wanted:
        names += CPU_DEFAULT + DEMAND_DEFAULT
    return names


def _read(path: str) -> list[str]:
    """The lines of a selector file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(LARGEST_FILE)
    except OSError as error:
        raise UserError(
            f"{quoted_file(path)} is no selector, and no file of selectors: {os.strerror(error.errno or 0)}",
            hint="? in its place lists all selectors",
        ) from None
    return text.splitlines()
