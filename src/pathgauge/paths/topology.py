"""The lab's topology, built inside the keeper: namespaces, wires, shaping, and each path by its kind.

[ NAME: mv0 ]   a namespace for each path that needs one
      │
[ host: h0 ] ──wire── [ server: s0 ]     h1 ──wire── s1 for a kind that claims its near end, and so on
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathgauge.errors import UserError
from pathgauge.paths import addresses, messages
from pathgauge.paths.addresses import Address, Family, Subnet
from pathgauge.paths.netlink import LinkFacts, Links, in_namespace
from pathgauge.paths.registry import Kind, Placement, Space, kinds
from pathgauge.paths.shaping import shaping
from pathgauge.paths.spaces import LabSpace, new_space, read_sysctl
from pathgauge.paths.types import DeviceRef, PathSpec, Role, WireSpec

HOST = "host"
SERVER = "server"
_TUNNEL_ROOM = 100  # bytes that a tunnel's headers take at most

Facts = dict[str, dict[str, LinkFacts]]


@dataclass(slots=True)
class Wire:
    """A veth pair, its near end in the namespace `near`; `rate` in bit/s where it is shaped."""

    number: int
    rate: int | None
    near: LabSpace
    subnet: Subnet
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
    wire: WireSpec = field(default_factory=WireSpec)
    subnets: int = 0
    names: dict[str, int] = field(default_factory=dict)

    def build(self, specs: Sequence[PathSpec], wire: WireSpec) -> tuple[messages.Placed, ...]:
        """Build everything. Raises UserError and MachineError."""
        self.reserved = {spec.name for spec in specs}
        self.wire = wire
        self.new_space(HOST)
        self.new_space(SERVER)
        if not Path("/proc/sys/net/ipv6").is_dir():
            self.families = ("ipv4",)
        # A way in has its server in the container; the others are then measured in that direction, too.
        serves = any(kinds()[spec.kind].serves for spec in specs)
        built: list[tuple[PathSpec, Wire, Placement]] = []
        shared: Wire | None = None
        for spec in specs:
            kind = kinds()[spec.kind]
            if spec.rate is not None or spec.devices or kind.direct or kind.needs_own_wire(spec.options):
                chosen = self._new_wire(self._near(kind, spec), wire.rate if spec.rate is None else spec.rate)
            else:
                chosen = shared = shared or self._new_wire(self.spaces[HOST], wire.rate)
            placement = kind.build(PathSite(self, chosen, spec.name), spec)
            self._change(spec, chosen, placement)
            if serves and placement.known and not kind.serves:
                raise UserError(
                    f"nobody can come in by the path {spec.name}, as the way in of another path is",
                    hint="compare it in a run of its own",
                )
            built.append((spec, chosen, placement))
        facts = {space.name: space.examine() for space in self.spaces.values()}
        return tuple(self._describe(spec, on, placement, facts, serves=serves) for spec, on, placement in built)

    def new_space(self, name: str) -> LabSpace:
        """A new namespace of the lab."""
        space = self.spaces[name] = new_space(name)
        return space

    def free_name(self, wanted: str) -> str:
        """`wanted` as a namespace's name, unless the lab itself has one called that."""
        name = wanted
        while name in self.spaces or (name != wanted and name in self.reserved):
            name += "-client"
        return name

    def new_subnet(self) -> Subnet:
        """The next of the plan."""
        self.subnets += 1
        return Subnet(self.subnets - 1, self.families)

    def wire_facts(self) -> dict[str, str | int | None]:
        """How the first wire was made: rate in bit/s, burst and limit in bytes; the namespaces' tcp_no_metrics_save."""
        wire = self.wires[0]
        form = None if wire.rate is None else shaping(wire.rate, self.wire.burst, self.wire.limit)
        saved = read_sysctl(self.spaces[HOST], "net/ipv4/tcp_no_metrics_save")
        server = self.spaces[SERVER]
        return {
            "rate": form.rate * 8 if form else None,
            "burst": form.burst if form else None,
            "limit": form.limit if form else None,
            "queue_discipline": in_namespace(server.namespace, lambda links: links.facts(wire.far).queue_discipline),
            "tcp_no_metrics_save": int(saved) if saved is not None else None,
        }

    def shape(self, space: LabSpace, device: str, rate: int | None) -> None:
        """Shape a device to a rate in bit/s, if there is one."""
        if rate is not None:
            form = shaping(rate, self.wire.burst, self.wire.limit)
            in_namespace(space.namespace, lambda links: links.shape(device, form))

    def _near(self, kind: Kind, spec: PathSpec) -> LabSpace:
        return self.new_space(self.free_name(spec.name)) if kind.direct else self.spaces[HOST]

    def _new_wire(self, near: LabSpace, rate: int | None) -> Wire:
        wire = Wire(len(self.wires), rate, near, self.new_subnet())
        server = self.spaces[SERVER]

        def make(links: Links) -> None:
            links.add_pair("veth", wire.lower, wire.far, into=server.namespace)
            links.bring_up(wire.lower)

        in_namespace(near.namespace, make)
        near.devices.setdefault(wire.lower, {})
        server.configure(wire.far, wire.subnet.addresses(addresses.SERVER))
        for space, device in ((near, wire.lower), (server, wire.far)):
            if self.wire.mtu is not None:
                space.change(device, {"mtu": self.wire.mtu})
            self.shape(space, device, rate)
        self.wires.append(wire)
        return wire

    def _change(self, spec: PathSpec, wire: Wire, placement: Placement) -> None:
        """Make the path's devices as was asked: the MTU of all, what they stand on first; offloads of its own."""
        changes = dict(spec.devices)
        mtu = changes.pop("mtu", None)
        if mtu is not None:
            outer = mtu + _TUNNEL_ROOM if placement.beyond else mtu
            for space, device in ((self.spaces[SERVER], wire.far), *reversed(_through(wire, placement))):
                space.change(device, {"mtu": outer})
            for space, device in (*placement.beyond, (placement.space, placement.device)):
                space.change(device, {"mtu": mtu})
        elif self.wire.mtu is not None and not placement.beyond:  # what stands on the wire's ends has their MTU already
            for space, device in (*reversed(_through(wire, placement)), (placement.space, placement.device)):
                space.change(device, {"mtu": self.wire.mtu})
        if changes:
            placement.space.change(placement.device, changes)

    def _describe(
        self, spec: PathSpec, wire: Wire, placement: Placement, facts: Facts, *, serves: bool
    ) -> messages.Placed:
        own = placement.space.name, placement.device
        through = _through(wire, placement)
        devices = [device_of(*own, "own", facts)]
        devices += [device_of(space.name, device, "lower", facts) for space, device in through]
        devices.append(device_of(SERVER, wire.far, "wire", facts))
        devices += [device_of(space.name, device, "beyond", facts) for space, device in placement.beyond]
        ours, theirs = placement.addresses, placement.server or wire.subnet.addresses(addresses.SERVER)
        known = placement.known or ours
        clients, servers, reached, seen = (theirs, ours, known, theirs) if serves else (ours, theirs, theirs, known)
        spaces = (SERVER, placement.space.name) if serves else (placement.space.name, SERVER)
        return messages.Placed(
            spec=spec,
            wire=wire.name,
            rate=wire.rate,
            client=spaces[0],
            server=spaces[1],
            client_addresses=by_family(clients),
            server_addresses=by_family(servers),
            reached_addresses=by_family(reached),
            seen_addresses=by_family(seen),
            devices=tuple(devices),
            mtu=min(each.mtu for each in devices),
        )


def _through(wire: Wire, placement: Placement) -> tuple[tuple[Space, str], ...]:
    """The devices between a path's own and the wire's far end."""
    if placement.through is not None:
        return placement.through
    own = placement.space.name, placement.device
    return () if own == (wire.near.name, wire.lower) else ((wire.near, wire.lower),)


def by_family(given: Sequence[Address]) -> dict[Family, str]:
    """Addresses as a path's description has them."""
    return {each.family: each.text for each in given}


def device_of(space: str, name: str, role: Role, facts: Facts) -> DeviceRef:
    """A device as a path's description has it."""
    fact = facts[space][name]
    return DeviceRef(
        namespace=space,
        name=name,
        role=role,
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
    def near(self) -> LabSpace:
        return self.wire.near

    @property
    def server(self) -> LabSpace:
        return self.topology.spaces[SERVER]

    @property
    def lower(self) -> str:
        return self.wire.lower

    @property
    def far(self) -> str:
        return self.wire.far

    def new_name(self, prefix: str) -> str:
        """See registry.Site."""
        number = self.topology.names[prefix] = self.topology.names.get(prefix, -1) + 1
        return f"{prefix}{number}"

    def new_space(self) -> LabSpace:
        """A namespace named after the path."""
        return self.topology.new_space(self.topology.free_name(self.path))

    def new_subnet(self) -> Subnet:
        """See registry.Site."""
        return self.topology.new_subnet()

    def host_addresses(self) -> tuple[Address, ...]:
        """The wire's near end's."""
        return self.wire.subnet.addresses(addresses.HOST)

    def far_addresses(self) -> tuple[Address, ...]:
        """The wire's far end's."""
        return self.wire.subnet.addresses(addresses.SERVER)

    def new_addresses(self) -> tuple[Address, ...]:
        """The next free ones on the wire."""
        number = self.wire.next_candidate
        self.wire.next_candidate += 1
        return self.wire.subnet.addresses(number)

    def shape(self, space: Space, device: str) -> None:
        """See registry.Site."""
        if isinstance(space, LabSpace):
            self.topology.shape(space, device, self.wire.rate)
