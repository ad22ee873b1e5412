"""What a path is, before it is built and after."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pathgauge.errors import InternalError

NETSERVER = "netperf://"

Value = int | float | str


@dataclass(frozen=True, slots=True)
class Found:
    """Where the ends of a path that exists are: files of their namespaces, and the server's address ("": any).

    Where the server is a netserver, that has no namespace of ours ("") but an address and a port.
    """

    client: str
    server: str
    address: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class PathSpec:
    """A path as asked for: `[NAME=]KIND[:key=value,...]`, parsed and checked against its kind.

    With a `rate` (bit/s) it gets a wire of its own, shaped to that; with `changes`, too: those of WIRE_CHANGES of that
    wire, `mtu` in bytes of all its devices, `qdisc`, `qdisc-limit` and offloads (1 or 0) of its own one, `queues` of
    its veth, nftables `rules` and `conntrack` (1 or 0) where its client is. One that exists already is `found`, and its
    kind is `existing`.
    Of a path with `copies` so many are built, on one wire where the kind lets them share it.
    """

    name: str
    kind: str
    options: dict[str, str] = field(default_factory=dict)
    rate: int | None = None
    changes: dict[str, Value] = field(default_factory=dict)
    found: Found | None = None
    copies: int = 1

    @property
    def to_netserver(self) -> bool:
        """Whether it exists and leads to a netserver, which answers for itself."""
        return self.options.get("to", "").startswith(NETSERVER)

    def wire(self, common: "WireSpec") -> "WireSpec":
        """How the path's own wire is made, where the others are made like `common`."""
        asked: dict[str, Any] = {key: value for key, value in self.changes.items() if key in WIRE_CHANGES}
        return replace(common, **asked if self.rate is None else {**asked, "rate": self.rate})


@dataclass(frozen=True, slots=True)
class WireSpec:
    """How each wire of a lab is made: rate in bit/s (None: unshaped), the shaper's burst and limit in bytes, MTU in
    bytes, chances of a loss and of overtaking from 0 to 1, delay of each direction and its jitter in seconds; `rps`
    are the CPUs that receive for its devices and those that stand on it, as typed (see steering.py); `ends` are those
    that do where `rps` does not say and the kernel can be told.

    None leaves a value to us, or to the kernel.
    """

    rate: int | None = None
    burst: int | None = None
    limit: int | None = None
    mtu: int | None = None
    shaper: str | None = None
    loss: float | None = None
    delay: float | None = None
    jitter: float | None = None
    reorder: float | None = None
    rps: str | None = None
    ends: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """Paths that start on a `device` of the caller's namespace, towards a `server` (a numeric address) elsewhere.

    `addresses` are those that paths take for themselves, ADDRESS/PREFIX by the path's name, "" for any.
    """

    device: str
    server: str
    family: Literal["ipv4", "ipv6"]
    addresses: dict[str, str] = field(default_factory=dict)


WIRE_CHANGES = ("loss", "delay", "jitter", "reorder", "rps")  # what `--set` changes of the wire of a path
NAMESPACE_CHANGES = frozenset({"rules", "conntrack"})  # what it changes of the namespace of its client's end
OFFLOADS = ("tso", "gso", "gro", "tx", "sg")  # ethtool's short names
SWITCHES = (*OFFLOADS, "conntrack")  # of the changes, those that are typed on or off
PERCENTS = ("loss", "reorder")  # those typed in %
TIMES = ("delay", "jitter")  # those typed in ms
SHAPERS = ("tbf", "htb")
QUEUE_KINDS = ("pfifo", "bfifo", "fq", "fq_codel", "sfq", "noqueue")

Role = Literal["own", "lower", "wire", "beyond", "passed"]


@dataclass(frozen=True, slots=True)
class DeviceRef:
    """A device of a lab. Role: `own` (the path's end device), `lower` (below it, before the wire), `wire` (the wire's
    far end; of a path that exists, the server's), `beyond` (after it), `passed` (it does not count what it passes on).
    """

    namespace: str
    name: str
    role: Role
    kind: str
    mtu: int
    queue_discipline: str
    offloads: dict[str, bool]


@dataclass(frozen=True, slots=True)
class Gap:
    """Where a path that exists cannot be followed: after how many of its devices, and why."""

    before: int
    reason: str


@dataclass(frozen=True, slots=True)
class BuiltPath:
    """A path that stands. The namespaces are open descriptors that belong to the lab; `rate` is its wire's, bit/s.

    Where addresses are translated, the client reaches the server at `reached_addresses`, not at `server_addresses`, or
    the server sees the client as `seen_addresses`, not as `client_addresses`. `copies` are the others built like it.
    """

    spec: PathSpec
    wire: str
    rate: int | None
    client_namespace: int
    server_namespace: int | None  # None where the server is none of ours
    client_namespace_name: str
    server_namespace_name: str
    client_addresses: dict[Literal["ipv4", "ipv6"], str]
    server_addresses: dict[Literal["ipv4", "ipv6"], str]
    reached_addresses: dict[Literal["ipv4", "ipv6"], str]
    seen_addresses: dict[Literal["ipv4", "ipv6"], str]
    devices: tuple[DeviceRef, ...]
    mtu: int
    gap: Gap | None = None
    copies: "tuple[BuiltPath, ...]" = ()

    @property
    def server_space(self) -> int:
        """The server's namespace. Raises InternalError where the server is none of ours."""
        if self.server_namespace is None:
            raise InternalError(f"the server of {self.spec.name} is not in a namespace of ours")
        return self.server_namespace
