"""A slice against a netserver: one run of our netperf in a namespace, at the order of the controller."""

import os

import numpy as np

from pathgauge.endpoints.messages import NetperfDone, NetperfRun
from pathgauge.paths.namespaces import CLONE_NEWNET, setns
from pathgauge.peers.netperf import options
from pathgauge.peers.netperf.control import Control
from pathgauge.peers.netperf.iteration import Client
from pathgauge.results.latency import Histogram


def run(order: NetperfRun) -> NetperfDone:
    """Run it, on a control and a data connection of its own. Raises UserError and MachineError."""
    setns(order.namespace, CLONE_NEWNET)
    if order.cpu is not None:
        os.sched_setaffinity(0, {order.cpu})
    settings = options.parse(order.words)
    settings.latency = settings.transactions  # streams are not timed call by call
    with Control.open(settings) as control:
        found = Client(settings, control, lambda *_: None).once()
    dense = np.frombuffer(found.histogram, dtype=np.uint32)
    places = np.flatnonzero(dense) if settings.transactions else np.array([], dtype=np.int64)
    local, remote = found.local, found.remote
    measured = remote.cpu.utilisation >= 0
    return NetperfDone(
        elapsed=found.elapsed,
        cpu_seconds=found.cpu_seconds,
        bytes_sent=local.bytes_sent,
        bytes_received=local.bytes_received,
        messages_sent=local.send_calls,
        messages_received=local.receive_calls,
        messages_lost=local.failed_sends,
        transactions=found.transactions,
        retransmits=local.retransmits if local.retransmits >= 0 else None,
        mss=found.mss if found.mss > 0 else None,
        congestion=local.congestion or None,
        send_buffer=local.send_buffer_end,
        receive_buffer=local.receive_buffer_end,
        remote_bytes_sent=remote.bytes_sent,
        remote_bytes_received=remote.bytes_received,
        remote_send_calls=remote.send_calls,
        remote_receive_calls=remote.receive_calls,
        remote_send_buffer=remote.send_buffer_end,
        remote_receive_buffer=remote.receive_buffer_end,
        remote_cpu_seconds=remote.cpu.utilisation / 100 * remote.cpu.count * found.elapsed if measured else None,
        latency=Histogram(places, dense[places].astype(np.int64)).encode() if settings.transactions else None,
    )
