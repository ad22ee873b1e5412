"""The raw `struct tcp_info` of getsockopt(TCP_INFO), decoded with length checks.

Kernels only ever append to it: an older one returns a shorter structure, whose missing fields are None here; what a
newer one appends is left alone. Fields bear the kernel's names without `tcpi_`.
"""

import struct
import sys
from dataclasses import dataclass

# Enough for every known kernel (280 bytes from 6.18 on) and for some growth: what to ask getsockopt for.
READ_SIZE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpInfo:
    """One connection's TCP_INFO. Times in microseconds, but those noted; rates in bytes a second; None is unknown."""

    state: int | None
    ca_state: int | None
    retransmits: int | None
    probes: int | None
    backoff: int | None
    options: int | None
    snd_wscale: int | None
    rcv_wscale: int | None
    delivery_rate_app_limited: int | None
    fastopen_client_fail: int | None
    rto: int | None
    ato: int | None
    snd_mss: int | None
    rcv_mss: int | None
    unacked: int | None
    sacked: int | None
    lost: int | None
    retrans: int | None
    fackets: int | None
    last_data_sent: int | None  # ms ago
    last_ack_sent: int | None  # never filled in by the kernel
    last_data_recv: int | None  # ms ago
    last_ack_recv: int | None  # ms ago
    pmtu: int | None
    rcv_ssthresh: int | None
    rtt: int | None
    rttvar: int | None
    snd_ssthresh: int | None
    snd_cwnd: int | None
    advmss: int | None
    reordering: int | None
    rcv_rtt: int | None
    rcv_space: int | None
    total_retrans: int | None
    pacing_rate: int | None
    max_pacing_rate: int | None
    bytes_acked: int | None
    bytes_received: int | None
    segs_out: int | None
    segs_in: int | None
    notsent_bytes: int | None
    min_rtt: int | None
    data_segs_in: int | None
    data_segs_out: int | None
    delivery_rate: int | None
    busy_time: int | None
    rwnd_limited: int | None
    sndbuf_limited: int | None
    delivered: int | None
    delivered_ce: int | None
    bytes_sent: int | None
    bytes_retrans: int | None
    dsack_dups: int | None
    reord_seen: int | None
    rcv_ooopack: int | None
    snd_wnd: int | None
    rcv_wnd: int | None
    rehash: int | None
    total_rto: int | None
    total_rto_recoveries: int | None
    total_rto_time: int | None  # ms
    received_ce: int | None
    delivered_e1_bytes: int | None
    delivered_e0_bytes: int | None
    delivered_ce_bytes: int | None
    received_e1_bytes: int | None
    received_e0_bytes: int | None
    received_ce_bytes: int | None


_U8, _U16, _U32, _U64 = "=B", "=H", "=I", "=Q"

# The whole fields by width, in the kernel's order; every one lies on its natural boundary, with no gap between them.
# The word at 276 is left out: 6.18 holds two 16-bit AccECN fields there, 7.0 other bit fields, at the same length.
_ORDER: tuple[tuple[str, str], ...] = (
    (_U8, "state ca_state retransmits probes backoff options _wscale _flags"),
    (_U32, "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets"),
    (_U32, "last_data_sent last_ack_sent last_data_recv last_ack_recv"),
    (_U32, "pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"),
    (_U64, "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    (_U32, "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    (_U64, "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    (_U32, "delivered delivered_ce"),
    (_U64, "bytes_sent bytes_retrans"),
    (_U32, "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    (_U16, "total_rto total_rto_recoveries"),
    (_U32, "total_rto_time received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes"),
    (_U32, "received_e1_bytes received_e0_bytes received_ce_bytes"),
)


def _offsets() -> dict[str, tuple[int, str]]:
    layout: dict[str, tuple[int, str]] = {}
    offset = 0
    for code, names in _ORDER:
        for name in names.split():
            layout[name] = (offset, code)
            offset += struct.calcsize(code)
    return layout


# Field -> (offset in bytes, struct code). The two bytes of bit fields are `_wscale` and `_flags`.
LAYOUT: dict[str, tuple[int, str]] = _offsets()

# Bits of `_flags` were padding before they had a meaning. The field appended in (or right before) the same kernel tells
# whether this one has them: delivery_rate_app_limited came with delivery_rate, fastopen_client_fail one after snd_wnd.
_FLAGS_KNOWN_BY = {"delivery_rate_app_limited": "delivery_rate", "fastopen_client_fail": "snd_wnd"}


def _bits(byte: int, first: int, width: int, byteorder: str = sys.byteorder) -> int:
    """A C bit field of one byte, `first` counted in the order of declaration."""
    shift = first if byteorder == "little" else 8 - first - width
    return byte >> shift & (1 << width) - 1


def decode(raw: bytes) -> TcpInfo:
    """The fields that `raw`, of any length, holds whole; the others are None. Never raises."""
    fields: dict[str, int | None] = {
        name: struct.unpack_from(code, raw, offset)[0] if offset + struct.calcsize(code) <= len(raw) else None
        for name, (offset, code) in LAYOUT.items()
    }
    scale, flags = fields.pop("_wscale"), fields.pop("_flags")
    fields["snd_wscale"] = None if scale is None else _bits(scale, 0, 4)
    fields["rcv_wscale"] = None if scale is None else _bits(scale, 4, 4)
    for name, first, width in (("delivery_rate_app_limited", 0, 1), ("fastopen_client_fail", 1, 2)):
        known = flags is not None and fields[_FLAGS_KNOWN_BY[name]] is not None
        fields[name] = _bits(flags, first, width) if known and flags is not None else None
    return TcpInfo(**fields)
