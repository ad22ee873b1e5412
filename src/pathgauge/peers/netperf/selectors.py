"""The output selectors: every name that -k, -o and -O know, what stands above its column, and its value of a record."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pathgauge.peers.netperf import units
from pathgauge.peers.netperf.banner import direction
from pathgauge.peers.netperf.record import EndRecord, Record
from pathgauge.peers.netperf.settings import SEND
from pathgauge.results.latency import seconds
from pathgauge.statistics.quantile import quantile_of_counts

Value = int | float | str | None
HEADING_LINES = 4
FAMILIES = {"AF_UNSPEC": 0, "AF_INET": 2, "AF_INET6": 10}  # as Linux numbers them
GIVEN_FAMILIES = {0: 0, 4: 2, 6: 10}
NO_DEVICE = "0xfffffffe"  # what netperf says of a device that it does not know
WHOLE = 100.0

_PERCENTILE = re.compile(r"P([0-9]{1,8})_LATENCY")


@dataclass(frozen=True, slots=True)
class Selector:
    """A value of a record by name. -1 means that it is not known; None that it was never given: keyval leaves it out.

    `form` is a format specification, or `quoted`, or `hex` for 32 bits. `fixed` is printed in place of any value.
    """

    name: str
    heading: tuple[str, ...]
    form: str
    value: Callable[[Record], Value]
    fixed: str | None = None

    def text(self, record: Record) -> str | None:
        """As netperf's own three outputs print it."""
        if self.fixed is not None:
            return self.fixed
        value = self.value(record)
        if value is None:
            return None
        if self.form == "quoted":
            return f'"{value}"'
        if self.form == "hex":
            return f"{int(value) & 0xFFFFFFFF:#04x}"
        return format(value, self.form)


# Values that take more than an attribute --------------------------------------------------------------------------


def result(record: Record) -> float:
    """The throughput of the test: what arrived, where datagrams are sent one way and may be lost."""
    settings = record.settings
    lossy = settings.transport == "udp" and settings.direction == SEND and not settings.connection
    return record.receive_throughput if lossy else record.throughput


def transaction_rate(record: Record) -> float:
    """Transactions/s; -1.0 for a stream."""
    if not record.settings.transactions:
        return -1.0
    if units.unit_for(record.settings) == units.TRANSACTIONS:
        return record.throughput
    return record.transactions / record.elapsed if record.elapsed > 0 else 0.0


def round_trip(record: Record) -> float:
    """The time of a transaction in us as its rate and the burst have it; -1.0 where there was none."""
    rate = transaction_rate(record)
    return units.MICRO * (1 + record.settings.first_burst) / rate if rate > 0 else -1.0


def byte_rate(record: Record, count: int) -> float:
    """`count` bytes over the elapsed time, in the run's unit if that counts bytes, else in 10^6 bits/s."""
    letter = units.unit_for(record.settings)
    if not units.UNITS[letter].bytes_per_second:
        letter = units.MEGABITS
    return units.figure(letter, count / record.elapsed) if record.elapsed > 0 else 0.0


def percentile(record: Record, percent: float) -> float:
    """A percentile of latency in us; -1.0 where none was kept."""
    kept = record.latency
    if kept is None or not len(kept.places):
        return -1.0
    return units.MICRO * quantile_of_counts(kept.counts.astype("float64"), seconds(kept.places), percent / 100)


def _latency(record: Record, value: float) -> float:
    return units.MICRO * value if record.latency is not None else -1.0


def _width(record: Record, width: float) -> float:
    return 100 * width if record.settings.iterations_max > 1 else -1.0


def each(total: int, calls: int) -> float:
    """The mean over calls; 0.0 without any."""
    return total / calls if calls else 0.0


# The table --------------------------------------------------------------------------------------------------------


EndRow = tuple[str, str, str, Callable[[EndRecord], Value]]  # name, heading, form, value, all without the end's name
End = Callable[[Record], EndRecord]


def _local(record: Record) -> EndRecord:
    return record.local


def _remote(record: Record) -> EndRecord:
    return record.remote


ENDS: tuple[tuple[str, End], ...] = (("Local", _local), ("Remote", _remote))


def _words(heading: str) -> tuple[str, ...]:
    return tuple(heading.split("|"))


def _one(name: str, heading: str, form: str, value: Callable[[Record], Value]) -> list[Selector]:
    return [Selector(name, _words(heading), form, value)]


def _of(end: End, value: Callable[[EndRecord], Value]) -> Callable[[Record], Value]:
    return lambda record: value(end(record))


def _both(*rows: EndRow) -> list[Selector]:
    """The rows for the local end, then for the remote one."""
    return [
        Selector(f"{prefix.upper()}_{name}", (prefix, *_words(heading)), form, _of(end, value))
        for prefix, end in ENDS
        for name, heading, form, value in rows
    ]


def _by_row(*rows: EndRow) -> list[Selector]:
    """The same, local and remote of a row next to each other."""
    return [selector for row in rows for selector in _both(row)]


def _buffers() -> list[Selector]:
    """Socket buffers (LSS_SIZE_REQ, ...): as asked for, as the socket was made, as it ended."""
    rows: tuple[EndRow, ...] = (
        ("SS_SIZE_REQ", "Send Socket|Size|Requested", "d", lambda end: end.asked.send_buffer),
        ("SS_SIZE", "Send Socket|Size|Initial", "d", lambda end: end.send_buffer),
        ("SS_SIZE_END", "Send Socket|Size|Final", "d", lambda end: end.send_buffer_end),
        ("SR_SIZE_REQ", "Recv Socket|Size|Requested", "d", lambda end: end.asked.receive_buffer),
        ("SR_SIZE", "Recv Socket|Size|Initial", "d", lambda end: end.receive_buffer),
        ("SR_SIZE_END", "Recv Socket|Size|Final", "d", lambda end: end.receive_buffer_end),
    )
    return [
        Selector(prefix[0] + name, (prefix, *_words(heading)), form, _of(end, value))
        for prefix, end in ENDS
        for name, heading, form, value in rows
    ]


def _gone(name: str, heading: str, fixed: str = "Deprecated") -> list[Selector]:
    """A selector that netperf 2.7 still knows but says nothing by."""
    return [Selector(name, _words(heading), "", lambda _: None, fixed)]


def _gone_both(*rows: tuple[str, str, str]) -> list[Selector]:
    """Such rows (name, heading, text) for the local end, then for the remote one."""
    return [
        selector
        for prefix, _ in ENDS
        for name, heading, fixed in rows
        for selector in _gone(f"{prefix.upper()}_{name}", f"{prefix}|{heading}", fixed)
    ]


def _security(prefix: str, identity: str, enabled: str) -> list[Selector]:
    """What netperf no longer says of an end's security; two of the headings differ between its ends."""
    rows = (
        ("TYPE_ID", identity, "0"),
        ("TYPE", "Type", "Deprecated"),
        ("ENABLED_NUM", enabled, "0"),
        ("ENABLED", "Enabled", "Deprecated"),
        ("SPECIFIC", "Specific", "Deprecated"),
    )
    return [
        selector
        for name, word, fixed in rows
        for selector in _gone(f"{prefix.upper()}_SECURITY_{name}", f"{prefix}|OS|Security|{word}", fixed)
    ]


def _cpu(prefix: str, end: End) -> list[Selector]:
    rows: tuple[EndRow, ...] = (
        ("CPU_BIND", "CPU|Bind", "d", lambda e: e.asked.cpu),
        ("CPU_COUNT", "CPU|Count", "d", lambda e: e.cpu.count),
        ("CPU_PEAK_UTIL", "Peak|Per CPU|Util %", ".2f", lambda e: e.cpu.peak),
        ("CPU_PEAK_ID", "Peak|Per CPU|ID", "d", lambda e: e.cpu.peak_id),
    )
    return [
        *(
            Selector(f"{prefix.upper()}_{name}", (prefix, *_words(head)), form, _of(end, v))
            for name, head, form, v in rows
        ),
        *_gone(f"{prefix.upper()}_CPU_MODEL", f"{prefix}|CPU|Model"),
        *_gone(f"{prefix.upper()}_CPU_FREQUENCY", f"{prefix}|CPU|Frequency|MHz", "0"),
    ]


def _percentile_selector(name: str, ordinal: str, percent: float) -> Selector:
    heading = (ordinal, "Percentile", "Latency", "Microseconds")
    return Selector(name, heading, ".0f", lambda record: percentile(record, percent))


NONE = Selector("OUTPUT_NONE", ("",), "", lambda _: None, " ")
P999 = _percentile_selector("P999_LATENCY", "99.9th", 99.9)

# In netperf's own order, in four blocks: those of `-O all`.
BLOCKS: tuple[tuple[Selector, ...], ...] = (
    (
        *_one("SOCKET_TYPE", "Socket|Type", "", lambda r: "Stream" if r.settings.transport == "tcp" else "Datagram"),
        *_one("PROTOCOL", "Protocol", "", lambda r: r.settings.transport.upper()),
        *_one("DIRECTION", "Direction", "", lambda r: direction(r.settings)),
        *_one("ELAPSED_TIME", "Elapsed|Time|(sec)", ".2f", lambda r: r.elapsed),
        *_one("THROUGHPUT", "Throughput", ".2f", result),
        *_one("THROUGHPUT_UNITS", "Throughput|Units", "", lambda r: units.rate_label(units.unit_for(r.settings))),
        *_buffers(),
        *_both(
            ("SEND_SIZE", "Send|Size", "d", lambda end: end.send_size),
            ("RECV_SIZE", "Recv|Size", "d", lambda end: end.receive_size),
        ),
        *_one("REQUEST_SIZE", "Request|Size|Bytes", "d", lambda r: r.settings.request_size),
        *_one("RESPONSE_SIZE", "Response|Size|Bytes", "d", lambda r: r.settings.response_size),
    ),
    (
        *_both(
            ("CPU_UTIL", "CPU|Util|%", ".2f", lambda end: end.cpu.utilisation),
            ("CPU_PERCENT_USER", "CPU|User|%", ".2f", lambda end: end.cpu.user),
            ("CPU_PERCENT_SYSTEM", "CPU|System|%", ".2f", lambda end: end.cpu.system),
            ("CPU_PERCENT_IOWAIT", "CPU|I/O|%", ".2f", lambda end: end.cpu.iowait),
            ("CPU_PERCENT_IRQ", "CPU|IRQ|%", ".2f", lambda end: end.cpu.irq),
            ("CPU_PERCENT_SWINTR", "CPU|swintr|%", ".2f", lambda end: end.cpu.softirq),
            ("CPU_METHOD", "CPU|Util|Method", "", lambda end: end.cpu.method),
            ("SD", "Service|Demand", ".3f", lambda end: end.cpu.demand),
        ),
        *_one("SD_UNITS", "Service|Demand|Units", "", lambda r: f"usec/{units.demand_word(r.settings, 'Tran')}"),
        *_one(
            "CONFIDENCE_LEVEL",
            "Confidence|Level|Percent",
            "d",
            lambda r: r.settings.confidence if r.settings.iterations_max > 1 else 0,
        ),
        *_one("CONFIDENCE_INTERVAL", "Confidence|Width|Target", "f", lambda r: _width(r, r.settings.width)),
        *_one("CONFIDENCE_ITERATION", "Confidence|Iterations|Run", "d", lambda r: r.confidence.iterations),
        *_one(
            "THROUGHPUT_CONFID", "Throughput|Confidence|Width (%)", ".3f", lambda r: _width(r, r.confidence.throughput)
        ),
        *_one("LOCAL_CPU_CONFID", "Local|CPU|Confidence|Width (%)", ".3f", lambda r: _width(r, r.confidence.local_cpu)),
        *_one(
            "REMOTE_CPU_CONFID", "Remote|CPU|Confidence|Width (%)", ".3f", lambda r: _width(r, r.confidence.remote_cpu)
        ),
        *_one("TRANSACTION_RATE", "Transaction|Rate|Tran/s", ".3f", transaction_rate),
        *_one("RT_LATENCY", "Round|Trip|Latency|usec/tran", ".3f", round_trip),
        *_one("BURST_SIZE", "Initial|Burst|Requests", "d", lambda r: r.settings.first_burst),
        *_both(("TRANSPORT_RETRANS", "Transport|Retransmissions", "d", lambda end: end.retransmits)),
        *_one("TRANSPORT_MSS", "Transport|MSS|bytes", "d", lambda r: r.mss),
    ),
    (
        *_one("LOCAL_SEND_THROUGHPUT", "Local|Send|Throughput", ".2f", lambda r: byte_rate(r, r.local.bytes_sent)),
        *_one("LOCAL_RECV_THROUGHPUT", "Local|Recv|Throughput", ".2f", lambda r: byte_rate(r, r.local.bytes_received)),
        *_one("REMOTE_SEND_THROUGHPUT", "Remote|Send|Throughput", ".2f", lambda r: byte_rate(r, r.remote.bytes_sent)),
        *_one(
            "REMOTE_RECV_THROUGHPUT", "Remote|Recv|Throughput", ".2f", lambda r: byte_rate(r, r.remote.bytes_received)
        ),
        *_cpu("Local", _local),
        *_cpu("Remote", _remote),
        *_one("SOURCE_PORT", "Source|Port", "d", lambda r: r.source_port),
        *_one("SOURCE_ADDR", "Source|Address", "", lambda r: r.source_name),
        *_one("SOURCE_FAMILY", "Source|Family", "d", lambda r: GIVEN_FAMILIES[r.settings.local.family]),
        *_one("DEST_PORT", "Destination|Port", "d", lambda r: r.target_port),
        *_one("DEST_ADDR", "Destination|Address", "", lambda r: r.target_name),
        *_one("DEST_FAMILY", "Destination|Family", "d", lambda r: FAMILIES.get(r.family, 0)),
        *_both(
            ("SEND_CALLS", "Send|Calls", "d", lambda end: end.send_calls),
            ("RECV_CALLS", "Recv|Calls", "d", lambda end: end.receive_calls),
            ("BYTES_PER_RECV", "Bytes|Per|Recv", ".2f", lambda end: each(end.bytes_received, end.receive_calls)),
            ("BYTES_PER_SEND", "Bytes|Per|Send", ".2f", lambda end: each(end.bytes_sent, end.send_calls)),
            ("BYTES_SENT", "Bytes|Sent", "d", lambda end: end.bytes_sent),
            ("BYTES_RECVD", "Bytes|Received", "d", lambda end: end.bytes_received),
            ("BYTES_XFERD", "Bytes|Xferred", "d", lambda end: end.bytes_sent + end.bytes_received),
            ("SEND_OFFSET", "Send|Offset", "d", lambda end: end.asked.send_offset),
            ("RECV_OFFSET", "Recv|Offset", "d", lambda end: end.asked.receive_offset),
            ("SEND_ALIGN", "Send|Alignment", "d", lambda end: end.asked.send_align),
            ("RECV_ALIGN", "Recv|Alignment", "d", lambda end: end.asked.receive_align),
            ("SEND_WIDTH", "Send|Width", "d", lambda end: end.send_width),
            ("RECV_WIDTH", "Recv|Width", "d", lambda end: end.receive_width),
            ("SEND_DIRTY_COUNT", "Send|Dirty|Count", "d", lambda _: -1),
            ("RECV_DIRTY_COUNT", "Recv|Dirty|Count", "d", lambda _: -1),
            ("RECV_CLEAN_COUNT", "Recv|Clean|Count", "d", lambda _: -1),
            ("NODELAY", "NODELAY", "d", lambda end: end.nodelay),
            ("CORK", "Cork", "d", lambda end: end.asked.cork),
        ),
    ),
    (
        *_gone_both(
            ("SYSNAME", "Sysname", "Deprecated"),
            ("SYSTEM_MODEL", "System|Model", "Deprecated"),
            ("RELEASE", "Release", "Deprecated"),
            ("VERSION", "Version", "Deprecated"),
            ("MACHINE", "Machine", "Deprecated"),
        ),
        *_gone_both(
            ("INTERFACE_NAME", "Interface|Name", "Deprecated"),
            ("INTERFACE_VENDOR", "Interface|Vendor", NO_DEVICE),
            ("INTERFACE_DEVICE", "Interface|Device", NO_DEVICE),
            ("INTERFACE_SUBVENDOR", "Interface|Subvendor", NO_DEVICE),
            ("INTERFACE_SUBDEVICE", "Interface|Subdevice", NO_DEVICE),
            ("DRIVER_NAME", "Driver|Name", "Deprecated"),
            ("DRIVER_VERSION", "Driver|Version", "Deprecated"),
            ("DRIVER_FIRMWARE", "Driver|Firmware", "Deprecated"),
            ("DRIVER_BUS", "Driver|Bus", "Deprecated"),
            ("INTERFACE_SLOT", "Interface|Slot", "Deprecated"),
        ),
        *_both(
            ("INTERVAL_USECS", "Interval|Usecs", "d", lambda end: round(units.MICRO * end.asked.interval)),
            ("INTERVAL_BURST", "Interval|Burst", "d", lambda end: end.asked.burst),
        ),
        *_security("Local", "Type ID", "Enabled Num"),
        *_security("Remote", "Type", "Enabled"),
        *_one("RESULT_BRAND", "Result|Tag", "quoted", lambda r: r.settings.brand or None),
        *_one("UUID", "Test|UUID", "", lambda r: r.settings.uuid),
        *_one("MIN_LATENCY", "Minimum|Latency|Microseconds", ".0f", lambda r: _latency(r, r.latency_min)),
        *_one("MAX_LATENCY", "Maximum|Latency|Microseconds", ".0f", lambda r: _latency(r, r.latency_max)),
        _percentile_selector("P50_LATENCY", "50th", 50.0),
        _percentile_selector("P90_LATENCY", "90th", 90.0),
        _percentile_selector("P99_LATENCY", "99th", 99.0),
        *_one("MEAN_LATENCY", "Mean|Latency|Microseconds", ".2f", lambda r: _latency(r, r.latency_mean)),
        *_one("STDDEV_LATENCY", "Stddev|Latency|Microseconds", ".2f", lambda r: _latency(r, r.latency_deviation)),
        *_by_row(
            ("SOCKET_PRIO", "Socket|Priority", "d", lambda end: end.priority),
            ("SOCKET_TOS", "Socket|TOS", "hex", lambda end: end.tos),
            ("CONG_CONTROL", "Congestion|Control|Algorithm", "", lambda end: end.congestion),
            ("FILL_FILE", "Fill|File", "", lambda end: end.asked.fill_file),
        ),
        *_one("COMMAND_LINE", "Command|Line", "quoted", lambda r: r.settings.command_line),
    ),
)
SELECTORS = {selector.name: selector for block in BLOCKS for selector in block} | {P999.name: P999, NONE.name: NONE}
_BY_HEADING = {" ".join(selector.heading).lower(): selector for selector in reversed(SELECTORS.values())}


def percentile_name(percent: float) -> str:
    """What a percentile's selector is called: P50, P05, P999 for 99.9, P9999 for 99.99, each with _LATENCY."""
    digits = "100" if percent >= WHOLE else f"{percent:09.6f}".replace(".", "")
    return f"P{digits[:2]}{digits[2:].rstrip('0') if percent < WHOLE else '0'}_LATENCY"


def find(name: str) -> Selector | None:
    """The selector of that name in any case, or of that heading; any percentile by its name; None if there is none."""
    wanted = name.strip()
    selector = SELECTORS.get(wanted.upper()) or _BY_HEADING.get(wanted.lower())
    match = _PERCENTILE.fullmatch(wanted.upper())
    if selector is not None or match is None:
        return selector
    digits = match[1]
    percent = WHOLE if digits == "100" else float(f"{digits[:2]}.{digits[2:] or '0'}")
    return _percentile_selector(wanted.upper(), f"{percent:g}th", percent)
