"""What a cause's signature is shown: the facts of the slow path, and of the fast one where there are two.

Counters are differences over the evidence slices, of the namespaces and devices that the path runs through. What is
not known is None, and a signature then says nothing: absent is not zero.
"""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pathgauge.counters.tcp_info import TcpInfo
from pathgauge.paths import roles
from pathgauge.paths.types import BuiltPath, DeviceRef
from pathgauge.results.document import Slice
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

HEADERS = 66  # bytes of an Ethernet frame that carries TCP over IPv4 with time stamps, beside the payload


@dataclass(frozen=True, slots=True)
class Facts:
    """One path under one test. `rows` are its evidence slices, `tcp` the sender's TCP_INFO at the edges of each;
    `counters` their differences by dotted name, namespace first; `gauges` the last values of what is no count;
    `configuration` what was set before anything was timed, by dotted name.
    """

    name: str
    path: BuiltPath
    kind: TestKind
    parameters: Parameters
    rows: Sequence[Slice] = ()
    tcp: Sequence[tuple[TcpInfo, TcpInfo]] = ()
    counters: Mapping[str, float] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()  # parameters that the user gave this path by name

    @property
    def seconds(self) -> float:
        """The length of the evidence slices together, at the active end."""
        return sum(row.local_seconds if self.kind.active == "local" else row.remote_seconds for row in self.rows)

    @property
    def sender(self) -> str:
        """The namespace of the active end."""
        path = self.path
        return path.client_namespace_name if self.kind.active == "local" else path.server_namespace_name

    @property
    def receiver(self) -> str:
        """The namespace of the other end."""
        path = self.path
        return path.server_namespace_name if self.kind.active == "local" else path.client_namespace_name

    @property
    def sender_cpu(self) -> float | None:
        """Of the active end's process, in CPUs."""
        return self._cpu("local" if self.kind.active == "local" else "remote")

    @property
    def receiver_cpu(self) -> float | None:
        """Of the other end's process, in CPUs."""
        return self._cpu("remote" if self.kind.active == "local" else "local")

    def _cpu(self, end: str) -> float | None:
        spent = [row.cpu_local_seconds if end == "local" else row.cpu_remote_seconds for row in self.rows]
        known = [value for value in spent if value is not None]
        return sum(known) / self.seconds if known and len(known) == len(spent) and self.seconds else None

    @property
    def payload(self) -> int:
        """Bytes received in the evidence slices."""
        return sum(row.bytes_received for row in self.rows)

    @property
    def handed_over(self) -> float:
        """Bytes sent from the slices' starts to their drained ends, those sent again included."""
        return sum(row.total_bytes_sent for row in self.rows) + (self.grown("bytes_retrans") or 0.0)

    @property
    def transactions(self) -> int:
        """Done in the evidence slices."""
        return sum(row.transactions for row in self.rows)

    @property
    def sends(self) -> int:
        """Messages that the active end sent."""
        return sum(row.messages_sent for row in self.rows)

    @property
    def goodput(self) -> float | None:
        """In bit/s."""
        return 8.0 * self.payload / self.seconds if self.seconds else None

    def limited(self, by: str) -> float | None:
        """The share of the time that TCP was `busy_time`, `rwnd_limited` or `sndbuf_limited`, by the kernel's names;
        the latter two as shares of the busy time.
        """
        busy = self.grown("busy_time")
        if busy is None:
            return None
        if by == "busy_time":
            return busy / 1e6 / self.seconds if self.seconds else None
        spent = self.grown(by)
        return None if spent is None else spent / busy if busy else 0.0

    def grown(self, name: str) -> float | None:
        """By how much a counter of TCP_INFO grew."""
        pairs = [(getattr(start, name), getattr(stop, name)) for start, stop in self.tcp]
        if not pairs or any(start is None or stop is None for start, stop in pairs):
            return None
        return float(sum(stop - start for start, stop in pairs))

    def last(self, name: str) -> float | None:
        """A gauge of TCP_INFO: the mean of its values at the slices' ends."""
        values = [value for _, stop in self.tcp if (value := getattr(stop, name)) is not None]
        return sum(values) / len(values) if values else None

    def role(self, space: str) -> str:
        """What a namespace is on the path, as counters and settings name it: `client`, `server` or `between`."""
        return roles.spaces(self.path).get(space, "")

    def counted(self, name: str, at: str | None = None) -> float | None:
        """A counter's growth, as `tcpext.TCPTimeouts`, in a namespace, by default in all that the path runs through."""
        every = roles.spaces(self.path).values() if at is None else (self.role(at),)
        found = [value for role in every if (value := self.counters.get(f"{role}.{name}")) is not None]
        return sum(found) if found else None

    def of_device(self, device: DeviceRef, name: str) -> float | None:
        """A device's counter's growth, as `qdisc.drops`."""
        return self.counters.get(f"{roles.name_of(device)}.{name}")

    def matching(self, pattern: str) -> dict[str, float]:
        """The counters, and the levels, whose names fit a pattern, as `softnet.*.dropped`."""
        every = {**self.gauges, **self.counters}
        return {name: value for name, value in every.items() if fnmatch.fnmatchcase(name, pattern)}

    def sysctl(self, space: str, name: str) -> str | None:
        """A sysctl of a namespace, by its file's name, its words apart by one space."""
        return self.configuration.get(f"{self.role(space)}.sysctl.{name.replace('/', '.')}")

    def tables(self) -> list[tuple[str, str, dict[str, int]]]:
        """The nftables tables of the path's namespaces: namespace, family and name, and how many `rules` it has, of
        which so many have a verdict `drops`, a rate `limits`, or translate addresses (`nat`).
        """
        found: dict[tuple[str, str], dict[str, int]] = {}
        for space in self.spaces:
            prefix = f"{self.role(space)}.nft.table."
            for name, value in self.configuration.items():
                if name.startswith(prefix) and value.isdigit():
                    table, _, what = name.removeprefix(prefix).rpartition(".")
                    found.setdefault((space, table.replace(".", " ", 1)), {})[what] = int(value)
        return [(space, table, facts) for (space, table), facts in found.items()]

    def forwards(self, device: DeviceRef) -> bool:
        """Whether the payload leaves by the device, and not only what answers it."""
        sent, received = self.of_device(device, "tx_bytes"), self.of_device(device, "rx_bytes")
        if sent is None or received is None:
            return device.namespace != self.receiver
        return sent > received

    def set_on(self, device: DeviceRef, name: str) -> str | None:
        """What a device is set to, as `tbf.limit`, `gso_max_size`."""
        return self.configuration.get(f"{roles.name_of(device)}.{name}")

    @property
    def spaces(self) -> tuple[str, ...]:
        """The namespaces that the path runs through, the client's first."""
        return tuple(roles.spaces(self.path))

    @property
    def devices(self) -> tuple[DeviceRef, ...]:
        """In the order of the packets, from the client."""
        return self.path.devices

    def frames(self, device: DeviceRef) -> float | None:
        """Bytes in a packet as a device counts them (an unsegmented one counts once), of the direction that carries."""
        best: float | None = None
        for way in ("tx", "rx"):
            packets = self.of_device(device, f"{way}_packets")
            moved = self.of_device(device, f"{way}_bytes")
            if packets and moved and moved > self.payload / 4:
                best = max(best or 0.0, moved / packets)
        return best

    @property
    def frame(self) -> float | None:
        """Bytes in a packet at the sending end's own device."""
        found = [size for device in self.devices if (size := self.frames(device)) is not None]
        ends = found if self.kind.active == "local" else found[::-1]
        return ends[0] if ends else None


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be explained: `gap` is the metric by which `slow` is worse than `fast`, or that limits `slow`."""

    gap: str
    slow: Facts
    fast: Facts | None = None

    @property
    def kind(self) -> TestKind:
        """The test."""
        return self.slow.kind

    @property
    def streams(self) -> bool:
        """Whether it is a stream over TCP."""
        return self.kind.transport == "tcp" and self.kind.pattern == "stream"

    def both(self) -> tuple[Facts, ...]:
        """The slow one first."""
        return (self.slow,) if self.fast is None else (self.slow, self.fast)

    def differs(self, name: str) -> bool:
        """Whether a parameter of the test is another on the two paths."""
        return self.fast is not None and getattr(self.slow.parameters, name) != getattr(self.fast.parameters, name)
