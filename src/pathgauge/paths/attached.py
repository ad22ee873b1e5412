"""Paths that start on a device of this machine and lead to another one, where a server waits that is not ours.

[ NAME: mv0 ]   a namespace for each path that needs one
      │
[ this machine: DEVICE ] ──── ... ──── the server

The caller's namespace keeps its devices, addresses and routes as they are; what is made on its device goes with the
keeper.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_interface

from pathgauge.errors import InternalError, MissingPrivilege, UserError
from pathgauge.paths import messages
from pathgauge.paths.addresses import Address, Family, Subnet
from pathgauge.paths.netlink import in_namespace
from pathgauge.paths.registry import Placement, Space, kinds
from pathgauge.paths.rtnetlink import LinkFacts
from pathgauge.paths.spaces import LabSpace
from pathgauge.paths.topology import HOST, SERVER, Topology, by_family, device_of
from pathgauge.paths.types import Attachment, PathSpec

_ELSEWHERE = "this kind of path was not made to be built on a device of the caller's"


@dataclass(frozen=True, slots=True)
class KeptSpace(LabSpace):
    """The caller's own namespace, in which nothing is configured."""

    def configure(self, device: str, addresses: Sequence[Address] = ()) -> None:
        """Only notes what is there."""
        self.devices[device] = {each.family: each.text for each in addresses}


class AttachedTopology(Topology):
    """What was built on the caller's device so far."""

    def __init__(self, attachment: Attachment, *, rootless: bool) -> None:
        super().__init__()
        if rootless:
            raise MissingPrivilege(
                f"an ordinary user cannot make devices on {attachment.device}", hint="run pathgauge as root"
            )
        self.attachment = attachment

    def build_attached(self, specs: Sequence[PathSpec]) -> tuple[messages.Placed, ...]:
        """Build every path. Raises UserError and MachineError."""
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        host = self.spaces[HOST] = KeptSpace.existing(HOST, namespace)
        self.reserved = {spec.name for spec in specs}
        device = self.attachment.device
        own = in_namespace(namespace, lambda links: links.addresses(device))
        host.configure(device, own)
        placements = [(spec, kinds()[spec.kind].build(AttachedSite(self, spec.name, own), spec)) for spec in specs]
        facts = {space.name: space.examine() for space in self.spaces.values()}
        return tuple(self._describe_attached(spec, placement, facts) for spec, placement in placements)

    def wire_facts(self) -> messages.WireFacts:
        """What is known of the way to the server: that it is none of ours."""
        return {"rate": None, "device": self.attachment.device, "server": self.attachment.server}

    def _describe_attached(
        self, spec: PathSpec, placement: Placement, facts: dict[str, dict[str, LinkFacts]]
    ) -> messages.Placed:
        lower = (HOST, self.attachment.device)
        own = (placement.space.name, placement.device)
        through = [device_of(*own, "own", facts)]
        if own != lower:
            through.append(device_of(*lower, "lower", facts))
        return messages.Placed(
            spec=spec,
            wire=self.attachment.device,
            rate=None,
            client=placement.space.name,
            server=SERVER,
            client_addresses=by_family(placement.addresses),
            server_addresses={self.attachment.family: self.attachment.server},
            reached_addresses={self.attachment.family: self.attachment.server},
            seen_addresses=by_family(placement.addresses),
            devices=tuple(through),
            mtu=min(each.mtu for each in through),
        )


@dataclass(frozen=True, slots=True)
class AttachedSite:
    """See registry.Site."""

    topology: AttachedTopology
    path: str
    own: tuple[Address, ...]

    @property
    def host(self) -> LabSpace:
        return self.topology.spaces[HOST]

    @property
    def near(self) -> LabSpace:
        return self.host

    @property
    def server(self) -> LabSpace:
        raise InternalError(_ELSEWHERE)

    @property
    def lower(self) -> str:
        return self.topology.attachment.device

    @property
    def first(self) -> bool:
        return True

    @property
    def far(self) -> str:
        raise InternalError(_ELSEWHERE)

    def new_name(self, prefix: str) -> str:
        """Unused: what is made on the caller's device lies in namespaces of its own."""
        del prefix
        raise InternalError(_ELSEWHERE)

    def new_subnet(self) -> Subnet:
        """Unused: the network is the caller's."""
        raise InternalError(_ELSEWHERE)

    def far_addresses(self) -> tuple[Address, ...]:
        """Unused: only the server's one address is known."""
        raise InternalError(_ELSEWHERE)

    def shape(self, space: Space, device: str) -> None:
        """Unused: the caller's device is as it is."""
        del space, device
        raise InternalError(_ELSEWHERE)

    def new_space(self) -> LabSpace:
        """A namespace named after the path."""
        return self.topology.new_space(self.topology.free_name(self.path))

    def host_addresses(self) -> tuple[Address, ...]:
        """The first address of the server's family that the device has. Raises UserError where it has none."""
        family = self.topology.attachment.family
        found = [each for each in self.own if each.family == family]
        if not found:
            raise UserError(
                f"{self.lower} has no {family} address, and {self.topology.attachment.server} is one",
                hint="name the device that leads to the server: --device",
            )
        return (found[0],)

    def new_addresses(self) -> tuple[Address, ...]:
        """The address that the user gave this path. Raises UserError where there is none."""
        text = self.topology.attachment.addresses.get(self.path) or self.topology.attachment.addresses.get("")
        if text is None:
            raise UserError(
                f"the path {self.path} needs an address of its own on {self.lower}",
                hint=f"--address {self.path}=ADDRESS/PREFIX, one that nobody else has",
            )
        interface = ip_interface(text)
        family: Family = self.topology.attachment.family
        return (Address(family, str(interface.ip), interface.network.prefixlen),)
