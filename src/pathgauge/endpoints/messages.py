"""What the controller and an end say to each other, and the socket they say it over.

Both are processes of one run, so the messages are trusted in meaning; they are bounded and typed all the same, and
every wait has a deadline.
"""

import socket
from typing import Literal

import msgspec

LARGEST = 65536


class SocketOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Set on a socket before it is connected; None leaves the kernel's default. `buffer` in bytes, both ways,
    `busy_poll` in us.
    """

    buffer: int | None = None
    nodelay: bool = False
    congestion: str | None = None
    dscp: int | None = None
    busy_poll: int | None = None
    mptcp: bool = False


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """Of one connection's TLS: the cipher by its option's name, and IV, key and salt of each direction in a row."""

    cipher: str
    to_server: bytes
    to_client: bytes


class Prepare(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the server: make the socket of `key` in a namespace and answer with its port (TCP listens, UDP is bound). So
    many connections that come `at_once` must find room in a listener's queue.
    """

    key: int
    namespace: int
    transport: Literal["tcp", "udp"]
    ipv6: bool
    address: str
    options: SocketOptions
    at_once: int = 1


class Work(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Which loop an end runs over its socket. Sizes in bytes, the deadline in CLOCK_MONOTONIC ns, cpu None for any,
    the quota in CPUs, `realtime` a priority of SCHED_FIFO. `method` is how a stream is sent or received, `wait` how a
    reader waits, by the options' names for it; `low_water`: so many bytes wake one that sleeps; `ahead`: so many
    requests beyond the one awaited are in flight; `rate`: so many transactions, or bits of a stream, are started in a
    second. `peer` is the other end's slot where each way of a transaction is timed apart, `back` that in which a
    requester keeps the responses' times. `connect` and `accept` make a connection for each transaction, so many of
    them `at_once`; with sizes of 0 nothing is sent.
    """

    loop: Literal["send", "receive", "request", "respond", "connect", "accept"]
    first_size: int
    second_size: int
    deadline_ns: int
    cpu: int | None
    quota: float | None = None
    realtime: int | None = None
    method: str = "copy"
    wait: str = "block"
    low_water: int | None = None
    ahead: int = 0
    rate: float | None = None
    peer: int | None = None
    back: int | None = None
    at_once: int = 1


class Connect(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the client: connect to the server's port from a namespace and start to work; answered with the own ports.

    A `greeting` is the first thing it says, so that the server knows it wherever it seems to come from. With `keys` all
    that follows is encrypted. So many `flows` are connected; where they are to `gather` for one loop over all of them,
    it begins with the last of such orders.
    """

    slot: int
    namespace: int
    transport: Literal["tcp", "udp"]
    ipv6: bool
    address: str
    peer_address: str
    peer_port: int
    options: SocketOptions
    work: Work
    greeting: bytes = b""
    keys: Keys | None = None
    flows: int = 1
    gather: bool = False


class Greet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the client: say a slot's greeting again, which did not come; nothing else has been sent yet."""

    slot: int
    greeting: bytes


class Accept(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the server: take the connections that come from the client's ports and start to work on them.

    With a `greeting` those that say it, from wherever; answered with the port 0 where it has not come. With `keys` what
    follows is encrypted.
    """

    slot: int
    key: int
    peer_address: str
    peer_ports: list[int]
    work: Work
    greeting: bytes = b""
    keys: Keys | None = None
    gather: bool = False


class Describe(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answered with the facts of a slot's socket."""

    slot: int


class Close(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """End the work of the slots and close their sockets."""

    slots: list[int]


class NetperfRun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """To the client: run our netperf with these words from a namespace, on a CPU."""

    namespace: int
    words: list[str]
    cpu: int | None


class NetperfDone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a run of netperf found. Times in seconds, buffers in bytes; the remote's counters are those it reported,
    its CPU that of its whole machine. `latency` is an HDR histogram, encoded.
    """

    elapsed: float
    cpu_seconds: float
    bytes_sent: int
    bytes_received: int
    messages_sent: int
    messages_received: int
    messages_lost: int
    transactions: int
    retransmits: int | None
    mss: int | None
    congestion: str | None
    send_buffer: int
    receive_buffer: int
    remote_bytes_sent: int
    remote_bytes_received: int
    remote_send_calls: int
    remote_receive_calls: int
    remote_send_buffer: int
    remote_receive_buffer: int
    remote_cpu_seconds: float | None
    latency: str | None


class Done(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The order was carried out; `ports` of the sockets that were made."""

    ports: list[int] = []


class Facts(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A connected socket as the kernel has it: buffers in bytes (as getsockopt gives them: doubled), TCP_INFO and
    SO_MEMINFO raw, its other options by name.
    """

    send_buffer: int
    receive_buffer: int
    congestion: str | None
    tcp_info: bytes
    memory: bytes = b""
    settings: dict[str, str] = {}


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The order could not be carried out: the name of the error's class in errors.py, its sentence, its hint."""

    error: str
    message: str
    hint: str


Order = Prepare | Connect | Greet | Accept | Describe | Close | NetperfRun
Reply = Done | Facts | NetperfDone | Failed

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def send(channel: socket.socket, message: Order | Reply) -> None:
    """Send one message; OSError where the other side is gone."""
    channel.send(_encoder.encode(message))


def receive_order(channel: socket.socket) -> Order | None:
    """The next order; None when the controller is gone."""
    data = channel.recv(LARGEST)
    return _orders.decode(data) if data else None


def receive_reply(channel: socket.socket) -> Reply | None:
    """The next reply; None when the end is gone. TimeoutError after the channel's time-out."""
    data = channel.recv(LARGEST)
    return _replies.decode(data) if data else None
