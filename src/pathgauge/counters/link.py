"""The counters of network devices from /proc/net/dev, one reading for all devices of a namespace.

They are 64 bit wide and count from the device's making. `rx_dropped` includes what the device missed.
"""

import os
from dataclasses import dataclass

from pathgauge.errors import MachineError

# Columns after the name: bytes packets errs drop fifo frame compressed multicast, then the same eight for sending.
_COLUMNS = 16
_HEADER_LINES = 2
_DIGITS = 20  # of the largest 64-bit number


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """One device. A packet here is what the kernel hands the device: before segmentation, after aggregation."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


def parse_net_dev(text: bytes) -> dict[str, LinkCounters]:
    """All devices of /proc/net/dev by name. Raises MachineError if the text was cut short or is something else."""
    if not text.endswith(b"\n"):
        raise MachineError("The device counters (/proc/net/dev) were cut short.")
    devices: dict[str, LinkCounters] = {}
    for line in text.split(b"\n")[_HEADER_LINES:-1]:
        name, colon, rest = line.partition(b":")
        words = rest.split()
        if not colon or len(words) < _COLUMNS or not all(word.isdigit() and len(word) <= _DIGITS for word in words):
            raise MachineError("The device counters (/proc/net/dev) are not in the form that Linux writes.")
        numbers = [int(word) for word in words]
        devices[os.fsdecode(name.strip())] = LinkCounters(*numbers[0:4], *numbers[8:12])
    return devices
