"""Which devices a path that exists runs through: its packets are followed from the client's end, by what kernels tell.

Out of a device, over a pair's other end, a lower device, a tunnel, a bridge's port where the next address was learnt,
a namespace that forwards, until the destination's own device; as far as that can be seen.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pathgauge.errors import UserError
from pathgauge.paths.addresses import Family
from pathgauge.paths.known import KnownSpaces
from pathgauge.paths.sight import Port, Route, Sighting, seen_from
from pathgauge.paths.spaces import LabSpace, forwards

MOST_STEPS = 32
_PAIRS = ("veth", "netkit")
_STACKED = ("macvlan", "macvtap", "ipvlan", "ipvtap", "vlan", "vxlan", "geneve", "gre", "ip6gre", "gretap", "ipip")
_LEARNING_SECONDS = 2.0
_PROBE_SECONDS = 0.25
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Step:
    """A device on the way. What a bridge forwards from port to port, its own device does not count."""

    space: LabSpace
    device: str
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Way:
    """Steps from the client's device on. Where `unseen` says why they are not all, the first `before` lead from the
    client, the others to the server.
    """

    steps: tuple[Step, ...]
    before: int
    unseen: str = ""


class _OutOfSight(Exception):
    """The way cannot be followed further; says why."""


@dataclass(frozen=True, slots=True)
class _Hop:
    """One hop of the network layer: who sends it out of which device to which address."""

    space: LabSpace
    device: str
    destination: str
    to: str


@dataclass(slots=True)
class Walk:
    """One path's way. `server` is None where it may be anywhere; `probe` sends a packet along the path, so that
    neighbours and bridges learn.
    """

    known: KnownSpaces
    path: str
    client: LabSpace
    source: str
    destination: str
    server: LabSpace | None
    probe: Callable[[], None]
    steps: list[Step] = field(default_factory=list)
    stack: list[Step] = field(default_factory=list)

    def follow(self) -> Way:
        """The way. Raises UserError where the address leads to another than the server."""
        route = _route(self.client, self.destination)
        if self.server is not None:
            end = seen_from(self.server.namespace, lambda sight: sight.device_with(self.destination))
            self.stack = self._stack(Step(self.server, end))
        if route is None:
            raise UserError(f"{self.path}: {self.client.name} has no route to {self.destination}")
        if route.local and self.server in (None, self.client):
            return Way((Step(self.client, route.device),), 1)
        try:
            self._go(route)
        except _OutOfSight as why:
            before = len(self.steps)
            known = {(step.space.name, step.device) for step in self.steps}
            rest = [step for step in reversed(self._approach()) if (step.space.name, step.device) not in known]
            return Way((*self.steps, *rest), before, str(why))
        return Way(tuple(self.steps), len(self.steps))

    def _go(self, route: Route) -> None:
        """From the client's device on, until the destination is reached."""
        hop = _Hop(self.client, route.device, self.destination, route.gateway or self.destination)
        space, device, leaving = self.client, route.device, True
        self._step(space, device)
        while True:
            if self._climb(space, device):
                return
            facts = _look(space, device)
            if leaving and facts.kind == "bridge":
                device = self._port(space, device, hop)
                if not device:
                    raise _OutOfSight(f"{facts.name} in {space.name} sends it back to itself")
                self._step(space, device)
            elif leaving and facts.kind in _STACKED:
                space, device, hop = self._down(space, facts, hop)
                self._step(space, device)
            elif leaving:
                space, device = self._across(space, facts)
                self._step(space, device)
                leaving = False
            elif facts.bridge:
                port = self._port(space, facts.bridge, hop)
                self._step(space, facts.bridge, counted=not port)
                device, leaving = port or facts.bridge, bool(port)
                if port:
                    self._step(space, port)
            else:
                routed = self._input(space, device, hop)
                if routed is None:
                    return
                hop, device, leaving = routed, routed.device, True
                self._step(space, device)

    def _step(self, space: LabSpace, device: str, *, counted: bool = True) -> None:
        """Note a device; that a packet comes back to one that it left is a loop."""
        if len(self.steps) >= MOST_STEPS:
            raise _OutOfSight(f"it is longer than {MOST_STEPS} devices")
        if self.steps and (self.steps[-1].space, self.steps[-1].device) == (space, device):
            return  # a router that sends out of the device where it came in
        self.steps.append(Step(space, device, counted))

    def _climb(self, space: LabSpace, device: str) -> bool:
        """Where a device is below the server's own: up to that."""
        for number, below in enumerate(self.stack):
            if (below.space, below.device) != (space, device):
                continue
            if number and self._came_down():
                self.steps[-1] = Step(space, device, counted=False)  # from one on it to another, never out of it
            for above in reversed(self.stack[:number]):
                self._step(above.space, above.device)
            return True
        return False

    def _came_down(self) -> bool:
        """Whether the last step was from a device to the one it stands on."""
        return len(self.steps) > 1 and _look(self.steps[-2].space, self.steps[-2].device).kind in _STACKED

    def _stack(self, end: Step) -> list[Step]:
        """The server's device, and those it stands on."""
        steps = [end]
        while end.device and len(steps) < MOST_STEPS:
            last = steps[-1]
            facts = _look(last.space, last.device)
            if facts.kind not in _STACKED:
                break
            try:
                space, device, _ = self._down(last.space, facts, None)
            except _OutOfSight:
                break
            steps.append(Step(space, device))
        return steps

    def _approach(self) -> list[Step]:
        """From the server's device towards the client, as far as links tell without knowing where packets go."""
        if not self.stack or not self.stack[0].device:
            return []
        steps = list(self.stack)
        while len(steps) < MOST_STEPS:
            last = steps[-1]
            facts = _look(last.space, last.device)
            if facts.kind not in _PAIRS:
                break
            try:
                space, device = self._across(last.space, facts)
            except _OutOfSight:
                break
            step = Step(space, device)
            if step in steps:
                break
            steps.append(step)
        return steps

    def _down(self, space: LabSpace, facts: Sighting, hop: _Hop | None) -> tuple[LabSpace, str, _Hop]:
        """The device that one stands on; of a tunnel, with where its packets go, the one that leads there."""
        below = space
        if facts.other and facts.namespace is not None:
            below = self._space(space, facts)
        device = _device_at(below, facts.other) if facts.other else ""
        if facts.remote:
            route = _route(below, facts.remote)
            if route is None:
                raise _OutOfSight(f"{below.name} has no route to {facts.remote}, where {facts.name} leads")
            return below, route.device, _Hop(below, route.device, facts.remote, route.gateway or facts.remote)
        if not device:
            raise _OutOfSight(f"what {facts.name} in {space.name} stands on is not to be seen")
        return below, device, hop or _Hop(below, device, "", "")

    def _across(self, space: LabSpace, facts: Sighting) -> tuple[LabSpace, str]:
        """The other end of a pair."""
        if facts.kind not in _PAIRS:
            raise _OutOfSight(f"what lies beyond {facts.name} in {space.name} is no part of this machine")
        there = space if facts.namespace is None else self._space(space, facts)
        name = _device_at(there, facts.other)
        if not name:
            raise _OutOfSight(f"the other end of {facts.name} in {space.name} is gone")
        return there, name

    def _space(self, space: LabSpace, facts: Sighting) -> LabSpace:
        """The namespace that a device's other end is in."""
        found = None if facts.namespace is None or facts.namespace < 0 else self.known.behind(space, facts.namespace)
        if found is None:
            raise _OutOfSight(f"the namespace that {facts.name} in {space.name} leads to is not to be found")
        return found

    def _port(self, space: LabSpace, bridge: str, hop: _Hop) -> str:
        """The port by which a bridge sends a hop's packets on; "" where they are for its own namespace."""
        began = asked = 0.0
        while True:
            port = self._learnt(space, bridge, hop)
            if port is not None:
                return port.name
            now = time.monotonic()
            began = began or now
            if now > began + min(_LEARNING_SECONDS, self.known.patience):
                self.known.patience -= now - began
                raise _OutOfSight(f"{bridge} in {space.name} has not learnt where {hop.to} is")
            if now > asked + _PROBE_SECONDS:
                self.probe()
                asked = now
            time.sleep(_POLL_SECONDS)

    def _learnt(self, space: LabSpace, bridge: str, hop: _Hop) -> Port | None:
        mac = seen_from(hop.space.namespace, lambda sight: sight.neighbour(hop.to, hop.device))
        return seen_from(space.namespace, lambda sight: sight.port(bridge, mac)) if mac else None

    def _input(self, space: LabSpace, device: str, hop: _Hop) -> _Hop | None:
        """The next hop of a packet that came in by a device; None where it has reached its destination.

        Raises UserError where that is another namespace than the server's.
        """
        source = self.source if hop.destination == self.destination else ""
        family: Family = "ipv6" if ":" in hop.destination else "ipv4"
        own = _route(space, hop.destination)
        if own is not None and own.local:
            if hop.destination != self.destination:
                raise _OutOfSight(f"the tunnel ends in {space.name}, and what it brings is not to be followed there")
            if self.server not in (None, space):
                assert self.server is not None  # noqa: S101 - it is none of (None, space)
                raise UserError(
                    f"{self.path}: from {self.client.name}, {self.destination} leads to {space.name}, not to "
                    f"{self.server.name}",
                    hint="name an address that only the server has: FROM,TO,ADDRESS",
                )
            return None
        route = seen_from(space.namespace, lambda sight: sight.route(hop.destination, source=source, arriving=device))
        if not forwards(space, family) and (route is None or family == "ipv6"):
            raise _OutOfSight(f"{space.name} does not forward {family}")
        if route is None:
            raise _OutOfSight(f"{space.name} has no route to {hop.destination}")
        return _Hop(space, route.device, hop.destination, route.gateway or hop.destination)


def _look(space: LabSpace, device: str) -> Sighting:
    found = seen_from(space.namespace, lambda sight: sight.device(device))
    if found is None:
        raise _OutOfSight(f"{device or 'the device'} in {space.name} is gone")
    return found


def _device_at(space: LabSpace, index: int) -> str:
    found = seen_from(space.namespace, lambda sight: sight.device_at(index))
    return found.name if found else ""


def _route(space: LabSpace, address: str) -> Route | None:
    return seen_from(space.namespace, lambda sight: sight.route(address))
