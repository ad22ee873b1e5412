"""A routing socket that stays open, and the requests it takes, as bytes.

pyroute2 opens a socket in a few milliseconds and builds a request in half of one. That is nothing for a namespace and
too much for a thousand of them, so what every namespace of a lab needs is packed here by hand, several requests in one
send; what only some kinds of device have, pyroute2 packs once for all that are alike.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network

from pathgauge.errors import InternalError, MachineError
from pathgauge.paths.addresses import Address
from pathgauge.paths.namespaces import inside
from pathgauge.paths.refusals import Refused

ANSWER_SECONDS = 10.0
LOOPBACK = 1  # the number of every namespace's lo
ROOT = 0xFFFFFFFF  # TC_H_ROOT: the place of a device's own queueing discipline

_RECEIVED = 1 << 14
_SOL_NETLINK, _NETLINK_CAP_ACK = 270, 10
_ERROR = 2  # NLMSG_ERROR, which with the number 0 is an acknowledgement
_NEW_LINK, _GET_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 18, 20, 24
_REQUEST, _CREATE = 0x001 | 0x004, 0x200 | 0x400  # NLM_F_REQUEST and _ACK; NLM_F_EXCL and _CREATE
_REPLACE = 0x100 | 0x400  # NLM_F_REPLACE and _CREATE
_UP = 1
_ATTRIBUTE = 4  # bytes of an attribute's head
_NESTED = 0x8000
_HARDWARE_ADDRESS = 1
_IFNAME, _MTU, _LINK, _QDISC, _MASTER, _OPERSTATE, _LINKINFO, _AF_SPEC, _NET_NS_FD = 3, 4, 5, 6, 10, 16, 18, 26, 28
_INFO_KIND, _INFO_DATA, _PEER = 1, 2, 1  # a pair of any kind has its peer under the same number
_ADDRESS_GENERATION, _NO_LINK_LOCAL = 8, 1
_PEER_ADDRESS, _LOCAL_ADDRESS, _ADDRESS_FLAGS, _NO_DAD = 1, 2, 8, 0x02
_MAIN_TABLE, _STATIC, _UNICAST, _DESTINATION, _GATEWAY = 254, 4, 1, 1, 5
_STATES = {0: True, 6: True}  # of IFLA_OPERSTATE: unknown, as of devices that do not tell, and up
_MODE, _MACVLAN_MODES = 1, {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
_NEW_QDISC, _NEW_CLASS, _KIND, _OPTIONS, _TBF_PARMS = 36, 40, 1, 2, 1
_RATE = ("cell_log", "__reserved", "overhead", "cell_align", "mpu")  # of a rate, before the rate itself
_SIOCETHTOOL = 0x8946
_GET_CHANNELS, _SET_CHANNELS, _CHANNELS = 0x3C, 0x3D, "=9I"
_OFFLOADS = {"tx": 0x16, "sg": 0x18, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}  # ETHTOOL_G...


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """A device as the kernel describes it; offloads by ethtool's short names, empty where the driver does not say."""

    kind: str
    mtu: int
    queue_discipline: str
    operational: bool
    offloads: dict[str, bool]


@dataclass(slots=True)
class RouteSocket:
    """A routing socket in the network namespace behind a descriptor, opened when first needed. Any thread may use it,
    one at a time. It raises Refused with the kernel's number, MachineError where the kernel does not answer.
    """

    namespace: int
    _socket: socket.socket | None = None
    _numbers: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open_here(self) -> None:
        """Open it now, in a thread that is in that namespace."""
        self._socket = _open()

    def close(self) -> None:
        """Close it, until it is needed again."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def ask(self, *requests: bytes) -> None:
        """Send requests together and wait for their acknowledgements; the first refusal is raised."""
        self._exchange(b"".join(requests), len(requests))

    def number(self, name: str) -> int:
        """A device's index. Raises InternalError where there is no such device."""
        if name not in self._numbers:
            self._numbers[name] = self._look(name)[0]
        return self._numbers[name]

    def forget(self, name: str) -> None:
        """A device went away."""
        self._numbers.pop(name, None)

    def hardware_address(self, name: str) -> str:
        """A device's MAC address, in hexadecimal digits and colons. Raises InternalError where there is no device."""
        return self._look(name)[1][_HARDWARE_ADDRESS].hex(":")

    def facts(self, name: str) -> LinkFacts:
        """What the kernel says of a device. Raises InternalError where there is no such device."""
        found = self._look(name)[1]
        info = _attributes(found.get(_LINKINFO, b""))
        return LinkFacts(
            kind=_text(info.get(_INFO_KIND, b"")),
            mtu=int.from_bytes(found[_MTU], sys.byteorder),
            queue_discipline=_text(found.get(_QDISC, b"")),
            operational=found.get(_OPERSTATE, b"\0")[0] in _STATES,
            offloads=self._offloads(name),
        )

    def set_queues(self, name: str, count: int) -> int:
        """Give a device so many queues in each direction, unless that is more than it can have: how many it can."""
        with self._lock:
            handle = self._opened()
            value = bytearray(struct.pack(_CHANNELS, _GET_CHANNELS, *bytes(8)))
            _ethtool(handle, name, value)
            most_rx, most_tx = (int(each) for each in struct.unpack(_CHANNELS, value)[1:3])
            if count <= min(most_rx, most_tx):
                wanted = (_SET_CHANNELS, most_rx, most_tx, 0, 0, count, count, 0, 0)
                _ethtool(handle, name, bytearray(struct.pack(_CHANNELS, *wanted)))
        return min(most_rx, most_tx)

    def _look(self, name: str) -> tuple[int, dict[int, bytes]]:
        request = _packed(_GET_LINK, _REQUEST, _link_head() + _string(_IFNAME, name))
        try:
            (answer,) = self._exchange(request, 1)
        except Refused as error:
            if error.errno == errno.ENODEV:
                raise InternalError(f"the lab has no device {name} where there should be one") from error
            raise
        return struct.unpack_from("=i", answer, 4)[0], _attributes(answer[16:])

    def _offloads(self, name: str) -> dict[str, bool]:
        found = {}
        with self._lock:
            handle = self._opened()
            for short, command in _OFFLOADS.items():
                value = bytearray(struct.pack("=II", command, 0))
                try:
                    _ethtool(handle, name, value)
                except OSError:
                    continue  # a driver that does not tell
                found[short] = bool(struct.unpack_from("=I", value, 4)[0])
        return found

    def _opened(self) -> socket.socket:
        if self._socket is None:
            self._socket = inside(self.namespace, _open)
        return self._socket

    def _exchange(self, data: bytes, count: int) -> list[bytes]:
        """The bodies of what is answered beside `count` acknowledgements."""
        answers: list[bytes] = []
        refused = 0
        with self._lock:
            handle = self._opened()
            try:
                handle.send(data)
                while count:
                    received, offset = handle.recv(_RECEIVED), 0
                    while offset < len(received):
                        length, kind = struct.unpack_from("=IH", received, offset)
                        body = received[offset + 16 : offset + length]
                        if kind == _ERROR:
                            refused = refused or -int.from_bytes(body[:4], sys.byteorder, signed=True)
                            count -= 1
                        else:
                            answers.append(body)
                        offset += (length + 3) & ~3
            except TimeoutError:
                raise MachineError(
                    f"the kernel did not answer for {ANSWER_SECONDS:.0f} s", hint="is the machine overloaded?"
                ) from None
        if refused:
            raise Refused(refused, os.strerror(refused))
        return answers


def request(*requests: bytes) -> None:
    """Send requests from a socket of the namespace this thread is in, opened for them. Raises as RouteSocket does."""
    opened = RouteSocket(-1)
    opened.open_here()
    try:
        opened.ask(*requests)
    finally:
        opened.close()


def new_link(kind: str, name: str, *, into: int, lower: int | None = None, settings: Mapping[str, object]) -> bytes:
    """A device of a kind for the network namespace `into` (a descriptor), on the device numbered `lower`; its settings
    by pyroute2's names.
    """
    on = b"" if lower is None else attribute(_LINK, struct.pack("=I", lower))
    info = _info(kind, tuple(sorted(settings.items())))
    return _packed(_NEW_LINK, _REQUEST | _CREATE, _link_head() + _named(name, into) + on + info)


def new_pair(kind: str, name: str, peer: str, *, into: int) -> bytes:
    """A pair of devices, the peer for the network namespace `into` (a descriptor)."""
    other = attribute(_PEER, _link_head() + _named(peer, into))
    info = attribute(_LINKINFO, _string(_INFO_KIND, kind) + attribute(_INFO_DATA, other))
    return _packed(_NEW_LINK, _REQUEST | _CREATE, _link_head() + _string(_IFNAME, name) + info)


def bring_up(number: int) -> bytes:
    """Set a device up."""
    return _packed(_NEW_LINK, _REQUEST, _link_head(number, _UP, _UP))


def without_link_local(number: int) -> bytes:
    """Let a device make itself no IPv6 address when it comes up: it announces nothing then, and
    looks for no router.
    """
    mode = attribute(_ADDRESS_GENERATION, bytes([_NO_LINK_LOCAL]))
    family = attribute(socket.AF_INET6 | _NESTED, mode)
    return _packed(_NEW_LINK, _REQUEST, _link_head(number) + attribute(_AF_SPEC | _NESTED, family))


def moved(number: int, into: int) -> bytes:
    """Give a device to the network namespace `into` (a descriptor)."""
    return _packed(_NEW_LINK, _REQUEST, _link_head(number) + attribute(_NET_NS_FD, struct.pack("=i", into)))


def joined(number: int, bridge: int) -> bytes:
    """Make a device a port of a bridge."""
    return _packed(_NEW_LINK, _REQUEST, _link_head(number) + attribute(_MASTER, struct.pack("=I", bridge)))


def new_address(number: int, address: Address) -> bytes:
    """An address for a device, usable at once."""
    text = ip_address(address.text).packed
    family, flags = (socket.AF_INET6, _NO_DAD) if address.family == "ipv6" else (socket.AF_INET, 0)
    head = struct.pack("=BBBBI", family, address.prefix, flags, 0, number)
    return _packed(
        _NEW_ADDRESS, _REQUEST | _CREATE, head + attribute(_LOCAL_ADDRESS, text) + attribute(_PEER_ADDRESS, text)
    )


def new_route(destination: str, gateway: str) -> bytes:
    """A route to a network (in CIDR) by way of an address."""
    network = ip_network(destination)
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    head = struct.pack("=BBBBBBBBI", family, network.prefixlen, 0, 0, _MAIN_TABLE, _STATIC, 0, _UNICAST, 0)
    to = attribute(_DESTINATION, network.network_address.packed)
    return _packed(_NEW_ROUTE, _REQUEST | _CREATE, head + to + attribute(_GATEWAY, ip_address(gateway).packed))


def reshaped(number: int, handle: int, parms: Mapping[str, int]) -> bytes:
    """Change a device's root tbf. `parms` are TCA_TBF_PARMS as the kernel told them, with what is to be otherwise:
    pyroute2's own way rounds the bucket to what a microsecond of the rate is.
    """
    fields = struct.pack(
        "=12sBBHhHI3I",
        struct.pack("=BBHhHI", *(parms[f"rate_{each}"] for each in _RATE), parms["rate"]),
        *(parms[f"peak_{each}"] for each in _RATE),
        parms["peak"],
        *(parms[each] for each in ("limit", "buffer", "mtu")),
    )
    return _packed(_NEW_QDISC, _REQUEST, _discipline(number, "tbf", attribute(_TBF_PARMS, fields), ROOT, handle))


def new_discipline(
    number: int, kind: str, options: bytes = b"", *, parent: int = ROOT, handle: int = 0, instead: bool = False
) -> bytes:
    """A queueing discipline for a device, `instead` of the one that is there; its options as its kind has them (see
    disciplines.py).
    """
    return _packed(
        _NEW_QDISC, _REQUEST | (_REPLACE if instead else _CREATE), _discipline(number, kind, options, parent, handle)
    )


def new_class(number: int, kind: str, options: bytes, *, parent: int, handle: int) -> bytes:
    """A class of a discipline that has some."""
    return _packed(_NEW_CLASS, _REQUEST | _CREATE, _discipline(number, kind, options, parent, handle))


@lru_cache(maxsize=64)
def _info(kind: str, settings: Sequence[tuple[str, object]]) -> bytes:
    """IFLA_LINKINFO of a kind with its settings."""
    named = _string(_INFO_KIND, kind)
    if not settings:
        return attribute(_LINKINFO, named)
    if kind == "macvlan" and settings[0][0] == "macvlan_mode" and len(settings) == 1:  # the commonest
        data = attribute(_MODE, struct.pack("=I", _MACVLAN_MODES[str(settings[0][1])]))
        return attribute(_LINKINFO, named + attribute(_INFO_DATA, data))
    from pathgauge.paths.netlink import packed_link_info

    return packed_link_info(kind, dict(settings))


def _open() -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    made.settimeout(ANSWER_SECONDS)
    made.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)  # an acknowledgement without the request it is for
    return made


def _ethtool(handle: socket.socket, name: str, value: bytearray) -> None:
    """An ethtool command whose answer comes into `value`."""
    address = ctypes.addressof(ctypes.c_char.from_buffer(value))
    fcntl.ioctl(handle, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), address))


def _packed(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def _discipline(number: int, kind: str, options: bytes, parent: int, handle: int) -> bytes:
    head = struct.pack("=BxxxiIII", 0, number, handle, parent, 0)
    return head + _string(_KIND, kind) + (attribute(_OPTIONS, options) if options else b"")


def _link_head(number: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, number, flags, change)


def _named(name: str, into: int) -> bytes:
    return _string(_IFNAME, name) + attribute(_NET_NS_FD, struct.pack("=i", into))


def attribute(kind: int, content: bytes) -> bytes:
    """A netlink attribute, padded."""
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)


def _string(kind: int, text: str) -> bytes:
    return attribute(kind, text.encode() + b"\0")


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + _ATTRIBUTE <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < _ATTRIBUTE:
            break
        found[kind & ~_NESTED] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode("ascii", errors="replace")
