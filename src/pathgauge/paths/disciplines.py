"""Queueing disciplines as routing messages: what shapes a wire's end, what impairs it, and what a device may queue by.

Times are in the packet scheduler's ticks of 64 ns, rates in bytes/s, as the kernel takes them.
"""

import struct

from pathgauge.paths.rtnetlink import ROOT, attribute, new_class, new_discipline
from pathgauge.paths.shaping import Shaping

_TICKS = 15_625_000  # in a second (PSCHED_TICKS_PER_SEC)
_ETHERNET = 1  # TC_LINKLAYER_ETHERNET: the kernel wants no table of rates then
_MOST = 2**32 - 1

_HANDLE, _NETEM_HANDLE, _QUEUE_HANDLE = 0x10000, 0x20000, 0x30000
_CLASS = 1  # the one class of an htb, and the one place under a netem
_TBF_PARMS, _HTB_PARMS, _HTB_INIT, _HTB_VERSION = 1, 1, 2, 3
_RATE_TO_QUANTUM, _LEAST_QUANTUM, _MOST_QUANTUM = 10, 1514, 60_000
_NETEM_REORDER = 3
_PLAIN_QUEUE, _FQ_LIMIT, _FQ_CODEL_LIMIT = 0, 1, 2

# What a device may queue by, and how its limit is given: the number of its attribute, 0 for a plain queue's one field.
QUEUES: dict[str, int | None] = {
    "pfifo": _PLAIN_QUEUE,
    "bfifo": _PLAIN_QUEUE,
    "fq": _FQ_LIMIT,
    "fq_codel": _FQ_CODEL_LIMIT,
    "sfq": None,
    "noqueue": None,
}


def queue(number: int, kind: str, limit: int | None) -> bytes:
    """One of QUEUES at the root of a device, instead of what is there; its limit in packets (bfifo's in bytes)."""
    return new_discipline(number, kind, b"" if limit is None else _limited(kind, limit), instead=True)


def tbf(number: int, form: Shaping, *, under_netem: bool = False) -> tuple[bytes, ...]:
    """A token bucket at the root of a device, or under a netem that is there."""
    fields = _rate(form.rate) + bytes(12) + struct.pack("=III", form.limit, _ticks(form.burst, form.rate), 0)
    options = attribute(_TBF_PARMS, fields)
    return (new_discipline(number, "tbf", options, parent=_parent(under_netem), handle=_HANDLE),)


def htb(number: int, form: Shaping, *, under_netem: bool = False) -> tuple[bytes, ...]:
    """An htb of one class that is never exceeded, and behind it a queue of the limit."""
    start = struct.pack("=IIIII", _HTB_VERSION, _RATE_TO_QUANTUM, _CLASS, 0, 0)
    bucket = _ticks(form.burst, form.rate)
    quantum = min(max(form.rate // _RATE_TO_QUANTUM, _LEAST_QUANTUM), _MOST_QUANTUM)
    shape = _rate(form.rate) * 2 + struct.pack("=IIIII", bucket, bucket, quantum, 0, 0)
    inner = _HANDLE | _CLASS
    return (
        new_discipline(number, "htb", attribute(_HTB_INIT, start), parent=_parent(under_netem), handle=_HANDLE),
        new_class(number, "htb", attribute(_HTB_PARMS, shape), parent=_HANDLE, handle=inner),
        new_discipline(number, "bfifo", struct.pack("=I", form.limit), parent=inner, handle=_QUEUE_HANDLE),
    )


def netem(number: int, *, delay: float, jitter: float, loss: float, reorder: float, limit: int) -> bytes:
    """A netem at the root: times in seconds, chances from 0 to 1, its limit in packets."""
    gap = 1 if reorder else 0  # each packet may be the one that overtakes
    head = struct.pack("=IIIIII", round(delay * _TICKS), limit, round(loss * _MOST), gap, 0, round(jitter * _TICKS))
    more = attribute(_NETEM_REORDER, struct.pack("=II", round(reorder * _MOST), 0)) if reorder else b""
    return new_discipline(number, "netem", head + more, handle=_NETEM_HANDLE)


def _parent(under_netem: bool) -> int:
    return _NETEM_HANDLE | _CLASS if under_netem else ROOT


def _rate(octets: int) -> bytes:
    """A tc_ratespec."""
    return struct.pack("=BBHhHI", 0, _ETHERNET, 0, 0, 0, octets)


def _ticks(octets: int, rate: int) -> int:
    return min(round(octets / rate * _TICKS), _MOST)


def _limited(kind: str, limit: int) -> bytes:
    if kind == "sfq":  # quantum, seconds between perturbations, limit, divisor, flows: 0 is the kernel's own
        return struct.pack("=IiIII", 0, 0, limit, 0, 0)
    place = QUEUES[kind]
    packed = struct.pack("=I", limit)
    return attribute(place, packed) if place else packed
