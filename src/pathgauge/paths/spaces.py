"""A network namespace of a lab that is being built: what the kinds of path do to it."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pathgauge.errors import MachineError
from pathgauge.paths import relay, rtnetlink
from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.namespaces import enter_new_network_namespace, in_thread, inside
from pathgauge.paths.refusals import explained
from pathgauge.paths.registry import NONE, Settings, Space
from pathgauge.paths.rtnetlink import LinkFacts, RouteSocket
from pathgauge.paths.rules import load

if TYPE_CHECKING:
    from pathgauge.paths.openvswitch import Switch

UP_SECONDS = 5.0
_SHORT = 64

# What a namespace is told before it has devices. A namespace that cannot be told (a read-only /proc/sys) does without.
_SYSCTLS_OF_ALL = {
    "net/ipv4/tcp_no_metrics_save": "1",  # no connection inherits what an earlier one learnt
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
}
# The kernel finds a file of /proc/sys/net by walking through those of all namespaces, so that a thousand of them spend
# most of their time here. Copies are kept quiet in another way: their devices have no link-local address.
_SYSCTLS = _SYSCTLS_OF_ALL | {
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/autoconf": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
_FORWARDING = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


@dataclass(frozen=True, slots=True)
class LabSpace:
    """See registry.Space; with a descriptor of the namespace, one of its device counters, and a routing socket.

    `told` are the sysctls that had to be changed in it; `quiet` says that its devices get no link-local address;
    `switches` are its bridges of Open vSwitch.
    """

    name: str
    namespace: int
    counters: int
    routes: RouteSocket
    devices: dict[str, dict[Family, str]] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    quiet: bool = False
    switches: dict[str, "Switch"] = field(default_factory=dict)

    @classmethod
    def existing(cls, name: str, namespace: int) -> Self:
        """The namespace behind a descriptor, as it is."""
        counters = inside(namespace, _open_counters)
        return cls(name, namespace, counters, RouteSocket(namespace))

    def add(self, kind: str, name: str, *, into: Space, lower: str | None = None, settings: Settings = NONE) -> None:
        """See registry.Space."""
        if kind == "openvswitch":
            from pathgauge.paths.openvswitch import Switch

            self.switches[name] = Switch.start(name, self.namespace)
            return
        target = _own(into).namespace
        given = dict(settings)
        with explained(kind):
            on = None if lower is None else self.routes.number(lower)
            if kind == "vxlan" and on is not None:  # it names its lower device among its settings
                given, on = given | {"vxlan_link": on}, None
            self.routes.ask(rtnetlink.new_link(kind, name, into=target, lower=on, settings=given))

    def add_pair(self, kind: str, name: str, peer: str, *, into: Space) -> None:
        """See registry.Space."""
        with explained(kind):
            self.routes.ask(rtnetlink.new_pair(kind, name, peer, into=_own(into).namespace))

    def relay(self, name: str, peer: str, *, into: Space, offload: bool) -> None:
        """See registry.Space."""
        relay.connect((self.namespace, name), (_own(into).namespace, peer), offload=offload)

    def delay(self, name: str, peer: str, *, into: Space, seconds: float, jitter: float) -> None:
        """A pair of taps with a relay between them, which hands on what it takes so much later."""
        relay.delay((self.namespace, name), (_own(into).namespace, peer), seconds, jitter)

    def move(self, device: str, *, into: Space) -> None:
        """See registry.Space."""
        with explained(device):
            self.routes.ask(rtnetlink.moved(self.routes.number(device), _own(into).namespace))
        self.routes.forget(device)
        self.devices.pop(device, None)

    def join(self, device: str, bridge: str) -> None:
        """See registry.Space."""
        if bridge in self.switches:
            self.switches[bridge].join(device)
            return
        with explained(device):
            self.routes.ask(rtnetlink.joined(self.routes.number(device), self.routes.number(bridge)))

    def configure(self, device: str, addresses: Sequence[Address] = ()) -> None:
        """See registry.Space. The same addresses asked for again are there already."""
        wanted: dict[Family, str] = {each.family: each.text for each in addresses}
        if self.devices.get(device) == wanted:
            return
        with explained(device):
            number = self.routes.number(device)
            quiet = [rtnetlink.without_link_local(number)] if self.quiet else []
            given = [rtnetlink.new_address(number, each) for each in addresses]
            self.routes.ask(*quiet, rtnetlink.bring_up(number), *given)
        self.devices[device] = wanted

    def hardware_address(self, device: str) -> str:
        """See registry.Space."""
        with explained(device):
            return self.routes.hardware_address(device)

    def change(self, device: str, changes: Mapping[str, int]) -> None:
        """See registry.Space."""
        from pathgauge.paths.netlink import in_namespace

        in_namespace(self.namespace, lambda links: links.change(device, changes))

    def route(self, networks: Sequence[Address], gateways: Sequence[Address]) -> None:
        """See registry.Space."""
        by_family = {each.family: each.text for each in gateways}
        with explained("a route"):
            self.routes.ask(*(rtnetlink.new_route(each.network, by_family[each.family]) for each in networks))

    def forward(self) -> None:
        """See registry.Space. Raises MachineError where /proc/sys cannot be written."""
        inside(self.namespace, _forward)

    def translate(self, rules: str) -> None:
        """See registry.Space. Raises MissingFeature where there is no nft, MachineError where it refuses."""
        inside(self.namespace, lambda: load(rules))

    def give_key(self, device: str, port: int) -> str:
        """See registry.Space."""
        from pathgauge.paths import wireguard

        return wireguard.give_key(self.namespace, device, port)

    def add_peer(self, device: str, key: str, endpoint: tuple[str, int], networks: Sequence[str]) -> None:
        """See registry.Space."""
        from pathgauge.paths import wireguard

        wireguard.add_peer(self.namespace, device, key, endpoint, networks)

    def examine(self) -> dict[str, LinkFacts]:
        """What the kernel says of its devices, once they carry packets."""
        deadline = time.monotonic() + UP_SECONDS
        return {device: self._operational(device, deadline) for device in self.devices}

    def facts(self, device: str) -> LinkFacts:
        """What the kernel says of a device."""
        with explained(device):
            return self.routes.facts(device)

    def _operational(self, device: str, deadline: float) -> LinkFacts:
        while not (facts := self.facts(device)).operational:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"the device {device} of the lab did not come up in {UP_SECONDS:.0f} s", hint="run it again"
                )
            time.sleep(0.001)
        return facts


def new_space(name: str, more: Mapping[str, str] = {}) -> LabSpace:
    """A new namespace, told how to behave and `more` sysctls, its loopback up. Raises MissingPrivilege or
    MissingFeature.
    """
    return in_thread(lambda: _made(name, {**_SYSCTLS, **more}, quiet=False))


def new_copy(name: str, first: LabSpace, more: Mapping[str, str], *, ipv6: bool) -> LabSpace:
    """One of many namespaces like `first`, in which this thread is left."""
    sysctls = {key: value for key, value in _SYSCTLS_OF_ALL.items() if key in first.told}
    return _made(name, {**sysctls, **more}, quiet=ipv6)


def tell(space: LabSpace, sysctls: Mapping[str, str]) -> None:
    """Set what can be set of these in a namespace that stands."""

    def every() -> None:
        for key, value in sysctls.items():
            _tell(key, value)

    inside(space.namespace, every)


def read_sysctl(space: LabSpace, name: str) -> str | None:
    """A namespace's own value of a sysctl; None where it cannot be read."""

    def read() -> str | None:
        with suppress(OSError):
            return Path("/proc/sys", name).read_text(encoding="ascii").strip()
        return None

    return inside(space.namespace, read)


def forwards(space: LabSpace, family: Family) -> bool:
    """Whether a namespace passes on what is not for itself."""
    return read_sysctl(space, _FORWARDING[family]) == "1"


def _own(space: Space) -> LabSpace:
    if not isinstance(space, LabSpace):
        raise TypeError("a device can only be moved into a namespace of the same lab")
    return space


def _made(name: str, sysctls: Mapping[str, str], *, quiet: bool) -> LabSpace:
    namespace = enter_new_network_namespace()
    routes = RouteSocket(namespace)
    routes.open_here()
    told = frozenset(key for key, value in sysctls.items() if _tell(key, value))
    routes.ask(rtnetlink.bring_up(rtnetlink.LOOPBACK))
    return LabSpace(name, namespace, _open_counters(), routes, told=told, quiet=quiet)


def _tell(name: str, value: str) -> bool:
    """Set a sysctl of the namespace this thread is in, and say whether that was needed."""
    with suppress(OSError):
        descriptor = os.open(f"/proc/sys/{name}", os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.read(descriptor, _SHORT).decode("ascii").strip() != value:
                os.pwrite(descriptor, value.encode("ascii"), 0)
                return True
        finally:
            os.close(descriptor)
    return False


def _open_counters() -> int:
    """In a thread inside a namespace: a descriptor of its device counters."""
    return os.open("/proc/thread-self/net/dev", os.O_RDONLY | os.O_CLOEXEC)


def _forward() -> None:
    for family, name in _FORWARDING.items():
        file = Path("/proc/sys", name)
        if family == "ipv6" and not file.exists():
            continue
        try:
            file.write_text("1", encoding="ascii")
        except OSError as error:
            raise MachineError(
                f"{family} forwarding cannot be switched on in the lab: {error.strerror}",
                hint="is /proc/sys mounted read-only? start the container with --privileged, or run outside of one",
            ) from None
