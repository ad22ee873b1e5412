"""What the controller and the keeper of a lab say to each other, and the socket they say it over.

Both are processes of one run; the messages are typed and bounded all the same, and every wait has a deadline.
"""

import array
import os
import socket
from dataclasses import dataclass
from typing import Literal

import msgspec

from pathgauge.errors import InternalError
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import Attachment, DeviceRef, Gap, PathSpec, WireSpec

LARGEST = 1 << 18
PART = 64  # spaces or paths in one message: their descriptors are fewer than _MOST_DESCRIPTORS
LARGEST_READINGS = 1 << 26
_MOST_DESCRIPTORS = 253  # SCM_MAX_FD

Family = Literal["ipv4", "ipv6"]
WireFacts = dict[str, str | int | float | None]


class Build(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the keeper: build these paths; with an attachment, on that device and not in a lab of their own."""

    paths: tuple[PathSpec, ...]
    wire: WireSpec
    attachment: Attachment | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the keeper: outlive the controller, until SIGTERM or until the journal's file `record` is gone."""

    record: str


class TurnAll(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the keeper: turn these, in this order, all or none; what it did not build it turns back at its own end."""

    turns: tuple[Turn, ...]


class Examine(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the keeper: read the counters of namespaces, or with `settings` how they and these of their devices are set
    up, and how these `addresses` are reached; or of the devices' `queues` alone, which is soon done.
    """

    devices: dict[str, tuple[str, ...]]
    settings: bool = False
    queues: bool = False
    addresses: dict[str, tuple[str, ...]] = {}


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace of the lab: its descriptor's number in the keeper, and the addresses of its devices."""

    name: str
    descriptor: int
    devices: dict[str, dict[Family, str]]


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A path that stands, or a copy of it (from 1; 0 is the first); the namespaces by name."""

    spec: PathSpec
    wire: str
    rate: int | None
    client: str
    server: str
    client_addresses: dict[Family, str]
    server_addresses: dict[Family, str]
    reached_addresses: dict[Family, str]
    seen_addresses: dict[Family, str]
    devices: tuple[DeviceRef, ...]
    mtu: int
    gap: Gap | None = None
    copy: int = 0


class Built(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The lab stands, or a part of what stands in it: `more` says that another follows. With it come descriptors: of
    each space its namespace and its /proc/net/dev, then, in the last, the user namespace's where there is one
    (`user_namespace` is its number in the keeper).
    """

    spaces: tuple[Space, ...]
    paths: tuple[Placed, ...]
    wire: WireFacts
    user_namespace: int | None
    more: bool = False


class Released(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The keeper has let go of the controller."""


class Turned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It is done; these turns undo it, in this order."""

    undo: tuple[Turn, ...]


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a namespace: counters by kind (see counters/reading.py), or settings."""

    rising: dict[str, int] = {}
    narrow: dict[str, int] = {}
    gauges: dict[str, int] = {}
    settings: dict[str, str] = {}


class Examined(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Read. With it comes a file in memory, with the readings by namespace."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It could not be done: the name of the error's class in errors.py, its sentence, its hint."""

    error: str
    message: str
    hint: str


Order = Build | Release | TurnAll | Examine
Reply = Built | Released | Turned | Examined | Failed

_encoder = msgspec.json.Encoder()
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_replies: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
_readings: msgspec.json.Decoder[dict[str, Reading]] = msgspec.json.Decoder(dict[str, Reading])


@dataclass(frozen=True, slots=True)
class Received:
    """A reply with the descriptors that came with it: they are the receiver's to close."""

    reply: Reply
    descriptors: tuple[int, ...]


def encode_readings(readings: dict[str, Reading]) -> bytes:
    """What the file that comes with Examined holds."""
    return _encoder.encode(readings)


def decode_readings(descriptor: int) -> dict[str, Reading]:
    """The readings in a file that came with Examined."""
    if os.fstat(descriptor).st_size > LARGEST_READINGS:
        raise InternalError("what the lab's keeper has read is too long")
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return _readings.decode(file.read())


def pair() -> tuple[socket.socket, socket.socket]:
    """The controller's and the keeper's end of a channel."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
    return ours, theirs


def send(channel: socket.socket, message: Order | Reply, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message; OSError where the other side is gone."""
    socket.send_fds(channel, [_encoder.encode(message)], descriptors)


def receive_order(channel: socket.socket) -> Order | None:
    """The next order; None when the controller is gone."""
    data = channel.recv(LARGEST)
    return _orders.decode(data) if data else None


def receive_reply(channel: socket.socket) -> Received | None:
    """The next reply; None when the keeper is gone. TimeoutError after the channel's time-out."""
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, flags, _ = channel.recvmsg(LARGEST, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise InternalError("a message of the lab's keeper was cut short")
        return Received(_replies.decode(data), tuple(descriptors)) if data else None
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
