"""Paths that exist already, between namespaces that are none of ours: looked at, and left as they are."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pathgauge.errors import MachineError, MissingPrivilege, UserError
from pathgauge.paths import messages
from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.namespaces import inside
from pathgauge.paths.netlink import LinkFacts, Route, in_namespace
from pathgauge.paths.spaces import LabSpace
from pathgauge.paths.topology import Facts, Topology, device_of
from pathgauge.paths.types import DeviceRef, Found, PathSpec, Role, WireSpec

LOCAL = "local"
_MOST_STEPS = 16


@dataclass(frozen=True, slots=True)
class Leg:
    """How one family's packets go: from an address, out by a device, to an address, with or without a gateway."""

    client: str
    device: str
    server: str
    direct: bool


class ExistingTopology(Topology):
    """The namespaces of the paths' ends, and the caller's, through which most paths lead."""

    def __init__(self, *, rootless: bool) -> None:
        super().__init__()
        if rootless:
            raise MissingPrivilege("an ordinary user cannot enter namespaces of others", hint="run pathgauge as root")
        self._identities: dict[tuple[int, int], LabSpace] = {}

    def build(self, specs: Sequence[PathSpec], wire: WireSpec) -> tuple[messages.Placed, ...]:
        """Look at every path. Raises UserError and MachineError."""
        del wire  # it is as it is
        self._space(LOCAL, "/proc/self/ns/net")
        return tuple(self._look(spec, spec.found) for spec in specs if spec.found is not None)

    def wire_facts(self) -> dict[str, str | int | None]:
        """Nothing of it is ours."""
        return {"rate": None}

    def _space(self, name: str, file: str) -> LabSpace:
        """The namespace behind a file; the same one is the same space, under the name it had first."""
        try:
            namespace = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise MachineError(f"the namespace of {name} cannot be opened: {error.strerror}") from None
        status = os.fstat(namespace)
        identity = status.st_dev, status.st_ino
        if identity in self._identities:
            os.close(namespace)
            return self._identities[identity]
        counters = inside(namespace, lambda: os.open("/proc/thread-self/net/dev", os.O_RDONLY | os.O_CLOEXEC))
        space = self._identities[identity] = self.spaces[name] = LabSpace(name, namespace, counters)
        return space

    def _look(self, spec: PathSpec, found: Found) -> messages.Placed:
        client = self._space(spec.options["from"], found.client)
        server = self._space(spec.options["to"], found.server)
        legs = self._legs(spec, client, server, found.address)
        own = next(iter(legs.values()))
        end = own.device if client is server else _device_with(server, own.server)
        devices = self._walk(client, own.device, server, end)
        return messages.Placed(
            spec=spec,
            wire="",
            rate=None,
            client=client.name,
            server=server.name,
            client_addresses={family: leg.client for family, leg in legs.items()},
            server_addresses={family: leg.server for family, leg in legs.items()},
            reached_addresses={family: leg.server for family, leg in legs.items()},
            seen_addresses={family: leg.client for family, leg in legs.items()},
            devices=devices,
            mtu=min(device.mtu for device in devices),
        )

    def _legs(self, spec: PathSpec, client: LabSpace, server: LabSpace, asked: str) -> dict[Family, Leg]:
        """By family: the address asked for, or the server's first that the client reaches by a device of its own."""
        there = _addresses(server, inner=client is server)
        known = ", ".join(each.text for each in there) or "it has none"
        if asked and asked not in [each.text for each in there]:
            raise UserError(f"{spec.name}: {asked} is no address of {spec.options['to']}", hint=f"its own: {known}")
        legs: dict[Family, Leg] = {}
        for each in there:
            route = _route(client, each.text) if not asked or each.text == asked else None
            if route is None or (route.device == "lo" and client is not server):
                continue
            if each.family not in legs or (route.direct and not legs[each.family].direct):
                legs[each.family] = Leg(route.source, route.device, each.text, route.direct)
        if not legs:
            raise UserError(
                f"{spec.name}: {spec.options['from']} has no route to {asked or spec.options['to']}",
                hint=f"addresses of {spec.options['to']}: {known}; name one that is reached: FROM,TO,ADDRESS",
            )
        return legs

    def _walk(self, client: LabSpace, device: str, server: LabSpace, end: str) -> tuple[DeviceRef, ...]:
        """The devices from the client's own to the server's, as far as links tell: other ends, lower devices."""
        steps = self._steps(client, device)
        last = (server, end)
        if last in steps:
            steps = steps[: steps.index(last) + 1]
        elif last != (client, device):
            # Between the last that is known and the server's there is a bridge, a router or a network.
            back = [step for step in reversed(self._steps(server, end)) if step not in steps]
            steps = [*steps, *back]
        facts: Facts = {}
        for space, name in steps:
            facts.setdefault(space.name, {})[name] = _facts(space, name)
        described = []
        for number, (space, name) in enumerate(steps):
            role: Role = "own" if number == 0 else "wire" if number == len(steps) - 1 else "lower"
            described.append(device_of(space.name, name, role, facts))
        return tuple(described)

    def _steps(self, space: LabSpace, device: str) -> list[tuple[LabSpace, str]]:
        """A device, and what lies below it, as far as that is in a namespace that is known here."""
        steps = [(space, device)]
        while len(steps) < _MOST_STEPS:
            following = self._below(*steps[-1])
            if following is None or following in steps:
                break
            steps.append(following)
        return steps

    def _below(self, space: LabSpace, device: str) -> tuple[LabSpace, str] | None:
        found = in_namespace(space.namespace, lambda links: links.below(device))
        if found is None or found.namespace is None:
            return (space, found.name) if found is not None and found.name else None
        for other in self.spaces.values():
            if _id_of(other, space) == found.namespace:
                name = in_namespace(other.namespace, lambda links: links.name_of(found.index))
                return (other, name) if name else None
        return None


def _id_of(space: LabSpace, within: LabSpace) -> int | None:
    if space is within:
        return None
    return in_namespace(within.namespace, lambda links: links.namespace_id(space.namespace))


def _addresses(space: LabSpace, *, inner: bool) -> tuple[Address, ...]:
    return in_namespace(space.namespace, lambda links: links.all_addresses(inner=inner))


def _device_with(space: LabSpace, address: str) -> str:
    return in_namespace(space.namespace, lambda links: links.device_with(address))


def _facts(space: LabSpace, device: str) -> LinkFacts:
    return in_namespace(space.namespace, lambda links: links.facts(device))


def _route(space: LabSpace, address: str) -> Route | None:
    return in_namespace(space.namespace, lambda links: links.route_to(address))
