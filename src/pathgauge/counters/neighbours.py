"""Levels of a namespace: IPv4 neighbours by state from /proc/net/arp, packet sockets from /proc/net/packet."""

from collections import Counter

from pathgauge.counters.reading import Counters
from pathgauge.counters.text import number, whole_lines

_FLAGS = 2  # the column, in hexadecimal
_COMPLETE, _PERMANENT = 2, 4


def parse_arp(text: bytes) -> Counters:
    """`neighbours.complete`, `.incomplete` (asked for, not answered) and `.permanent`. Raises nothing."""
    lines = whole_lines(text)
    if not lines:
        return Counters()
    states: Counter[str] = Counter(complete=0, incomplete=0, permanent=0)
    for line in lines[1:]:
        words = line.split()
        flags = number(words[_FLAGS].removeprefix(b"0x"), 16) if len(words) > _FLAGS else None
        if flags is not None:
            states["permanent" if flags & _PERMANENT else "complete" if flags & _COMPLETE else "incomplete"] += 1
    return Counters({}, {}, {f"neighbours.{state}": count for state, count in states.items()})


def parse_packet(text: bytes) -> Counters:
    """`packet_sockets`: who listens to the devices, tcpdump for one. Raises nothing."""
    lines = whole_lines(text)
    return Counters({}, {}, {"packet_sockets": len(lines) - 1}) if lines else Counters()
