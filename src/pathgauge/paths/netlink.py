"""All that pathgauge does over netlink and ethtool: typed wrappers, and the one module that imports pyroute2.

pyroute2 across threads was seen to act on the wrong namespace, so a socket is opened, used and closed inside one thread
that entered the namespace: see `in_namespace`.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

_GLOBAL = 0  # RT_SCOPE_UNIVERSE
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
    "tbf": "CONFIG_NET_SCH_TBF",
}
_MODULES = {"tbf": "sch_tbf"}


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

    def add_veth(self, name: str, peer: str, *, into: int) -> None:
        """A pair of devices, the peer in the network namespace `into` (a descriptor)."""
        with _explained("veth"):
            self._route.link("add", ifname=name, kind="veth", peer={"ifname": peer, "net_ns_fd": into})

    def add_macvlan(self, name: str, *, lower: str, mode: str, into: int) -> None:
        """A macvlan device on `lower`, in the network namespace `into` (a descriptor)."""
        with _explained("macvlan"):
            link = self._index(lower)
            self._route.link("add", ifname=name, kind="macvlan", link=link, macvlan_mode=mode, net_ns_fd=into)

    def bring_up(self, name: str) -> None:
        """Set a device up."""
        with _explained(name):
            self._route.link("set", index=self._index(name), state="up")

    def add_addresses(self, name: str, addresses: Sequence[Address]) -> None:
        """Give a device addresses, usable at once."""
        with _explained(name):
            for each in addresses:
                flags = {"flags": _NO_DAD} if each.family == "ipv6" else {}
                self._route.addr("add", index=self._index(name), address=each.text, prefixlen=each.prefix, **flags)

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The addresses of a device that other machines may know. Raises UserError where there is no such device."""
        if len(self._route.link_lookup(ifname=name)) != 1:
            known = ", ".join(link.get_attr("IFLA_IFNAME") for link in self._route.get_links())
            raise UserError(f"this machine has no device {name!r}", hint=f"it has: {known}")
        with _explained(name):
            found = [each for each in self._route.get_addr(index=self._index(name)) if each["scope"] == _GLOBAL]
        families: dict[int, Family] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
        return tuple(
            Address(families[each["family"]], each.get_attr("IFA_ADDRESS"), each["prefixlen"]) for each in found
        )

    def shape(self, name: str, shaping: Shaping) -> None:
        """Put a token bucket at the root of a device."""
        with _explained("tbf"):
            self._route.tc("add", "tbf", self._index(name), rate=shaping.rate, burst=shaping.burst, limit=shaping.limit)

    def facts(self, name: str) -> LinkFacts:
        """What the kernel says of a device."""
        with _explained(name):
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
def _explained(subject: str) -> Iterator[None]:
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
