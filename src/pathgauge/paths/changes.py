"""What is changed of a path once it stands: `--set NAME.KEY=VALUE`, but for what its wire is made of at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pathgauge.errors import UserError
from pathgauge.paths import disciplines, firewall, steering
from pathgauge.paths.namespaces import inside
from pathgauge.paths.refusals import explained
from pathgauge.paths.spaces import LabSpace
from pathgauge.paths.types import OFFLOADS, Value

_TUNNEL_ROOM = 100  # bytes that a tunnel's headers take at most
_OF_THE_WIRE = ("tbf", "htb", "netem")

Device = tuple[LabSpace, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """A path of a lab that stands: its `own` device, those `through` which it reaches the wire's far end, the near one
    first, that `far` end itself (none where there is no wire), and those `beyond` it.
    """

    name: str
    own: Device
    through: Sequence[Device]
    far: Sequence[Device]
    beyond: Sequence[Device]

    def change(self, changes: Mapping[str, Value], wire_mtu: int | None, rps: Mapping[str, str] | None) -> None:
        """Change what was asked; without an MTU of its own what stands on the wire gets the wire's. `rps` are the masks
        of the CPUs that are to receive for the devices of each namespace. Raises UserError and MachineError.
        """
        space, device = self.own
        if "mtu" in changes:
            self._set_mtu(int(changes["mtu"]))
        elif wire_mtu is not None and not self.beyond:  # what stands on the wire's ends has their MTU already
            for on, each in (*reversed(self.through), self.own):
                on.change(each, {"mtu": wire_mtu})
        if "queues" in changes:
            self._set_queues(int(changes["queues"]))
        if "qdisc" in changes:
            limit = changes.get("qdisc-limit")
            self._set_discipline(str(changes["qdisc"]), None if limit is None else int(limit))
        offloads = {key: int(value) for key, value in changes.items() if key in OFFLOADS}
        if offloads:
            space.change(device, offloads)
        if "rules" in changes:
            firewall.walk(space.namespace, device, int(changes["rules"]))
        if "conntrack" in changes:
            firewall.track(space.namespace, device, on=bool(changes["conntrack"]))
        if rps is not None:
            self._steer(rps)

    def _set_mtu(self, mtu: int) -> None:
        """The MTU of all devices, what they stand on first."""
        outer = mtu + _TUNNEL_ROOM if self.beyond else mtu
        for space, device in (*self.far, *reversed(self.through)):
            space.change(device, {"mtu": outer})
        for space, device in (*self.beyond, self.own):
            space.change(device, {"mtu": mtu})

    def _set_queues(self, count: int) -> None:
        """So many queues of every veth on the way, in both directions."""
        pairs = [each for each in (self.own, *self.through, *self.far, *self.beyond) if _is_veth(*each)]
        if not pairs:
            raise UserError(f"the path {self.name} has no veth whose queues could be set", hint="leave out queues")
        for space, device in pairs:
            most = space.routes.set_queues(device, count)
            if count > most:
                raise UserError(
                    f"{device} of the path {self.name} cannot have {count} queues",
                    hint=f"at most {most}: a veth has one for each CPU",
                )

    def _steer(self, masks: Mapping[str, str]) -> None:
        """The CPUs that receive for every device of the path, whichever way packets go."""
        found: dict[int, list[tuple[str, str]]] = {}
        for space, device in (self.own, *self.through, *self.far, *self.beyond):
            found.setdefault(space.namespace, []).append((device, masks[space.name]))
        for namespace, devices in found.items():
            inside(namespace, partial(steering.steer_all, devices))

    def _set_discipline(self, kind: str, limit: int | None) -> None:
        """What the path's own device queues by. What shapes a wire stays."""
        space, device = self.own
        there = space.facts(device).queue_discipline
        if there in _OF_THE_WIRE:
            raise UserError(
                f"the own device of {self.name} is an end of the wire, and {there} is there already",
                hint="leave out qdisc, or what shapes the wire; a macvlan, say, has a device of its own",
            )
        with explained(kind):
            space.routes.ask(disciplines.queue(space.routes.number(device), kind, limit))


def _is_veth(space: LabSpace, device: str) -> bool:
    return space.facts(device).kind == "veth"
