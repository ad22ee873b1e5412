"""The lab's topology, built inside the keeper: namespaces, wires, shaping, and each path by its kind.

[ NAME: mv0 ]   a namespace for each path that needs one
      │
[ host: h0 ] ──wire── [ server: s0 ]     h1 ──wire── s1 for a kind that claims its lower device, and so on
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathgauge.paths import addresses, messages
from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.namespaces import inside, new_network_namespace
from pathgauge.paths.netlink import LinkFacts, Links, in_namespace
from pathgauge.paths.registry import Placement, Space, kinds
from pathgauge.paths.shaping import shaping
from pathgauge.paths.types import DeviceRef, PathSpec, WireSpec

HOST = "host"
SERVER = "server"
_UP_SECONDS = 5.0

# What a namespace is told before it has devices. A namespace that cannot be told (a read-only /proc/sys) does without.
_SYSCTLS = {
    "net/ipv4/tcp_no_metrics_save": "1",  # no connection inherits what an earlier one learnt
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/autoconf": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}


@dataclass(frozen=True, slots=True)
class LabSpace:
    """A network namespace of the lab, with a descriptor of it and one of its device counters."""

    name: str
    namespace: int
    counters: int
    devices: dict[str, dict[Family, str]] = field(default_factory=dict)

    def add_macvlan(self, name: str, *, lower: str, mode: str, into: Space) -> None:
        """See registry.Space."""
        if not isinstance(into, LabSpace):
            raise TypeError("a device can only be moved into a namespace of the same lab")
        target = into.namespace
        in_namespace(self.namespace, lambda links: links.add_macvlan(name, lower=lower, mode=mode, into=target))

    def configure(self, device: str, addresses: Sequence[Address]) -> None:
        """See registry.Space. The same addresses asked for again are there already."""
        wanted: dict[Family, str] = {each.family: each.text for each in addresses}
        if self.devices.get(device) == wanted:
            return

        def work(links: Links) -> None:
            links.bring_up(device)
            links.add_addresses(device, addresses)

        in_namespace(self.namespace, work)
        self.devices[device] = wanted


@dataclass(slots=True)
class Wire:
    """A veth pair, its lower end in the namespace host; `rate` in bit/s where it is shaped."""

    number: int
    rate: int | None
    next_candidate: int = addresses.FIRST_CANDIDATE

    @property
    def lower(self) -> str:
        return f"h{self.number}"

    @property
    def far(self) -> str:
        return f"s{self.number}"

    @property
    def name(self) -> str:
        return f"{self.lower}-{self.far}"


@dataclass(slots=True)
class Topology:
    """What has been built so far. Nothing is ever undone by hand: it goes with the keeper."""

    spaces: dict[str, LabSpace] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    families: tuple[Family, ...] = ("ipv4", "ipv6")
    reserved: set[str] = field(default_factory=set)

    def build(self, specs: Sequence[PathSpec], wire: WireSpec) -> tuple[messages.Placed, ...]:
        """Build everything. Raises UserError and MachineError."""
        self.reserved = {spec.name for spec in specs}
        host, server = self.new_space(HOST), self.new_space(SERVER)
        if not Path("/proc/sys/net/ipv6").is_dir():
            self.families = ("ipv4",)
        placements: list[tuple[PathSpec, Wire, Placement]] = []
        shared: Wire | None = None
        for spec in specs:
            kind = kinds()[spec.kind]
            if spec.rate is not None or kind.needs_own_wire(spec.options):
                chosen = self._new_wire(host, server, wire.rate if spec.rate is None else spec.rate)
            else:
                chosen = shared = shared or self._new_wire(host, server, wire.rate)
            placements.append((spec, chosen, kind.build(PathSite(self, chosen, spec.name), spec)))
        facts = {space.name: self.examine(space) for space in self.spaces.values()}
        return tuple(self._describe(spec, on, placement, facts) for spec, on, placement in placements)

    def new_space(self, name: str) -> LabSpace:
        """A new namespace, told how to behave, its loopback up."""
        namespace = new_network_namespace()
        counters = inside(namespace, _prepare_namespace)
        space = self.spaces[name] = LabSpace(name, namespace, counters)
        in_namespace(namespace, lambda links: links.bring_up("lo"))
        return space

    def free_name(self, wanted: str) -> str:
        """`wanted` as a namespace's name, unless the lab itself has one called that."""
        name = wanted
        while name in self.spaces or (name != wanted and name in self.reserved):
            name += "-client"
        return name

    def addresses(self, wire: Wire, number: int) -> tuple[Address, ...]:
        """The addresses of one end on a wire."""
        return tuple(addresses.address(wire.number, number, family) for family in self.families)

    def wire_facts(self) -> dict[str, str | int | None]:
        """How the first wire was made: rate in bit/s, burst and limit in bytes; the namespaces' tcp_no_metrics_save."""
        host = self.spaces[HOST]
        wire = self.wires[0].lower
        rate = self.wires[0].rate
        form = None if rate is None else shaping(rate)
        saved = inside(host.namespace, lambda: _read_sysctl("net/ipv4/tcp_no_metrics_save"))
        return {
            "rate": form.rate * 8 if form else None,
            "burst": form.burst if form else None,
            "limit": form.limit if form else None,
            "queue_discipline": in_namespace(host.namespace, lambda links: links.facts(wire).queue_discipline),
            "tcp_no_metrics_save": int(saved) if saved is not None else None,
        }

    def _new_wire(self, host: LabSpace, server: LabSpace, rate: int | None) -> Wire:
        wire = Wire(len(self.wires), rate)
        far_addresses = self.addresses(wire, addresses.SERVER)
        form = None if rate is None else shaping(rate)

        def lower_end(links: Links) -> None:
            links.add_veth(wire.lower, wire.far, into=server.namespace)
            links.bring_up(wire.lower)
            if form:
                links.shape(wire.lower, form)

        in_namespace(host.namespace, lower_end)
        host.devices.setdefault(wire.lower, {})
        server.configure(wire.far, far_addresses)
        if form:
            in_namespace(server.namespace, lambda links: links.shape(wire.far, form))
        self.wires.append(wire)
        return wire

    def examine(self, space: LabSpace) -> dict[str, LinkFacts]:
        """What the kernel says of a namespace's devices, once they carry packets."""

        def work(links: Links) -> dict[str, LinkFacts]:
            links.wait_operational(list(space.devices), _UP_SECONDS)
            return {device: links.facts(device) for device in space.devices}

        return in_namespace(space.namespace, work)

    def _describe(
        self, spec: PathSpec, wire: Wire, placement: Placement, facts: dict[str, dict[str, LinkFacts]]
    ) -> messages.Placed:
        own = placement.space.name, placement.device
        through = [device_of(*own, "own", facts)]
        if own != (HOST, wire.lower):
            through.append(device_of(HOST, wire.lower, "lower", facts))
        through.append(device_of(SERVER, wire.far, "wire", facts))
        return messages.Placed(
            spec=spec,
            wire=wire.name,
            rate=wire.rate,
            client=placement.space.name,
            server=SERVER,
            client_addresses={each.family: each.text for each in placement.addresses},
            server_addresses={each.family: each.text for each in self.addresses(wire, addresses.SERVER)},
            devices=tuple(through),
            mtu=min(each.mtu for each in through),
        )


def device_of(space: str, name: str, role: str, facts: dict[str, dict[str, LinkFacts]]) -> DeviceRef:
    """A device as a path's description has it."""
    fact = facts[space][name]
    return DeviceRef(
        namespace=space,
        name=name,
        role="own" if role == "own" else "lower" if role == "lower" else "wire",
        kind=fact.kind,
        mtu=fact.mtu,
        queue_discipline=fact.queue_discipline,
        offloads=fact.offloads,
    )


@dataclass(frozen=True, slots=True)
class PathSite:
    """See registry.Site."""

    topology: Topology
    wire: Wire
    path: str

    @property
    def host(self) -> LabSpace:
        return self.topology.spaces[HOST]

    @property
    def lower(self) -> str:
        return self.wire.lower

    def new_space(self) -> LabSpace:
        """A namespace named after the path."""
        return self.topology.new_space(self.topology.free_name(self.path))

    def host_addresses(self) -> tuple[Address, ...]:
        """The wire's lower end's."""
        return self.topology.addresses(self.wire, addresses.HOST)

    def new_addresses(self) -> tuple[Address, ...]:
        """The next free ones on the wire."""
        number = self.wire.next_candidate
        self.wire.next_candidate += 1
        return self.topology.addresses(self.wire, number)


def _prepare_namespace() -> int:
    """In a thread inside a new namespace: set its sysctls, and return a descriptor of its device counters."""
    for name, value in _SYSCTLS.items():
        try:
            Path("/proc/sys", name).write_text(value, encoding="ascii")
        except OSError:
            continue
    return os.open("/proc/thread-self/net/dev", os.O_RDONLY | os.O_CLOEXEC)


def _read_sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return None
