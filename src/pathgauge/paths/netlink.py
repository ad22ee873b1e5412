"""All that pathgauge does over netlink and ethtool: typed wrappers. Only this and `sight.py` import pyroute2.

pyroute2 across threads was seen to act on the wrong namespace, so a socket is opened, used and closed inside one thread
that entered the namespace: see `in_namespace`.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from pyroute2.ethtool.ioctl import IoctlEthtool  # type: ignore[import-untyped]  # it has no types
from pyroute2.iproute.linux import IPRoute  # type: ignore[import-untyped]  # it has no types
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]  # it has no types

from pathgauge.errors import InternalError, MachineError, MissingFeature, MissingPrivilege, UserError
from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.namespaces import inside
from pathgauge.paths.shaping import Shaping

T = TypeVar("T")

_GLOBAL, _HOST = 0, 254  # RT_SCOPE_UNIVERSE, RT_SCOPE_HOST
_FAMILIES: dict[int, Family] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
_NO_DAD = 0x02  # IFA_F_NODAD: the address is usable at once
_OFFLOADS = {
    "tx": "tx-checksumming",
    "sg": "scatter-gather",
    "tso": "tcp-segmentation-offload",
    "gso": "generic-segmentation-offload",
    "gro": "generic-receive-offload",
}
_FEATURES = {
    "veth": "CONFIG_VETH",
    "macvlan": "CONFIG_MACVLAN",
    "ipvlan": "CONFIG_IPVLAN",
    "bridge": "CONFIG_BRIDGE",
    "vlan": "CONFIG_VLAN_8021Q",
    "vxlan": "CONFIG_VXLAN",
    "geneve": "CONFIG_GENEVE",
    "gre": "CONFIG_NET_IPGRE",
    "ipip": "CONFIG_NET_IPIP",
    "netkit": "CONFIG_NETKIT",
    "tbf": "CONFIG_NET_SCH_TBF",
}
_MODULES = {"tbf": "sch_tbf", "vlan": "8021q", "gre": "ip_gre"}


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """A device as the kernel describes it; offloads by ethtool's short names, empty where the driver does not say."""

    kind: str
    mtu: int
    queue_discipline: str
    operational: bool
    offloads: dict[str, bool]


class Links:
    """The devices of the namespace this thread is in; a context manager. Raises MachineError, saying what mends it."""

    def __init__(self) -> None:
        self._route: Any = IPRoute()
        self._indices: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._route.close()

    def add(self, kind: str, name: str, *, into: int, lower: str | None, settings: Mapping[str, object]) -> None:
        """A device of a kind, in the network namespace `into` (a descriptor), on `lower` where the kind has such.

        `settings` are those of the kind by pyroute2's names.
        """
        with explained(kind):
            link = "vxlan_link" if kind == "vxlan" else "link"
            on = {} if lower is None else {link: self._index(lower)}
            self._route.link("add", ifname=name, kind=kind, net_ns_fd=into, **on, **settings)

    def add_pair(self, kind: str, name: str, peer: str, *, into: int) -> None:
        """A pair of devices, the peer in the network namespace `into` (a descriptor)."""
        with explained(kind):
            self._route.link("add", ifname=name, kind=kind, peer={"ifname": peer, "net_ns_fd": into})

    def move(self, name: str, into: int) -> None:
        """Give a device to the network namespace `into` (a descriptor). It comes there down and without addresses."""
        with explained(name):
            self._route.link("set", index=self._index(name), net_ns_fd=into)
        del self._indices[name]

    def change(self, name: str, changes: Mapping[str, int]) -> None:
        """Set a device's `mtu`, or its offloads. Raises UserError where the device does not let that be switched."""
        offloads = {short: value for short, value in changes.items() if short in _OFFLOADS}
        with explained(name):
            if "mtu" in changes:
                self._route.link("set", index=self._index(name), mtu=changes["mtu"])
        _switch(name, offloads)
        now = _offloads(name)
        stuck = [short for short, value in offloads.items() if now.get(short) is not bool(value)]
        if stuck:
            kind = self.facts(name).kind or "device"
            word = "on" if offloads[stuck[0]] else "off"
            raise UserError(
                f"{stuck[0]} of {name} cannot be switched {word}: a {kind} has it fixed",
                hint="ethtool -k, from inside (pathgauge lab exec), shows what is [fixed]; leave it out",
            )

    def join(self, name: str, bridge: str) -> None:
        """Make a device a port of a bridge."""
        with explained(name):
            self._route.link("set", index=self._index(name), master=self._index(bridge))

    def add_route(self, destination: str, gateway: str) -> None:
        """A route to a network (in CIDR) by way of an address."""
        with explained("a route"):
            self._route.route("add", dst=destination, gateway=gateway)

    def bring_up(self, name: str) -> None:
        """Set a device up."""
        with explained(name):
            self._route.link("set", index=self._index(name), state="up")

    def add_addresses(self, name: str, addresses: Sequence[Address]) -> None:
        """Give a device addresses, usable at once."""
        with explained(name):
            for each in addresses:
                flags = {"flags": _NO_DAD} if each.family == "ipv6" else {}
                self._route.addr("add", index=self._index(name), address=each.text, prefixlen=each.prefix, **flags)

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The addresses of a device that other machines may know. Raises UserError where there is no such device."""
        if len(self._route.link_lookup(ifname=name)) != 1:
            known = ", ".join(link.get_attr("IFLA_IFNAME") for link in self._route.get_links())
            raise UserError(f"this machine has no device {name!r}", hint=f"it has: {known}")
        with explained(name):
            return own_addresses(self._route.get_addr(index=self._index(name)))

    def shape(self, name: str, shaping: Shaping) -> None:
        """Put a token bucket at the root of a device."""
        with explained("tbf"):
            self._route.tc("add", "tbf", self._index(name), rate=shaping.rate, burst=shaping.burst, limit=shaping.limit)

    def facts(self, name: str) -> LinkFacts:
        """What the kernel says of a device."""
        with explained(name):
            (link,) = self._route.get_links(self._index(name))
        info = link.get_attr("IFLA_LINKINFO")
        return LinkFacts(
            kind=(info.get_attr("IFLA_INFO_KIND") if info else None) or "",
            mtu=link.get_attr("IFLA_MTU"),
            queue_discipline=link.get_attr("IFLA_QDISC") or "",
            operational=link.get_attr("IFLA_OPERSTATE") in ("UP", "UNKNOWN"),
            offloads=_offloads(name),
        )

    def wait_operational(self, names: Sequence[str], seconds: float) -> None:
        """Wait until devices that were brought up carry packets. Raises MachineError after `seconds`."""
        deadline = time.monotonic() + seconds
        for name in names:
            while not self.facts(name).operational:
                if time.monotonic() > deadline:
                    raise MachineError(
                        f"the device {name} of the lab did not come up in {seconds:.0f} s", hint="run it again"
                    )
                time.sleep(0.001)

    def _index(self, name: str) -> int:
        if name not in self._indices:
            found = self._route.link_lookup(ifname=name)
            if len(found) != 1:
                raise InternalError(f"the lab has no device {name} where there should be one")
            self._indices[name] = int(found[0])
        return self._indices[name]


def in_namespace(namespace: int, work: Callable[[Links], T]) -> T:
    """Run `work` on the devices of a network namespace (a descriptor), in a thread of its own that ends with it."""

    def body() -> T:
        with Links() as links:
            return work(links)

    return inside(namespace, body)


def _switch(name: str, offloads: Mapping[str, int]) -> None:
    """Ask for offloads; whether the driver did it is to be seen afterwards."""
    if not offloads:
        return
    ethtool: Any = IoctlEthtool(name)
    try:
        for short, value in offloads.items():
            with suppress(Exception):  # pyroute2 raises its own bare classes
                ethtool.set_offload_flag(_OFFLOADS[short], value)
    finally:
        ethtool.close()


def own_addresses(found: Iterable[Any], *, inner: bool = False) -> tuple[Address, ...]:
    """Of what netlink tells of addresses, those that others may know, with `inner` those of loopback, too."""
    wanted = (_GLOBAL, _HOST) if inner else (_GLOBAL,)
    return tuple(
        Address(_FAMILIES[each["family"]], text_of(each), each["prefixlen"])
        for each in found
        if each["scope"] in wanted
    )


def text_of(address: Any) -> str:
    """The local end's: of a point-to-point device IFA_ADDRESS is the other's."""
    return str(address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS"))


def _offloads(name: str) -> dict[str, bool]:
    ethtool: Any = IoctlEthtool(name)
    try:
        flags = ethtool.get_offload_flags()
    except Exception:  # noqa: BLE001 - pyroute2 raises its own bare classes; offloads that are not told are not known
        return {}
    finally:
        ethtool.close()
    return {short: flags[long] for short, long in _OFFLOADS.items() if long in flags}


@contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn netlink's bare numbers into sentences. `subject` is a device kind, a queueing discipline or a device."""
    try:
        yield
    except NetlinkError as error:
        code = int(error.code)
        if code in (errno.EPERM, errno.EACCES):
            raise MissingPrivilege(
                f"the kernel refused to set up {subject} ({error.args[-1]})",
                hint="run pathgauge as root; in a container, start it with --cap-add NET_ADMIN --cap-add SYS_ADMIN",
            ) from error
        if subject in _FEATURES and code in (errno.EOPNOTSUPP, errno.ENOENT):
            module = _MODULES.get(subject, subject)
            raise MissingFeature(
                f"this kernel has no {subject}",
                hint=f"sudo modprobe {module} (or a kernel with {_FEATURES[subject]})",
            ) from error
        raise MachineError(f"the kernel could not set up {subject}: {error.args[-1]} (error {code})") from error
