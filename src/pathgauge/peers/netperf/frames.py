"""netperf's control messages: 656 bytes each, two header words and 648 bytes of payload, all big-endian.

A message carries no length, no version and no checksum, and what a sender does not fill holds leftovers: nothing here
fails on their content, only on their number of bytes.
"""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from pathgauge.errors import InternalError

FRAME_BYTES = 656
PAYLOAD_BYTES = 648
ADDRESS_BYTES = 16
UNKNOWN_REQUEST = 998  # the status that netserver answers a type it does not know
OUR_MARK = "pathgauge"  # in a field that no netperf since 2.7 reads: who finds it knows that the server is ours


class Kind(IntEnum):
    """Types of messages; an answer's is the request's plus one, its results' plus two."""

    DEBUG_ON = 1
    DEBUG_OFF = 2
    DEBUG_OK = 3
    CALIBRATE = 5
    PASSPHRASE = 6
    TCP_STREAM = 10
    TCP_RR = 13
    UDP_STREAM = 16
    UDP_RR = 19
    TCP_CRR = 34
    TCP_MAERTS = 94
    OMNI = 97
    TCP_CC = 300
    SYSINFO = 600


class Flag(IntEnum):
    """Bits of an omni request's and response's `flags`."""

    NODELAY = 0x1
    CONNECTION = 0x4
    CPU = 0x8
    ROUTING = 0x20
    FAST_OPEN = 0x800
    PACKET_INFO = 0x2000
    CONNECTED = 0x4000
    DEFER_ACCEPT = 0x8000
    DONT_FRAGMENT = 0x10000
    KEEPALIVE = 0x80000000


TRANSMIT, RECEIVE = 2, 4  # of a direction, as the server sees it
STREAM, DATAGRAM = 1, 2
UNSPECIFIED, IPV4, IPV6 = 0, 4, 6

# How the CPU was measured: the code in results, and the letter that is printed.
METHODS = {0: "U", 1: "I", 2: "P", 3: "T", 4: "L", 5: "R", 6: "N", 7: "K", 8: "S", 9: "C", 10: "E", 11: "M", 12: "O"}
PROC_STAT_METHOD = 8

Value = int | float | str | bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. `status` is in requests the CPU to bind to (-1: none), in answers an errno (0: fine)."""

    kind: int
    status: int = 0
    payload: bytes = b""

    def pack(self) -> bytes:
        """Its 656 bytes."""
        return struct.pack(">ii", self.kind, self.status) + self.payload.ljust(PAYLOAD_BYTES, b"\0")

    @classmethod
    def unpack(cls, raw: bytes) -> "Frame":
        """From exactly 656 bytes."""
        if len(raw) != FRAME_BYTES:
            raise InternalError(f"a control message of {len(raw)} bytes")
        kind, status = struct.unpack_from(">ii", raw)
        return cls(kind, status, raw[8:])


class Layout:
    """Names and formats of a payload's fields: `name:code` with struct's codes; text fields end at their first NUL."""

    def __init__(self, fields: str) -> None:
        pairs = [field.partition(":")[::2] for field in fields.split()]
        self.names = tuple(name for name, _ in pairs)
        self._codes = dict(pairs)
        self._struct = struct.Struct(">" + "".join(code or "i" for _, code in pairs))
        if self._struct.size > PAYLOAD_BYTES:
            raise InternalError("a layout longer than a payload")

    def pack(self, values: Mapping[str, Value]) -> bytes:
        """The payload; what is not given is 0 or empty. Numbers that do not fit wrap, as they do in netperf."""
        return self._struct.pack(*(self._packable(name, values.get(name, 0)) for name in self.names))

    def _packable(self, name: str, value: Value) -> int | float | bytes:
        code = self._codes[name]
        if code.endswith("s"):
            text = value.encode("utf-8", "replace") if isinstance(value, str) else value
            room = int(code[:-1])
            return text[:room] if isinstance(text, bytes) else b""
        if code in ("f", "d"):
            return float(value)
        bits = 64 if code == "Q" else 32
        wrapped = int(value) & ((1 << bits) - 1)
        return wrapped - (1 << bits) if code in ("i", "") and wrapped >= 1 << (bits - 1) else wrapped

    def unpack(self, payload: bytes) -> dict[str, int | float | str | bytes]:
        """The fields of a payload; a text is what stands before its first NUL, bytes that are no text are replaced."""
        found: dict[str, int | float | str | bytes] = {}
        for name, value in zip(self.names, self._struct.unpack_from(payload), strict=True):
            is_text = isinstance(value, bytes) and not name.endswith("_ip")
            found[name] = value.split(b"\0")[0].decode("utf-8", "replace") if is_text else value
        return found


OMNI_REQUEST = Layout(
    "send_buffer send_size send_align:I send_offset:I send_width:I request_size "
    "receive_buffer receive_size receive_align:I receive_offset:I receive_width:I response_size "
    "flags:I cpu_rate:f length receive_avoid:I send_avoid:I send_dirty receive_dirty receive_clean "
    "port:I family:I socket_type protocol:I direction:I client_port:I burst:I interval_usecs:I "
    "client_ip:16s server_ip:16s priority tos congestion:16s fill_file:32s"
)
OMNI_RESPONSE = Layout(
    "receive_buffer receive_size receive_width send_buffer send_size send_width flags:I cpu_rate:f length:I "
    "receive_avoid:I send_avoid:I port:I burst:I interval_usecs:I cpu_frequency:I security_info:I priority tos "
    "system_model:33s cpu_model:80s security:16s"
)
OMNI_RESULTS = Layout(
    "bytes_received:Q receive_calls:I receive_buffer bytes_sent:Q send_calls:I send_buffer failed_sends:I "
    "transactions:I elapsed:f cpu:f cpu_user:f cpu_system:f cpu_iowait:f cpu_irq:f cpu_softirq:f demand:f "
    "method:I cpus:I peak_id peak:f vendor device subvendor subdevice retransmits "
    "interface:16s driver:128s slot:16s congestion:16s"
)
STREAM_REQUEST = Layout(
    "send_buffer receive_buffer size align:I offset:I nodelay:I cpu:I cpu_rate:f length receive_avoid:I send_avoid:I "
    "dirty:I clean:I port:I family:I"
)
STREAM_RESPONSE = Layout(
    "receive_buffer size nodelay:I cpu:I length send_buffer port:I cpu_rate:f receive_avoid:I send_avoid:I"
)
STREAM_RESULTS = Layout("bytes:d calls:I elapsed:f cpu:f demand:f method:I cpus:I")
RR_REQUEST = Layout(
    "receive_buffer send_buffer receive_align:I receive_offset:I send_align:I send_offset:I request_size response_size "
    "nodelay:I cpu:I cpu_rate:f length receive_avoid:I send_avoid:I port:I family:I"
)
RR_RESPONSE = Layout("receive_buffer nodelay:I cpu:I length send_buffer port:I cpu_rate:f receive_avoid:I send_avoid:I")
RR_RESULTS = Layout("bytes:I calls:I transactions:I elapsed:f cpu:f demand:f method:I cpus:I")
UDP_REQUEST = Layout(
    "receive_buffer size connected:I align:I offset:I checksum_off:I cpu:I cpu_rate:f length receive_avoid:I "
    "send_avoid:I port:I family:I"
)
UDP_RESPONSE = Layout("receive_buffer send_buffer cpu:I length port:I cpu_rate:f receive_avoid:I send_avoid:I")
UDP_RESULTS = Layout("messages:I bytes:I elapsed:f cpu:f method:I cpus:I")
CALIBRATION = Layout("rate:f cpus:I")


def pack_address(address: str) -> bytes:
    """A numeric address as an omni request holds it: 16 bytes, those of IPv6 reversed in each group of four, since the
    usual sender swaps them as if they were numbers. "" is all zero.
    """
    if not address:
        return bytes(ADDRESS_BYTES)
    packed = ipaddress.ip_address(address).packed
    return _swapped(packed) if len(packed) == ADDRESS_BYTES else packed.ljust(ADDRESS_BYTES, b"\0")


def unpack_address(raw: bytes, family: int) -> str:
    """The numeric address; "" where it is all zero."""
    if not any(raw):
        return ""
    if family == IPV6:
        return str(ipaddress.IPv6Address(_swapped(raw)))
    return str(ipaddress.IPv4Address(raw[:4])) if any(raw[:4]) else ""


def _swapped(raw: bytes) -> bytes:
    return b"".join(raw[start : start + 4][::-1] for start in range(0, ADDRESS_BYTES, 4))
