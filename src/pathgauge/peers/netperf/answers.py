"""What the server answers: the payloads of responses and of results, by the type of the request."""

import os
from collections.abc import Callable

from pathgauge.peers.netperf import frames
from pathgauge.peers.netperf.frames import Flag, Kind
from pathgauge.peers.netperf.plan import Plan
from pathgauge.peers.netperf.serving import Ready, Served

STREAMS = (Kind.TCP_STREAM, Kind.TCP_MAERTS)
TRANSACTIONS = (Kind.TCP_RR, Kind.UDP_RR, Kind.TCP_CRR, Kind.TCP_CC)


def _rate(asked: Plan) -> float:
    return float(os.sysconf("SC_CLK_TCK")) if asked.cpu else 0.0


def _omni_response(ready: Ready) -> bytes:
    asked = ready.plan
    return frames.OMNI_RESPONSE.pack(
        {
            "receive_buffer": ready.receive_buffer,
            "receive_size": asked.receive_size,
            "receive_width": asked.receive_width,
            "send_buffer": ready.send_buffer,
            "send_size": asked.send_size,
            "send_width": asked.send_width,
            "flags": asked.flags & (Flag.NODELAY | Flag.CPU),
            "cpu_rate": _rate(asked),
            "length": round(asked.length),
            "port": ready.port,
            "burst": asked.burst,
            "interval_usecs": round(asked.interval * 1e6),
            "priority": asked.priority,
            "tos": asked.tos,
            "system_model": frames.OUR_MARK,
        }
    )


def _stream_response(ready: Ready) -> bytes:
    asked = ready.plan
    return frames.STREAM_RESPONSE.pack(
        {
            "receive_buffer": ready.receive_buffer,
            "size": asked.send_size if asked.sends else asked.receive_size,
            "nodelay": int(bool(asked.flags & Flag.NODELAY)),
            "cpu": int(asked.cpu),
            "length": round(asked.length),
            "send_buffer": ready.send_buffer,
            "port": ready.port,
            "cpu_rate": _rate(asked),
        }
    )


def _rr_response(ready: Ready) -> bytes:
    asked = ready.plan
    return frames.RR_RESPONSE.pack(
        {
            "receive_buffer": ready.receive_buffer,
            "nodelay": int(bool(asked.flags & Flag.NODELAY)),
            "cpu": int(asked.cpu),
            "length": round(asked.length),
            "send_buffer": ready.send_buffer,
            "port": ready.port,
            "cpu_rate": _rate(asked),
        }
    )


def _udp_response(ready: Ready) -> bytes:
    asked = ready.plan
    return frames.UDP_RESPONSE.pack(
        {
            "receive_buffer": ready.receive_buffer,
            "send_buffer": ready.send_buffer,
            "cpu": int(asked.cpu),
            "length": round(asked.length),
            "port": ready.port,
            "cpu_rate": _rate(asked),
        }
    )


RESPONSES: dict[Kind, Callable[[Ready], bytes]] = {
    Kind.OMNI: _omni_response,
    Kind.UDP_STREAM: _udp_response,
    **dict.fromkeys(STREAMS, _stream_response),
    **dict.fromkeys(TRANSACTIONS, _rr_response),
}


def _used(served: Served) -> dict[str, int | float]:
    """The CPU's use as results hold it; where it was not asked for, -1 and no method."""
    used = served.cpu
    method = frames.PROC_STAT_METHOD if used else 0
    count = os.cpu_count() or 1
    if used is None:
        return {"cpu": -1.0, "method": method, "cpus": count, "peak_id": -1, "peak": -1.0}
    return {
        "cpu": used.utilisation,
        "cpu_user": used.user,
        "cpu_system": used.system,
        "cpu_iowait": used.iowait,
        "cpu_irq": used.irq,
        "cpu_softirq": used.softirq,
        "method": method,
        "cpus": used.count,
        "peak_id": used.peak_id,
        "peak": used.peak,
    }


def _omni_results(ready: Ready, served: Served) -> bytes:
    return frames.OMNI_RESULTS.pack(
        {
            "bytes_received": served.bytes_received,
            "receive_calls": served.receive_calls,
            "receive_buffer": served.receive_buffer if served.receive_buffer >= 0 else ready.receive_buffer,
            "bytes_sent": served.bytes_sent,
            "send_calls": served.send_calls,
            "send_buffer": served.send_buffer if served.send_buffer >= 0 else ready.send_buffer,
            "failed_sends": served.failed_sends,
            "transactions": served.transactions,
            "elapsed": served.elapsed,
            "vendor": -1,
            "device": -1,
            "subvendor": -1,
            "subdevice": -1,
            "retransmits": served.retransmits,
            "congestion": served.congestion,
            **_used(served),
        }
    )


def _stream_results(ready: Ready, served: Served) -> bytes:
    sends = ready.plan.sends
    return frames.STREAM_RESULTS.pack(
        {
            "bytes": float(served.bytes_sent if sends else served.bytes_received),
            "calls": served.send_calls if sends else served.receive_calls,
            "elapsed": served.elapsed,
            **_used(served),
        }
    )


def _rr_results(ready: Ready, served: Served) -> bytes:
    size = max(0, ready.plan.request_size) + max(0, ready.plan.response_size)
    return frames.RR_RESULTS.pack(
        {
            "bytes": served.transactions * size,
            "calls": served.receive_calls,
            "transactions": served.transactions,
            "elapsed": served.elapsed,
            **_used(served),
        }
    )


def _udp_results(ready: Ready, served: Served) -> bytes:
    del ready
    return frames.UDP_RESULTS.pack(
        {
            "messages": served.receive_calls,
            "bytes": served.bytes_received,
            "elapsed": served.elapsed,
            **_used(served),
        }
    )


RESULTS: dict[Kind, Callable[[Ready, Served], bytes]] = {
    Kind.OMNI: _omni_results,
    Kind.UDP_STREAM: _udp_results,
    **dict.fromkeys(STREAMS, _stream_results),
    **dict.fromkeys(TRANSACTIONS, _rr_results),
}
