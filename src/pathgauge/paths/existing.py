"""Paths that exist already, between namespaces that are none of ours: looked at, and left as they are."""

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pathgauge.errors import UserError
from pathgauge.paths import messages
from pathgauge.paths.addresses import Family
from pathgauge.paths.discovery import Walk, Way
from pathgauge.paths.known import KnownSpaces
from pathgauge.paths.namespaces import inside
from pathgauge.paths.sight import Route, seen_from
from pathgauge.paths.spaces import LabSpace
from pathgauge.paths.topology import Facts, Topology, device_of
from pathgauge.paths.types import DeviceRef, Found, Gap, PathSpec, Role, WireSpec

LOCAL = "local"
_DISCARD_PORT = 9


@dataclass(frozen=True, slots=True)
class Leg:
    """How one family's packets go: from an address, out by a device, to an address, with or without a gateway."""

    client: str
    device: str
    server: str
    direct: bool


class ExistingTopology(Topology):
    """The namespaces of the paths' ends, and the caller's, through which most paths lead."""

    def __init__(self) -> None:
        super().__init__()
        self.known = KnownSpaces(self.spaces)

    def build(self, specs: Sequence[PathSpec], wire: WireSpec) -> tuple[messages.Placed, ...]:
        """Look at every path. Raises UserError and MachineError."""
        del wire  # it is as it is
        self.known.add(LOCAL, "/proc/self/ns/net")
        found = [(spec, spec.found) for spec in specs if spec.found is not None]
        for spec, ends in found:  # first, so that these have the names that the user gave them
            self.known.add(spec.options["from"], ends.client)
            if ends.server:
                self.known.add(spec.options["to"], ends.server)
        return tuple(self._look(spec, ends) for spec, ends in found)

    def wire_facts(self) -> messages.WireFacts:
        """Nothing of it is ours."""
        return {"rate": None}

    def _look(self, spec: PathSpec, found: Found) -> messages.Placed:
        client = self.known.add(spec.options["from"], found.client)
        server = self.known.add(spec.options["to"], found.server) if found.server else None
        legs = self._legs(spec, client, server, found.address)
        own = next(iter(legs.values()))
        way = Walk(self.known, spec.name, client, own.client, own.server, server, partial(_probe, client, own)).follow()
        devices = _described(way)
        return messages.Placed(
            spec=spec,
            wire="",
            rate=None,
            client=client.name,
            server=spec.options["to"] if server is None else server.name,
            client_addresses={family: leg.client for family, leg in legs.items()},
            server_addresses={family: leg.server for family, leg in legs.items()},
            reached_addresses={family: leg.server for family, leg in legs.items()},
            seen_addresses={family: leg.client for family, leg in legs.items()},
            devices=devices,
            mtu=min(device.mtu for device in devices),
            gap=Gap(way.before, way.unseen) if way.unseen else None,
        )

    def _legs(self, spec: PathSpec, client: LabSpace, server: LabSpace | None, asked: str) -> dict[Family, Leg]:
        """By family: the address asked for, or the server's first that the client reaches by a device of its own."""
        there = [asked] if server is None else _addresses(server, inner=client is server)
        if not there:
            raise UserError(
                f"{spec.name}: {spec.options['to']} has no address by which others could reach it",
                hint="give it one, or name an end that has: ip addr add ADDRESS/PREFIX dev DEVICE",
            )
        known = ", ".join(there)
        if asked not in ("", *there):
            raise UserError(f"{spec.name}: {asked} is no address of {spec.options['to']}", hint=f"its own: {known}")
        legs: dict[Family, Leg] = {}
        own = []
        for each in there:
            route = _route(client, each) if asked in ("", each) else None
            if route is not None and route.local and server is not None and client is not server:
                own.append(each)
            elif route is not None and route.source:
                family: Family = "ipv6" if ":" in each else "ipv4"
                if family not in legs or (not route.gateway and not legs[family].direct):
                    legs[family] = Leg(route.source, route.device, each, not route.gateway)
        if not legs and own:
            raise UserError(
                f"{spec.name}: {own[0]} is an address of {spec.options['from']}'s own, and leads no further",
                hint=f"addresses of {spec.options['to']}: {known}; name one that only it has: FROM,TO,ADDRESS",
            )
        if not legs:
            no_route = f"{spec.name}: {spec.options['from']} has no route to {asked or spec.options['to']}"
            if server is None:
                raise UserError(no_route, hint=f"see its routes with: ip route get {asked}")
            raise UserError(
                no_route,
                hint=f"addresses of {spec.options['to']}: {known}; name one that is reached: FROM,TO,ADDRESS",
            )
        return legs


def _described(way: Way) -> tuple[DeviceRef, ...]:
    """The devices of a way as a path has them. Raises MachineError where one is gone meanwhile."""
    facts: Facts = {}
    for step in way.steps:
        facts.setdefault(step.space.name, {})[step.device] = step.space.facts(step.device)
    described = []
    for number, step in enumerate(way.steps):
        role: Role = "wire" if number == len(way.steps) - 1 else "lower"
        role = "own" if number == 0 else role if step.counted else "passed"
        described.append(device_of(step.space.name, step.device, role, facts))
    return tuple(described)


def _addresses(space: LabSpace, *, inner: bool) -> list[str]:
    return [each.text for each in seen_from(space.namespace, lambda sight: sight.addresses(inner=inner))]


def _route(space: LabSpace, address: str) -> Route | None:
    return seen_from(space.namespace, lambda sight: sight.route(address))


def _probe(client: LabSpace, leg: Leg) -> None:
    """Send one datagram that nobody waits for, so that the neighbours on the way learn of each other."""

    def send() -> None:
        family = socket.AF_INET6 if ":" in leg.server else socket.AF_INET
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as made:
            made.bind((leg.client, 0))
            made.sendto(b"", (leg.server, _DISCARD_PORT))

    inside(client.namespace, send)
