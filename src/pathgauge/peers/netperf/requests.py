"""What the client asks of netserver, from its settings, and what it reads out of the answers."""

import math
import socket
from dataclasses import dataclass

from pathgauge.peers.netperf import frames
from pathgauge.peers.netperf.frames import Flag, Frame, Kind
from pathgauge.peers.netperf.record import CpuUse, EndRecord
from pathgauge.peers.netperf.settings import RECEIVE, SEND, Settings

FAMILIES: dict[int, int] = {socket.AF_INET: frames.IPV4, socket.AF_INET6: frames.IPV6}
TRANSMIT_AT_SERVER, RECEIVE_AT_SERVER = frames.TRANSMIT, frames.RECEIVE


@dataclass(slots=True)
class Carried:
    """What one iteration takes over to the next, as netperf does: the data port, and the server's CPU rate."""

    port: int = 0
    cpu_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Local:
    """This end's data socket, as the request tells of it."""

    family: int
    address: str
    port: int
    send_width: int
    receive_width: int
    server: str = ""  # where the data go, if that is not where the control connection goes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered before the data move."""

    port: int
    ours: bool  # the server is pathgauge's
    cpu_measured: bool
    cpu_rate: float
    fields: dict[str, int | float | str | bytes]


def _length(settings: Settings) -> int:
    """As the server takes it: whole seconds, for which a part of one counts as whole, or minus the limit."""
    return -settings.limit if settings.limit else math.ceil(settings.length)


def may_route(settings: Settings) -> bool:
    """Whether datagrams may be routed. netperf says no for one-way UDP, lest a network be flooded by mistake."""
    one_way = settings.transport == "udp" and not settings.transactions
    return not one_way if settings.routing is None else settings.routing


def omni(settings: Settings, local: Local, carried: Carried) -> Frame:
    """The omni request."""
    remote = settings.remote
    direction = 0
    direction |= RECEIVE_AT_SERVER if settings.direction & SEND else 0
    direction |= TRANSMIT_AT_SERVER if settings.direction & RECEIVE else 0
    flags = {
        Flag.NODELAY: remote.nodelay,
        Flag.CONNECTION: settings.connection,
        Flag.CPU: settings.remote_cpu_wanted,
        Flag.ROUTING: may_route(settings),
        Flag.FAST_OPEN: settings.fast_open,
        Flag.PACKET_INFO: settings.packet_info,
        Flag.CONNECTED: remote.connected,
        Flag.DEFER_ACCEPT: settings.defer_accept,
        Flag.DONT_FRAGMENT: settings.dont_fragment,
        Flag.KEEPALIVE: settings.keepalive,
    }
    exchange = settings.direction == SEND | RECEIVE
    payload = frames.OMNI_REQUEST.pack(
        {
            "send_buffer": remote.send_buffer,
            "send_size": remote.send_size,
            "send_align": remote.send_align,
            "send_offset": remote.send_offset,
            "send_width": remote.send_width or local.send_width,
            "request_size": settings.request_size if exchange else -1,
            "receive_buffer": remote.receive_buffer,
            "receive_size": remote.receive_size,
            "receive_align": remote.receive_align,
            "receive_offset": remote.receive_offset,
            "receive_width": remote.receive_width or local.receive_width,
            "response_size": settings.response_size if exchange else -1,
            "flags": sum(flag for flag, wanted in flags.items() if wanted),
            "cpu_rate": carried.cpu_rate,
            "length": _length(settings),
            "receive_avoid": int(settings.discard),
            "send_avoid": int(settings.send_avoid),
            "send_dirty": -1,
            "receive_dirty": -1,
            "receive_clean": -1,
            "port": carried.port or remote.port,
            "family": FAMILIES.get(local.family, frames.UNSPECIFIED),
            "socket_type": frames.STREAM if settings.transport == "tcp" else frames.DATAGRAM,
            "protocol": socket.IPPROTO_TCP if settings.transport == "tcp" else socket.IPPROTO_UDP,
            "direction": direction,
            "client_port": local.port,
            "burst": remote.burst,
            "interval_usecs": round(remote.interval * 1e6),
            "client_ip": frames.pack_address(local.address),
            "server_ip": frames.pack_address(local.server),
            "priority": remote.priority,
            "tos": remote.tos,
            "congestion": remote.congestion,
            "fill_file": remote.fill_file,
        }
    )
    return Frame(Kind.OMNI, remote.cpu, payload)


def stream(settings: Settings, carried: Carried) -> Frame:
    """The classic request that TCP_SENDFILE and TCP_MSS make."""
    remote = settings.remote
    payload = frames.STREAM_REQUEST.pack(
        {
            "send_buffer": remote.send_buffer,
            "receive_buffer": remote.receive_buffer,
            "size": max(0, remote.receive_size),
            "align": remote.receive_align,
            "offset": remote.receive_offset,
            "nodelay": int(remote.nodelay),
            "cpu": int(settings.remote_cpu_wanted),
            "cpu_rate": carried.cpu_rate,
            "length": settings.limit or math.ceil(settings.length),
            "receive_avoid": int(settings.discard),
            "dirty": -1,
            "clean": -1,
            "port": carried.port or remote.port,
            "family": remote.family or settings.host_family,
        }
    )
    return Frame(Kind.TCP_STREAM, remote.cpu, payload)


def connections(settings: Settings, carried: Carried) -> Frame:
    """The classic request that TCP_CC makes."""
    remote = settings.remote
    payload = frames.RR_REQUEST.pack(
        {
            "receive_buffer": remote.receive_buffer,
            "send_buffer": remote.send_buffer,
            "receive_align": remote.receive_align,
            "receive_offset": remote.receive_offset,
            "send_align": remote.send_align,
            "send_offset": remote.send_offset,
            "request_size": 1,
            "response_size": 1,
            "nodelay": int(remote.nodelay),
            "cpu": int(settings.remote_cpu_wanted),
            "cpu_rate": carried.cpu_rate,
            "length": _length(settings),
            "port": carried.port or remote.port,
            "family": remote.family or settings.host_family,
        }
    )
    return Frame(Kind.TCP_CC, remote.cpu, payload)


def read_answer(settings: Settings, frame: Frame, asked: Frame) -> Answer:
    """The answer to a request of that type."""
    layouts = {Kind.OMNI: frames.OMNI_RESPONSE, Kind.TCP_STREAM: frames.STREAM_RESPONSE}
    fields = layouts.get(Kind(asked.kind), frames.RR_RESPONSE).unpack(frame.payload)
    measured = bool(int(fields["flags"]) & Flag.CPU) if asked.kind == Kind.OMNI else int(fields["cpu"]) == 1
    return Answer(
        port=int(fields["port"]) & 0xFFFF,
        ours=fields.get("system_model") == frames.OUR_MARK,
        cpu_measured=settings.remote_cpu_wanted and measured,
        cpu_rate=_finite(fields["cpu_rate"]),
        fields=fields,
    )


def remote_record(settings: Settings, answer: Answer | None, results: Frame | None, kind: int) -> EndRecord:
    """The server's end of the iteration; unknown is what no answer tells."""
    record = EndRecord(settings.remote)
    if answer is not None:
        said = answer.fields
        record.send_buffer = record.send_buffer_end = int(said["send_buffer"])
        record.receive_buffer = record.receive_buffer_end = int(said["receive_buffer"])
        if kind == Kind.OMNI:
            record.send_size, record.receive_size = int(said["send_size"]), int(said["receive_size"])
            record.send_width, record.receive_width = int(said["send_width"]), int(said["receive_width"])
            record.priority, record.tos = int(said["priority"]), int(said["tos"])
            record.nodelay = bool(int(said["flags"]) & Flag.NODELAY)
        else:
            record.receive_size = int(said.get("size", -1))
            record.nodelay = bool(int(said["nodelay"]))
    if results is None:
        return record
    layouts = {Kind.OMNI: frames.OMNI_RESULTS, Kind.TCP_STREAM: frames.STREAM_RESULTS}
    found = layouts.get(Kind(kind), frames.RR_RESULTS).unpack(results.payload)
    if kind == Kind.OMNI:
        record.bytes_received, record.bytes_sent = int(found["bytes_received"]), int(found["bytes_sent"])
        record.receive_calls, record.send_calls = int(found["receive_calls"]), int(found["send_calls"])
        record.receive_buffer_end, record.send_buffer_end = int(found["receive_buffer"]), int(found["send_buffer"])
        record.retransmits = int(found["retransmits"])
        record.congestion = str(found["congestion"])
    elif kind == Kind.TCP_STREAM:
        record.bytes_received, record.receive_calls = round(_finite(found["bytes"])), int(found["calls"])
    if answer is not None and answer.cpu_measured:
        record.cpu = _cpu(found)
    return record


def _cpu(found: dict[str, int | float | str | bytes]) -> CpuUse:
    use = CpuUse(
        utilisation=_finite(found["cpu"]),
        method=frames.METHODS.get(int(found["method"]), "?"),
        count=int(found["cpus"]),
    )
    if "cpu_user" in found:
        use.user, use.system = _finite(found["cpu_user"]), _finite(found["cpu_system"])
        use.iowait, use.irq = _finite(found["cpu_iowait"]), _finite(found["cpu_irq"])
        use.softirq = _finite(found["cpu_softirq"])
        use.peak, use.peak_id = _finite(found["peak"]), int(found["peak_id"])
    return use


def _finite(value: float | str | bytes) -> float:
    """A number of the server's, which may be anything: what is none becomes 0."""
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if math.isfinite(number) else 0.0
