"""The layouts that every test but OMNI prints unless it is asked for others: fixed columns, which scripts know."""

from collections.abc import Callable, Iterator

from pathgauge.peers.netperf import units
from pathgauge.peers.netperf.record import EndRecord, Record
from pathgauge.peers.netperf.selectors import byte_rate, each, result, round_trip, transaction_rate

EXTRA = 2  # the verbosity from which a second table follows
KINDS = {
    "TCP_STREAM": "stream",
    "TCP_MAERTS": "stream",
    "TCP_SENDFILE": "stream",
    "TCP_RR": "transactions",
    "UDP_RR": "transactions",
    "TCP_CRR": "transactions",
    "TCP_CC": "transactions",
    "UDP_STREAM": "datagrams",
    "TCP_MSS": "segment",
}


def lines(record: Record) -> Iterator[str]:
    """Every line after the run. Raises KeyError for a test without such a layout."""
    layout = _LAYOUTS[KINDS[record.settings.test]]
    if not record.confidence.reached:
        yield from _warning(record)
    if record.settings.test != "TCP_MSS" and record.settings.verbosity == 0:
        yield _single(record)
    else:
        yield from layout(record)


def _warning(record: Record) -> Iterator[str]:
    """What is said if the wanted confidence was not reached, whatever the verbosity."""
    widths = record.confidence
    yield "!!! WARNING"
    yield f"!!! After {widths.iterations} iterations the results still vary more than -i and -I allow:"
    yield "!!! something on these machines or between them changes from one iteration to the next."
    yield "!!! Find out what it is before you rely on the figures below."
    yield f"!!! Confidence intervals: Throughput      : {100 * widths.throughput:4.3f}%"
    yield f"!!!                       Local CPU util  : {100 * widths.local_cpu:4.3f}%"
    yield f"!!!                       Remote CPU util : {100 * widths.remote_cpu:4.3f}%"
    yield ""


def _brand(record: Record) -> str:
    """The brand as rows end with it: only without headings, and never in connection tests and UDP_STREAM."""
    return record.settings.brand if not record.settings.banner else ""


def _cpu_wanted(record: Record) -> bool:
    return record.settings.local_cpu_wanted or record.settings.remote_cpu_wanted


def _single(record: Record) -> str:
    """The one number of -v 0: service demand if CPU use is measured, else the rate."""
    bare = record.settings.test in ("TCP_CRR", "TCP_CC")
    lossy = record.settings.test == "UDP_STREAM"
    ending = "" if bare or lossy else f" {_brand(record)}"
    if not _cpu_wanted(record):
        return f"{record.throughput:7.2f}{ending}"
    cpu = record.local.cpu if record.settings.local_cpu_wanted else record.remote.cpu
    if bare:
        return f"{cpu.demand:6.3f}"
    return f"{cpu.demand:6.{2 if lossy else 3}f} {cpu.method}{ending}"


# Streams ----------------------------------------------------------------------------------------------------------


def _stream(record: Record) -> Iterator[str]:
    local, remote, settings = record.local, record.remote, record.settings
    inward = settings.test == "TCP_MAERTS"
    sender, receiver = (remote, local) if inward else (local, remote)
    sizes = f"{receiver.receive_buffer:6d} {sender.send_buffer:6d} {sender.send_size:6d}    {record.elapsed:<6.2f}  "
    unit = units.label(units.unit_for(settings))
    if _cpu_wanted(record):
        if settings.banner:
            ends = "Recv     Send     Recv    Send" if inward else "Send     Recv     Send    Recv"
            yield "Recv   Send    Send                          Utilization       Service Demand"
            yield f"Socket Socket  Message  Elapsed              {ends}"
            yield "Size   Size    Size     Time     Throughput  local    remote   local   remote"
            methods = f"% {local.cpu.method}      % {remote.cpu.method}"
            yield f"bytes  bytes   bytes    secs.    {unit:<8.8s}/s  {methods}      us/KB   us/KB"
            yield ""
        use = f"{local.cpu.utilisation:<6.2f}   {remote.cpu.utilisation:<6.2f}"
        demand = f"{local.cpu.demand:<6.3f}  {remote.cpu.demand:<6.3f}"
        yield f"{sizes}   {record.throughput:7.2f}   {use}   {demand} {_brand(record)}"
    else:
        if settings.banner:
            yield "Recv   Send    Send                          "
            yield "Socket Socket  Message  Elapsed              "
            yield "Size   Size    Size     Time     Throughput  "
            yield f"bytes  bytes   bytes    secs.    {unit}/sec  "
            yield ""
        yield f"{sizes} {record.throughput:7.2f}   {_brand(record)}"
    if settings.verbosity >= EXTRA:
        yield from _stream_extra(record, inward)


def _stream_extra(record: Record, inward: bool) -> Iterator[str]:
    local, remote = record.local, record.remote
    near, far = ("Recv", "Send") if inward else ("Send", "Recv")
    yield ""
    yield f"Alignment      Offset         Bytes    Bytes       {near}s   Bytes    {far}s"
    yield "Local  Remote  Local  Remote  Xfered   Per                 Per"
    yield f"{near}   {far}    {near}   {far}             {near} (avg)          {far} (avg)"
    if inward:
        counts = (local.bytes_received, local.receive_calls, remote.bytes_sent, remote.send_calls)
    else:
        counts = (local.bytes_sent, local.send_calls, remote.bytes_received, remote.receive_calls)
    moved, calls, far_moved, far_calls = counts
    total = f"{moved:6.4g}" if record.settings.test == "TCP_SENDFILE" else f"{moved:6d}"
    align, far_align, offset, far_offset = _placing(record, near, far)
    yield (
        f"{align:5d}   {far_align:5d}  {offset:5d}   {far_offset:5d} {total}  "
        f"{each(moved, calls):6.2f}    {calls:6d}   {each(far_moved, far_calls):6.2f} {far_calls:6d}"
    )
    yield ""
    yield from _SEGMENT_HEADING
    yield f"{record.mss:6d}"


def _placing(record: Record, near: str, far: str) -> tuple[int, int, int, int]:
    """Alignment and offset of buffers: local, remote, local, remote; `near` and `far` are Send or Recv."""

    def of(end: EndRecord, way: str) -> tuple[int, int]:
        asked = end.asked
        return (asked.send_align, asked.send_offset) if way == "Send" else (asked.receive_align, asked.receive_offset)

    (align, offset), (far_align, far_offset) = of(record.local, near), of(record.remote, far)
    return align, far_align, offset, far_offset


def _placing_column(record: Record) -> str:
    align, far_align, offset, far_offset = _placing(record, "Send", "Recv")
    return f"{align:5d}  {far_align:5d}   {offset:5d}  {far_offset:5d}"


# Transactions -----------------------------------------------------------------------------------------------------


def _transactions(record: Record) -> Iterator[str]:
    local, remote, settings = record.local, record.remote, record.settings
    letter = units.unit_for(settings)
    plain = letter == units.TRANSACTIONS
    connecting = settings.test in ("TCP_CRR", "TCP_CC")
    brand = "" if connecting else _brand(record)
    request, response = max(settings.request_size, 1), max(settings.response_size, 1)
    buffers = f"{local.send_buffer:<6d} {local.receive_buffer:<6d}"
    if _cpu_wanted(record):
        if settings.banner:
            methods = "%      %     " if connecting else f"% {local.cpu.method}    % {remote.cpu.method}   "
            per = units.demand_word(settings)
            yield "Local /Remote"
            word, unit = ("Trans.", "Rate") if plain else ("Tput", units.label(letter))
            yield f"Socket Size   Request Resp.  Elapsed {word:<8} CPU    CPU    S.dem   S.dem"
            yield f"Send   Recv   Size    Size   Time    {unit:<8.8} local  remote local   remote"
            yield f"bytes  bytes  bytes   bytes  secs.   per sec  {methods} us/{per}   us/{per}"
            yield ""
        use = f"{local.cpu.utilisation:<6.2f} {remote.cpu.utilisation:<6.2f}"
        demand = f"{local.cpu.demand:<6.3f}  {remote.cpu.demand:<6.3f}"
        rate = f"{record.throughput:<6.2f}{'  ' if settings.test == 'TCP_RR' else '   '}"
        ending = "" if connecting else f" {brand}"
        yield f"{buffers} {request:<6d}  {response:<6d} {record.elapsed:<6.2f}  {rate}{use} {demand}{ending}"
    else:
        if settings.banner:
            yield "Local /Remote"
            yield f"Socket Size   Request  Resp.   Elapsed  {'Trans.' if plain else ''}"
            yield f"Send   Recv   Size     Size    Time     {'Rate         ' if plain else 'Throughput '}"
            per = "per sec" if plain else units.rate_label(letter, "sec")
            yield f"bytes  Bytes  bytes    bytes   secs.    {per}   "
            yield ""
        row = f"{request:<6d}   {response:<6d}  {record.elapsed:<6.2f}   {record.throughput:7.2f}   {brand}"
        yield f"{buffers} {row}"
    yield f"{remote.send_buffer:<6d} {remote.receive_buffer:<6d}"
    if settings.verbosity >= EXTRA:
        if connecting:
            yield from _connections_extra(record)
        elif settings.test == "TCP_RR":
            yield from _round_trips_extra(record, letter)


def _connections_extra(record: Record) -> Iterator[str]:
    yield ""
    yield "Alignment      Offset"
    yield "Local  Remote  Local  Remote"
    yield "Send   Recv    Send   Recv"
    yield _placing_column(record)


def _round_trips_extra(record: Record, letter: str) -> Iterator[str]:
    unit = units.label(letter if units.UNITS[letter].bytes_per_second else units.MEGABITS)
    outward, inward = byte_rate(record, record.local.bytes_sent), byte_rate(record, record.local.bytes_received)
    yield "Alignment      Offset         RoundTrip  Trans    Throughput"
    yield f"Local  Remote  Local  Remote  Latency    Rate     {unit:<8.8}/s"
    yield "Send   Recv    Send   Recv    usec/Tran  per sec  Outbound   Inbound"
    times = f"{round_trip(record):<6.3f}   {transaction_rate(record):<6.3f}"
    yield f"{_placing_column(record)}   {times} {outward:<6.3f}    {inward:<6.3f}"


# Datagrams one way, and the segment size --------------------------------------------------------------------------


def _datagrams(record: Record) -> Iterator[str]:
    local, remote = record.local, record.remote
    unit = units.label(units.unit_for(record.settings))
    sent = f"{local.send_buffer:6d}  {local.send_size:6d}   {record.elapsed:<7.2f}   {local.send_calls:7d} "
    sent += f"{local.failed_sends:6d}    "
    arrived = f"{remote.receive_buffer:6d}           {record.elapsed:<7.2f}   {remote.receive_calls:7d}           "
    if _cpu_wanted(record):
        if record.settings.banner:
            yield "Socket  Message  Elapsed      Messages                   CPU      Service"
            yield "Size    Size     Time         Okay Errors   Throughput   Util     Demand"
            methods = f"% {local.cpu.method}{remote.cpu.method}"
            yield f"bytes   bytes    secs            #      #   {unit}/sec {methods}     us/KB"
            yield ""
        yield f"{sent}{record.throughput:7.1f}     {local.cpu.utilisation:<6.2f}   {local.cpu.demand:<6.3f}"
        yield f"{arrived}{result(record):7.1f}     {remote.cpu.utilisation:<6.2f}   {remote.cpu.demand:<6.3f}"
    else:
        if record.settings.banner:
            yield "Socket  Message  Elapsed      Messages                "
            yield "Size    Size     Time         Okay Errors   Throughput"
            yield f"bytes   bytes    secs            #      #   {unit}/sec"
            yield ""
        yield f"{sent}{record.throughput:7.2f}"
        yield f"{arrived}{result(record):7.2f}"
    yield ""


_SEGMENT_HEADING = ("Maximum", "Segment", "Size (bytes)")


def _segment(record: Record) -> Iterator[str]:
    if record.settings.banner and record.settings.verbosity > 0:
        yield from _SEGMENT_HEADING
        yield ""
    yield f"{record.mss:d} {_brand(record)}"


_LAYOUTS: dict[str, Callable[[Record], Iterator[str]]] = {
    "stream": _stream,
    "transactions": _transactions,
    "datagrams": _datagrams,
    "segment": _segment,
}
