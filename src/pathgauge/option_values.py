"""The values of options: what a text means for each of them, and the message where it means nothing.

Each function takes the text as typed and raises UserError. WIRE_KEYS and LAB_KEYS are those of `--wire` and `--set`.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_interface

from pathgauge import quantities
from pathgauge.errors import UserError
from pathgauge.paths.types import QUEUE_KINDS, SHAPERS, SWITCHES, Value
from pathgauge.quantities import nearest, quoted
from pathgauge.traffic.beside import LOADS, NONE
from pathgauge.traffic.flows import MOST_FLOWS, MOST_THREADS
from pathgauge.traffic.tls import CIPHERS, OFF

GREATEST_CPU = 8191
GREATEST_BURST = 4096
GREATEST_BUSY_POLL = 1_000_000  # us
GREATEST_PRIORITY = 99
LEAST_BLOCKS, GREATEST_BLOCKS = 5, 100_000
LEAST_LABS, GREATEST_LABS = 5, 1000
MOST_PARALLEL = 500  # copies; a machine's tables of neighbours hold 1024
GREATEST_COPIES = 4000  # a wire has room for some more addresses
LONGEST_DEVICE = 15
LONGEST_DELAY = 10.0  # seconds
GREATEST_RULES = 10_000
GREATEST_QUEUES = 4096  # what a device can have at most
GREATEST_QUEUE_LIMIT = 10**9
LEAST_MTU, GREATEST_MTU = 1280, 65535  # IPv6 takes no less


def test_names() -> Sequence[str]:
    """Of all tests."""
    from pathgauge.traffic.registry import TESTS

    return tuple(TESTS)


def metric_names() -> Sequence[str]:
    """Of all metrics."""
    from pathgauge.traffic.metrics import METRICS

    return tuple(METRICS)


def parse_test(text: str) -> str:
    """A test's name, in letters of any case."""
    name, names = text.strip().upper(), test_names()
    if name not in names:
        raise UserError(f"there is no test {quoted(text)}; {nearest(name, names)}", hint="see pathgauge compare --help")
    return name


def parse_metric(text: str) -> str:
    """A metric's name, with `-` or `_`."""
    name, names = text.strip().lower().replace("-", "_"), metric_names()
    if name not in names:
        raise UserError(f"there is no metric {quoted(text)}; {nearest(name, names)}", hint="--metric cpu_machine")
    return name


def parse_margin(text: str) -> tuple[str | None, float]:
    """A fraction, and the metric that it is for (None: the rates)."""
    metric, separator, percent = text.rpartition("=")
    return (parse_metric(metric) if separator else None), quantities.parse_margin(percent)


def parse_path(text: str) -> object:
    """A path that exists."""
    from pathgauge.paths.endpoint import parse_path

    return parse_path(text)


def parse_wire(text: str) -> dict[str, Value]:
    """What describes a wire, by the keys of WIRE_KEYS."""
    found: dict[str, Value] = {}
    for item in text.split(","):
        key, equals, value = (part.strip() for part in item.partition("="))
        hint = f"its keys are {', '.join(WIRE_KEYS)}, each once: --wire rate=1gbit,limit=3M"
        if not equals or key in found:
            raise UserError(f"{quoted(text)} does not describe a wire", hint=hint)
        if key not in WIRE_KEYS:
            raise UserError(f"a wire has no {quoted(key)}; {nearest(key, WIRE_KEYS)}", hint=hint)
        found[key] = WIRE_KEYS[key](value)
    return found


def parse_fail_on(text: str) -> str:
    """What a run may fail on."""
    if text.strip() != "slower":
        raise UserError(f"{quoted(text)} is nothing to fail on", hint="--fail-on slower")
    return "slower"


def parse_file(text: str) -> str:
    """A file's name."""
    if not text or "\0" in text:
        raise UserError(f"{quoted(text)} is no file name", hint="--json result.json")
    return text


def parse_plot(text: str) -> str:
    """A file's name that says that it is an SVG. Raises UserError."""
    if not text.lower().endswith(".svg") or "\0" in text:
        raise UserError(f"{quoted(text)} names no SVG file", hint="--plot result.svg")
    return text


def parse_server(text: str) -> tuple[str, int]:
    """A host and port where a netserver listens."""
    from pathgauge.paths.endpoint import parse_server

    return parse_server(text)


def parse_device(text: str) -> str:
    """A device's name."""
    if not 0 < len(text) <= LONGEST_DEVICE or "/" in text or not text.isprintable():
        raise UserError(f"{quoted(text)} is no device's name", hint="see them with: ip link")
    return text


def parse_address(text: str) -> tuple[str, str]:
    """A path (empty: all) and its address with prefix."""
    name, _, address = text.rpartition("=")
    try:
        interface = ip_interface(address)
    except ValueError:
        interface = None
    if interface is None or "/" not in address:
        raise UserError(f"{quoted(address)} is no address with a prefix", hint="--address 198.18.0.3/15")
    return name.strip(), str(interface)


def parse_delay(text: str) -> float:
    """Seconds."""
    return quantities.parse_time(text, longest=LONGEST_DELAY)


def parse_rps(text: str) -> str:
    """CPUs, or off; of both sides alike, or of each."""
    return quantities.parse_sides(text, GREATEST_CPU)


def whole(least: int, most: int, what: str) -> Callable[[str], int]:
    """A parser of whole numbers, both bounds included."""
    return lambda text: quantities.parse_whole(text, least, most, what)


def share(what: str) -> Callable[[str], float]:
    """A parser of shares, 0 to 1."""
    return lambda text: quantities.parse_share(text, what)


def word_parser(words: Sequence[str], what: str, hint: str) -> Callable[[str], str]:
    """A parser of one of some words."""

    def parse(text: str) -> str:
        if (word := text.strip().lower()) not in words:
            raise UserError(f"there is no {what} {quoted(text)}; {nearest(word, words)}", hint=hint)
        return word

    return parse


parse_mtu = whole(LEAST_MTU, GREATEST_MTU, "MTU")
parse_rules = whole(1, GREATEST_RULES, "number of rules")
parse_queues = whole(1, GREATEST_QUEUES, "number of queues")
parse_queue_limit = whole(1, GREATEST_QUEUE_LIMIT, "limit of a queue")
parse_cpu = whole(0, GREATEST_CPU, "CPU number")
parse_burst = whole(0, GREATEST_BURST, "number of requests in flight")
parse_flows = whole(1, MOST_FLOWS, "number of flows")
parse_threads = whole(1, MOST_THREADS, "number of threads")
parse_busy_poll = whole(0, GREATEST_BUSY_POLL, "time to poll, in us")
parse_realtime = whole(1, GREATEST_PRIORITY, "priority of SCHED_FIFO")
parse_blocks = whole(LEAST_BLOCKS, GREATEST_BLOCKS, "number of blocks")
parse_copies = whole(1, GREATEST_COPIES, "number of copies")
parse_seed = whole(0, 2**64 - 1, "seed")

WIRE_KEYS: dict[str, Callable[[str], Value]] = {
    "rate": quantities.parse_rate,
    "burst": quantities.parse_size,
    "limit": quantities.parse_size,
    "mtu": parse_mtu,
    "loss": share("loss"),
    "delay": parse_delay,
    "jitter": parse_delay,
    "reorder": share("reorder"),
    "rps": parse_rps,
    "shaper": word_parser(SHAPERS, "shaper", "--wire rate=1gbit,shaper=htb"),
}


# The keys of --set that are no test parameters: what they change, they change in the lab, on a wire of the path's own.
LAB_KEYS: dict[str, Callable[[str], object]] = {
    "rate": quantities.parse_rate,
    "mtu": parse_mtu,
    "loss": share("loss"),
    "delay": parse_delay,
    "jitter": parse_delay,
    "reorder": share("reorder"),
    "rps": parse_rps,
    "qdisc": word_parser(QUEUE_KINDS, "queueing discipline", "--set macvlan.qdisc=pfifo"),
    "qdisc-limit": parse_queue_limit,
    "queues": parse_queues,
    "rules": parse_rules,
    **dict.fromkeys(SWITCHES, quantities.parse_switch),
}


def parse_beside(text: str) -> str | None:
    """The stream beside the transactions, or None."""
    if (name := text.strip().upper()) == NONE.upper():
        return None
    if name not in LOADS:
        words = (*LOADS, NONE)
        raise UserError(f"no {quoted(text)} runs beside; {nearest(name, words)}", hint="--beside TCP_STREAM")
    return name


def parse_tls(text: str) -> str | None:
    """A cipher, or None."""
    word = word_parser((OFF, *CIPHERS), "cipher", f"--tls {CIPHERS[0]}")(text)
    return None if word == OFF else word


def parse_quota(text: str) -> float:
    """CPUs."""
    return quantities.parse_quota(text)


def parse_labs(text: str) -> int:
    """How often the lab is built."""
    labs = quantities.parse_whole(text, 1, GREATEST_LABS, "number of labs")
    if 1 < labs < LEAST_LABS:
        raise UserError(f"{labs} labs say nothing of how labs differ", hint=f"--labs {LEAST_LABS}, or more")
    return labs


def parse_pause(text: str) -> float:
    """Seconds, or none."""
    return quantities.parse_time(text, zero=True)
