"""What netlink tells of a namespace that is none of ours: devices, addresses, routes, neighbours. Nothing is changed.

Like `netlink.Links`, one is opened, used and closed inside one thread that entered the namespace: see `seen_from`.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from pyroute2.iproute.linux import IPRoute  # type: ignore[import-untyped]  # it has no types
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]  # it has no types

from pathgauge.paths.addresses import Address
from pathgauge.paths.namespaces import inside
from pathgauge.paths.netlink import explained, own_addresses, text_of

T = TypeVar("T")

_LOCAL = 2  # RTN_LOCAL
_PERMANENT = 0x80  # NUD_PERMANENT: of a bridge's table, an address of its own


@dataclass(frozen=True, slots=True)
class Sighting:
    """A device: its kind ("" for a real one), the bridge it is a port of, and what it stands on or is paired with.

    `other` is that one's index in the namespace with the id `namespace` here (None: this one), 0 where there is none.
    `remote` is where a tunnel leads.
    """

    index: int
    name: str
    kind: str
    bridge: str
    other: int
    namespace: int | None
    remote: str


@dataclass(frozen=True, slots=True)
class Route:
    """How an address is reached: by which device, from which own address, by which gateway ("": none).

    `local` is whether the address is the namespace's own.
    """

    device: str
    source: str
    gateway: str
    local: bool


@dataclass(frozen=True, slots=True)
class Port:
    """Where a bridge sends a frame: out of a port, or, where it is for the bridge itself, up ("")."""

    name: str


class Sight:
    """The namespace this thread is in; a context manager. Raises MachineError, saying what mends it."""

    def __init__(self) -> None:
        self._route: Any = IPRoute()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._route.close()

    def device(self, name: str) -> Sighting | None:
        """A device by its name; None where there is none, or no longer."""
        found = self._route.link_lookup(ifname=name)
        return self.device_at(int(found[0])) if found else None

    def device_at(self, index: int) -> Sighting | None:
        """A device by its number; None where there is none, or no longer."""
        try:
            links = self._route.get_links(index)
        except NetlinkError:
            return None
        if not links:
            return None
        link = links[0]
        kind, data = _kind_of(link)
        other, namespace = link.get_attr("IFLA_LINK") or 0, link.get_attr("IFLA_LINK_NETNSID")
        if namespace is None and other == link["index"]:
            other = 0
        return Sighting(
            index=link["index"],
            name=str(link.get_attr("IFLA_IFNAME")),
            kind=kind,
            bridge=self._bridge(link.get_attr("IFLA_MASTER")),
            other=other,
            namespace=namespace,
            remote=_remote(data),
        )

    def addresses(self, *, inner: bool = False) -> tuple[Address, ...]:
        """The addresses of the namespace that others may know, in the order of its devices; `inner` ones, too."""
        with explained("addresses"):
            return own_addresses(self._route.get_addr(), inner=inner)

    def device_with(self, address: str) -> str:
        """The device that has an address, "" where none has."""
        with explained("addresses"):
            found = [each["index"] for each in self._route.get_addr() if text_of(each) == address]
        return self._name(found[0]) if found else ""

    def route(self, address: str, *, source: str = "", arriving: str = "") -> Route | None:
        """How an address is reached, with `arriving` that of a packet that came in there; None where it is not."""
        asked: dict[str, object] = {"dst": address, "family": _family(address)}
        if arriving:
            (index,) = self._route.link_lookup(ifname=arriving) or (0,)
            asked |= {"iif": index, "src": source}
        try:
            (route,) = self._route.route("get", **asked)
        except NetlinkError:
            return None
        device = route.get_attr("RTA_OIF")
        if device is None:
            return None
        return Route(
            device=self._name(device),
            source=str(route.get_attr("RTA_PREFSRC") or ""),
            gateway=_gateway(route),
            local=route["type"] == _LOCAL,
        )

    def neighbour(self, address: str, device: str) -> str:
        """The link-layer address that belongs to an address beyond a device; "" where it is not known now."""
        (index,) = self._route.link_lookup(ifname=device) or (0,)
        try:
            found = self._route.neigh("get", dst=address, ifindex=index, family=_family(address))
        except NetlinkError:
            return ""
        return str(next(iter(found)).get_attr("NDA_LLADDR") or "")

    def port(self, bridge: str, frame_to: str) -> Port | None:
        """Where a bridge sends a frame to a link-layer address; None where it has not learnt that."""
        (index,) = self._route.link_lookup(ifname=bridge) or (0,)
        with explained(bridge):
            table = self._route.fdb("dump")
        for entry in table:
            if entry.get_attr("NDA_LLADDR") != frame_to or entry.get_attr("NDA_MASTER") != index:
                continue
            own = entry["state"] & _PERMANENT or entry["ifindex"] == index
            return Port("" if own else self._name(entry["ifindex"]))
        return None

    def ids(self, namespaces: Sequence[int]) -> list[int | None]:
        """The id by which this namespace knows each of others (descriptors); None where it knows it by none."""
        return [self._id(namespace) for namespace in namespaces]

    def _id(self, namespace: int) -> int | None:
        try:
            found = self._route.get_netnsid(fd=namespace)
        except NetlinkError:
            return None
        number = found.get("nsid") if isinstance(found, dict) else None
        return number if isinstance(number, int) and number >= 0 else None

    def _name(self, index: int) -> str:
        found = self.device_at(index)
        return found.name if found else ""

    def _bridge(self, index: int | None) -> str:
        """The name of a device's master, if that is a bridge."""
        if not index:
            return ""
        (master,) = self._route.get_links(index)
        return str(master.get_attr("IFLA_IFNAME")) if _kind_of(master)[0] == "bridge" else ""


def seen_from(namespace: int, work: Callable[[Sight], T]) -> T:
    """Run `work` in a network namespace (a descriptor), in a thread of its own that ends with it."""

    def body() -> T:
        with Sight() as sight:
            return work(sight)

    return inside(namespace, body)


def _family(address: str) -> int:
    return int(socket.AF_INET6 if ":" in address else socket.AF_INET)


def _kind_of(link: Any) -> tuple[str, Any]:
    """A device's kind and what is told of that kind."""
    info = link.get_attr("IFLA_LINKINFO")
    return (str(info.get_attr("IFLA_INFO_KIND") or ""), info.get_attr("IFLA_INFO_DATA")) if info else ("", None)


def _remote(data: Any) -> str:
    names = ("IFLA_VXLAN_GROUP", "IFLA_VXLAN_GROUP6", "IFLA_GENEVE_REMOTE", "IFLA_GRE_REMOTE", "IFLA_IPIP_REMOTE")
    found = [data.get_attr(name) for name in names] if hasattr(data, "get_attr") else []
    return next((str(each) for each in found if each), "")


def _gateway(route: Any) -> str:
    via = route.get_attr("RTA_VIA")
    return str(route.get_attr("RTA_GATEWAY") or (via.get("addr") if isinstance(via, dict) else "") or "")
