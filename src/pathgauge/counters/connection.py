"""A connection's counters and settings: TCP_INFO as counters and levels, the socket's memory, its options."""

import socket
import struct
from dataclasses import asdict

from pathgauge.counters.reading import Counters
from pathgauge.counters.tcp_info import TcpInfo

SO_MEMINFO = 55
MEMORY_SIZE = 64  # what to ask getsockopt for: nine words so far

_RISING = frozenset(
    {
        "busy_time",
        "rwnd_limited",
        "sndbuf_limited",
        "bytes_acked",
        "bytes_received",
        "bytes_sent",
        "bytes_retrans",
        "total_rto",  # 16 bits wide, as the next: they are few, and a difference leaves out what fell
        "total_rto_recoveries",
    }
)
_NARROW = frozenset(
    {
        "total_retrans",
        "segs_out",
        "segs_in",
        "data_segs_in",
        "data_segs_out",
        "delivered",
        "delivered_ce",
        "dsack_dups",
        "reord_seen",
        "rcv_ooopack",
        "rehash",
        "total_rto_time",
        "received_ce",
        "delivered_e1_bytes",
        "delivered_e0_bytes",
        "delivered_ce_bytes",
        "received_e1_bytes",
        "received_e0_bytes",
        "received_ce_bytes",
    }
)
_UNUSED = frozenset({"last_ack_sent", "fackets"})  # no kernel fills them in any more
# A value that stands for none: no limit, no sample yet, infinite.
_NONE = {
    "pacing_rate": 2**64 - 1,
    "max_pacing_rate": 2**64 - 1,
    "min_rtt": 2**32 - 1,
    "snd_ssthresh": 2**31 - 1,
}
_MEMORY = ("rmem_alloc", "rcvbuf", "wmem_alloc", "sndbuf", "fwd_alloc", "wmem_queued", "optmem", "backlog", "drops")

# Option -> level, number. Where Python has no name for one, the kernel's number of all architectures but a few.
_OPTIONS: dict[str, tuple[int, int]] = {
    "sndbuf": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    "rcvbuf": (socket.SOL_SOCKET, socket.SO_RCVBUF),
    "priority": (socket.SOL_SOCKET, socket.SO_PRIORITY),
    "busy_poll": (socket.SOL_SOCKET, 46),
    "tos": (socket.IPPROTO_IP, socket.IP_TOS),
    "mtu_discover": (socket.IPPROTO_IP, 10),
}
_TCP_OPTIONS: dict[str, tuple[int, int]] = {
    "nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    "cork": (socket.IPPROTO_TCP, socket.TCP_CORK),
    "maxseg": (socket.IPPROTO_TCP, socket.TCP_MAXSEG),
    "window_clamp": (socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP),
    "notsent_lowat": (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT),
}


def tcp_counters(info: TcpInfo) -> Counters:
    """TCP_INFO by the kernel's names; what is unknown, or stands for none (an unlimited rate), has no name."""
    rising: dict[str, int] = {}
    narrow: dict[str, int] = {}
    gauges: dict[str, int] = {}
    for name, value in asdict(info).items():
        if value is None or name in _UNUSED or value == _NONE.get(name):
            continue
        (rising if name in _RISING else narrow if name in _NARROW else gauges)[name] = value
    return Counters(rising, narrow, gauges)


def memory_counters(raw: bytes) -> Counters:
    """What getsockopt(SO_MEMINFO) returned, of any length: `memory.rmem_alloc` and other levels in bytes, and
    `memory.drops`, the datagrams or segments for which there was no room. Raises nothing.
    """
    words = [value for (value,) in struct.iter_unpack("=I", raw[: len(raw) - len(raw) % 4])]
    found = {f"memory.{name}": value for name, value in zip(_MEMORY, words, strict=False)}
    drops = {"memory.drops": found.pop("memory.drops")} if "memory.drops" in found else {}
    return Counters({}, drops, found)


def read_memory(made: socket.socket) -> bytes:
    """getsockopt(SO_MEMINFO); b"" where the kernel has none (before 4.12)."""
    try:
        return made.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMORY_SIZE)
    except OSError:
        return b""


def socket_settings(made: socket.socket) -> dict[str, str]:
    """A socket's options as the kernel has them; those it does not tell are left out."""
    options = dict(_OPTIONS)
    if made.type == socket.SOCK_STREAM:
        options |= _TCP_OPTIONS
    settings: dict[str, str] = {}
    for name, (level, number) in options.items():
        try:
            settings[name] = str(made.getsockopt(level, number))
        except OSError:
            continue
    return settings
