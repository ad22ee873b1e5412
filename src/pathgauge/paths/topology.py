"""The lab's topology, built inside the keeper: namespaces, wires, shaping, and each path by its kind.

[ NAME: mv0 ]   a namespace for each path that needs one
      │
[ host: h0 ] ──wire── [ server: s0 ]     h1 ──wire── s1 for a kind that claims its near end, and so on
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pathgauge.errors import UserError
from pathgauge.paths import addresses, messages, steering
from pathgauge.paths.addresses import Address, Family, Subnet
from pathgauge.paths.changes import Standing
from pathgauge.paths.registry import Kind, Placement, Space, kinds
from pathgauge.paths.room import OF_COPY, make_room
from pathgauge.paths.rtnetlink import LinkFacts
from pathgauge.paths.spaces import LabSpace, new_copy, new_space, read_sysctl, tell
from pathgauge.paths.types import NAMESPACE_CHANGES, DeviceRef, PathSpec, Role, WireSpec
from pathgauge.paths.wire import Wire

HOST = "host"
SERVER = "server"
_THREADS = 4

T = TypeVar("T")
R = TypeVar("R")
Facts = dict[str, dict[str, LinkFacts]]


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
    masks: steering.Masks | None = None  # of the path being built: the CPUs that receive for its devices
    serves: bool = False  # whether the servers are in the containers, and the clients behind the wire

    def build(self, specs: Sequence[PathSpec], wire: WireSpec) -> tuple[messages.Placed, ...]:
        """Build everything. Raises UserError and MachineError."""
        self.reserved = {spec.name for spec in specs}
        self.new_space(HOST)
        self.new_space(SERVER)
        if not Path("/proc/sys/net/ipv6").is_dir():
            self.families = ("ipv4",)
        # A way in has its server in the container; the others are then measured in that direction, too.
        self.serves = serves = any(kinds()[spec.kind].serves for spec in specs)
        self.wire = self._placed(wire)
        descriptors = sum(kinds()[spec.kind].descriptors * spec.copies for spec in specs)
        copies = sum(spec.copies for spec in specs)
        make_room(OF_COPY * copies + descriptors, f"{copies} copies", "ask for fewer copies")
        built: list[tuple[PathSpec, int, Wire, Placement]] = []
        shared: Wire | None = None
        for spec in specs:
            kind = kinds()[spec.kind]
            if not kind.wired:
                self._check_unshaped(spec)
            if kind.wired and (
                spec.rate is not None or spec.changes or kind.direct or kind.needs_own_wire(spec.options)
            ):
                self._steer_new(spec.wire(self.wire).rps)
                chosen = self._new_wire(self._near(kind, spec), spec.wire(self.wire))
            else:
                if shared is None:
                    self._steer_new(self.wire.rps)
                    shared = self._new_wire(self.spaces[HOST], self.wire)
                self._steer_new(spec.wire(self.wire).rps)
                chosen = shared
            for number, (on, placement) in enumerate(self._copies(kind, chosen, spec)):
                steered = None if spec.wire(wire).rps is None else {name: self._mask(name) for name in self.spaces}
                self._standing(spec, kind, on, placement).change(spec.changes, wire.mtu, steered)
                if serves and placement.known and not kind.serves:
                    raise UserError(
                        f"nobody can come in by the path {spec.name}, as the way in of another path is",
                        hint="compare it in a run of its own",
                    )
                built.append((spec, number, on, placement))
        facts = {space.name: space.examine() for space in self.spaces.values()}
        return tuple(
            self._describe(spec, number, on, placement, facts, serves=serves) for spec, number, on, placement in built
        )

    def close(self) -> None:
        """Let go of what only building needed."""
        for space in self.spaces.values():
            space.routes.close()

    def _copies(self, kind: Kind, wire: Wire, spec: PathSpec) -> list[tuple[Wire, Placement]]:
        """Build a path as often as was asked: the first, which makes what they share, then the others at once."""
        before = wire.next_candidate
        built = [(wire, kind.build(PathSite(self, wire, spec.name, many=spec.copies > 1), spec))]
        if spec.copies > 1 and kind.alone(spec.options):
            for copy in range(1, spec.copies):
                on = self._new_wire(self._near(kind, spec, copy), wire.spec)
                built.append((on, kind.build(PathSite(self, on, spec.name, copy), spec)))
        elif spec.copies > 1:
            sites = [PathSite(self, wire, spec.name, number, many=True) for number in range(1, spec.copies)]
            built += [(wire, placement) for placement in at_once(lambda site: kind.build(site, spec), sites)]
            for _, placement in built[1:]:  # in the order of their numbers, whoever came first
                if placement.space.name not in (HOST, SERVER):
                    self.spaces[placement.space.name] = self.spaces.pop(placement.space.name)
            wire.next_candidate += (wire.next_candidate - before) * (spec.copies - 1)
            self.names = {prefix: number + spec.copies - 1 for prefix, number in self.names.items()}
        return built

    def _placed(self, wire: WireSpec) -> WireSpec:
        """The wire, with the CPUs of the ends to receive for it where nothing else was asked and the kernel listens."""
        if wire.rps is not None or wire.ends is None:
            return wire
        self._steer_new(wire.ends)
        heard = read_sysctl(self.spaces[SERVER], steering.DEFAULT_MASK)
        if heard is not None and steering.same(heard, self._mask(SERVER)):
            return replace(wire, rps=wire.ends)
        self._steer_new(None)
        return wire

    def _steer_new(self, rps: str | None) -> None:
        """Have the devices that are made from now on begin with these CPUs."""
        masks = None if rps is None else steering.masks_of(rps)
        if masks != self.masks:
            self.masks = masks
            for name in (HOST, SERVER):
                tell(self.spaces[name], {steering.DEFAULT_MASK: self._mask(name)})

    def _mask(self, name: str) -> str:
        """What the devices of a namespace begin with."""
        if self.masks is None:
            return "0"
        return self.masks.server if (name == SERVER) != self.serves else self.masks.client

    def _told(self, name: str) -> dict[str, str]:
        return {} if self.masks is None else {steering.DEFAULT_MASK: self._mask(name)}

    def new_space(self, name: str) -> LabSpace:
        """A new namespace of the lab."""
        space = self.spaces[name] = new_space(name, self._told(name))
        return space

    def new_copy(self, name: str) -> LabSpace:
        """One of many namespaces of the lab, in which this thread is left."""
        told = self._told(name)
        space = self.spaces[name] = new_copy(name, self.spaces[HOST], told, ipv6="ipv6" in self.families)
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

    def wire_facts(self) -> messages.WireFacts:
        """How the first wire was made (see Wire.facts), and the namespaces' tcp_no_metrics_save."""
        wire = self.wires[0]
        saved = read_sysctl(self.spaces[HOST], "net/ipv4/tcp_no_metrics_save")
        return wire.facts() | {
            "queue_discipline": self.spaces[SERVER].facts(wire.far).queue_discipline,
            "tcp_no_metrics_save": int(saved) if saved is not None else None,
        }

    def _check_unshaped(self, spec: PathSpec) -> None:
        """A path without a wire would run beside shaped ones as if nothing had been asked."""
        if replace(spec.wire(self.wire), rps=None, ends=None) != WireSpec():
            raise UserError(
                f"{spec.name} has no wire that could be shaped: {spec.kind} lies within one namespace",
                hint=f"leave out {spec.name}, or what shapes the wire; {spec.kind}:mtu=1500 gives it another MTU",
            )

    def _near(self, kind: Kind, spec: PathSpec, copy: int = 0) -> LabSpace:
        """Where the near end of a path's own wire is to be: alone, if what is changed would be of all others there."""
        if kind.direct or (kind.name == HOST and spec.changes.keys() & NAMESPACE_CHANGES):
            return self.new_space(self.free_name(_numbered(spec.name, copy)))
        return self.spaces[HOST]

    def _new_wire(self, near: LabSpace, spec: WireSpec) -> Wire:
        wire = Wire(len(self.wires), spec, near, self.new_subnet())
        server = self.spaces[SERVER]

        wire.lay(near, server)
        near.configure(wire.lower)
        server.configure(wire.far, wire.subnet.addresses(addresses.SERVER))
        for space, device in ((near, wire.lower), (server, wire.far)):
            if self.wire.mtu is not None:
                space.change(device, {"mtu": self.wire.mtu})
            wire.shape(space, device)
        self.wires.append(wire)
        return wire

    def _standing(self, spec: PathSpec, kind: Kind, wire: Wire, placement: Placement) -> Standing:
        through, beyond = (
            [(self.spaces[space.name], device) for space, device in devices]
            for devices in (_through(wire, placement), placement.beyond)
        )
        own = self.spaces[placement.space.name], placement.device
        return Standing(spec.name, own, through, [(self.spaces[SERVER], wire.far)] if kind.wired else [], beyond)

    def _describe(
        self, spec: PathSpec, copy: int, wire: Wire, placement: Placement, facts: Facts, *, serves: bool
    ) -> messages.Placed:
        own = placement.space.name, placement.device
        wired = kinds()[spec.kind].wired
        through = _through(wire, placement)
        devices = [device_of(*own, "own", facts)]
        devices += [device_of(space.name, device, "lower", facts) for space, device in through]
        if wired:
            devices.append(device_of(SERVER, wire.far, "wire", facts))
        devices += [device_of(space.name, device, "beyond", facts) for space, device in placement.beyond]
        ours, theirs = placement.addresses, placement.server or wire.subnet.addresses(addresses.SERVER)
        known = placement.known or ours
        clients, servers, reached, seen = (theirs, ours, known, theirs) if serves else (ours, theirs, theirs, known)
        far = SERVER if wired else placement.space.name
        spaces = (far, placement.space.name) if serves else (placement.space.name, far)
        return messages.Placed(
            spec=spec,
            wire=wire.name if wired else "",
            rate=wire.rate,
            client=spaces[0],
            server=spaces[1],
            client_addresses=by_family(clients),
            server_addresses=by_family(servers),
            reached_addresses=by_family(reached),
            seen_addresses=by_family(seen),
            devices=tuple(devices),
            mtu=min(each.mtu for each in devices),
            copy=copy,
        )


def at_once(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What `work` makes of each item, in order, by a few threads that end with it: it may leave them in a namespace.

    The first error is raised when all threads have ended.
    """
    results: dict[int, R] = {}
    failures: list[BaseException] = []
    numbers = iter(range(len(items)))  # next() of it is one step for the interpreter

    def run() -> None:
        for number in numbers:
            if failures:
                return
            try:
                results[number] = work(items[number])
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]


def _numbered(path: str, copy: int) -> str:
    """What a copy's namespace is called: `macvlan`, `macvlan-2`, and so on."""
    return f"{path}-{copy + 1}" if copy else path


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
    """See registry.Site. The copies of a path are numbered from 0. `many` of them on one wire are built at once: each
    takes the names, addresses and networks that lie by its number behind those of the first.
    """

    topology: Topology
    wire: Wire
    path: str
    copy: int = 0
    many: bool = False

    @property
    def first(self) -> bool:
        return self.copy == 0 or not self.many

    @property
    def _behind_first(self) -> int:
        return self.copy if self.many else 0

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
        if self.first:
            self.topology.names[prefix] = self.topology.names.get(prefix, -1) + 1
        return f"{prefix}{self.topology.names[prefix] + self._behind_first}"

    def new_space(self) -> LabSpace:
        """A namespace named after the path."""
        name = self.topology.free_name(_numbered(self.path, self.copy))
        return self.topology.new_space(name) if self.first else self.topology.new_copy(name)

    def new_subnet(self) -> Subnet:
        """See registry.Site."""
        if not self.many:
            return self.topology.new_subnet()
        number = self.topology.new_subnet().number if self.first else self.topology.subnets - 1
        return Subnet(number, self.topology.families, self.copy)

    def host_addresses(self) -> tuple[Address, ...]:
        """The wire's near end's."""
        return self.wire.subnet.addresses(addresses.HOST)

    def far_addresses(self) -> tuple[Address, ...]:
        """The wire's far end's."""
        return self.wire.subnet.addresses(addresses.SERVER)

    def new_addresses(self) -> tuple[Address, ...]:
        """The next free ones on the wire."""
        if self.first:
            self.wire.next_candidate += 1
        return self.wire.subnet.addresses(self.wire.next_candidate - 1 + self._behind_first)

    def shape(self, space: Space, device: str) -> None:
        """See registry.Site."""
        if isinstance(space, LabSpace):
            self.wire.shape(space, device)
