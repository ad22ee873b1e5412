"""A network namespace of a lab that is being built: what the kinds of path do to it."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pathgauge.errors import MachineError, MissingFeature
from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.namespaces import inside, new_network_namespace
from pathgauge.paths.netlink import LinkFacts, Links, in_namespace
from pathgauge.paths.registry import NONE, Settings, Space

UP_SECONDS = 5.0
_RULES_SECONDS = 10.0
_SYSTEM_FOLDERS = ":/usr/sbin:/sbin"  # an ordinary user's PATH may lack them

# What a namespace is told before it has devices. A namespace that cannot be told (a read-only /proc/sys) does without.
_SYSCTLS = {
    "net/ipv4/tcp_no_metrics_save": "1",  # no connection inherits what an earlier one learnt
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/autoconf": "0",
    "net/ipv6/conf/default/router_solicitations": "0",
}
_FORWARDING = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


@dataclass(frozen=True, slots=True)
class LabSpace:
    """See registry.Space; with a descriptor of the namespace and one of its device counters."""

    name: str
    namespace: int
    counters: int
    devices: dict[str, dict[Family, str]] = field(default_factory=dict)

    def add(self, kind: str, name: str, *, into: Space, lower: str | None = None, settings: Settings = NONE) -> None:
        """See registry.Space."""
        target = _own(into).namespace
        in_namespace(self.namespace, lambda links: links.add(kind, name, into=target, lower=lower, settings=settings))

    def add_pair(self, kind: str, name: str, peer: str, *, into: Space) -> None:
        """See registry.Space."""
        target = _own(into).namespace
        in_namespace(self.namespace, lambda links: links.add_pair(kind, name, peer, into=target))

    def move(self, device: str, *, into: Space) -> None:
        """See registry.Space."""
        target = _own(into).namespace
        in_namespace(self.namespace, lambda links: links.move(device, target))
        self.devices.pop(device, None)

    def join(self, device: str, bridge: str) -> None:
        """See registry.Space."""
        in_namespace(self.namespace, lambda links: links.join(device, bridge))

    def configure(self, device: str, addresses: Sequence[Address] = ()) -> None:
        """See registry.Space. The same addresses asked for again are there already."""
        wanted: dict[Family, str] = {each.family: each.text for each in addresses}
        if self.devices.get(device) == wanted:
            return

        def work(links: Links) -> None:
            links.bring_up(device)
            links.add_addresses(device, addresses)

        in_namespace(self.namespace, work)
        self.devices[device] = wanted

    def change(self, device: str, changes: Mapping[str, int]) -> None:
        """See registry.Space."""
        in_namespace(self.namespace, lambda links: links.change(device, changes))

    def route(self, networks: Sequence[Address], gateways: Sequence[Address]) -> None:
        """See registry.Space."""
        by_family = {each.family: each.text for each in gateways}

        def work(links: Links) -> None:
            for network in networks:
                links.add_route(network.network, by_family[network.family])

        in_namespace(self.namespace, work)

    def forward(self) -> None:
        """See registry.Space. Raises MachineError where /proc/sys cannot be written."""
        inside(self.namespace, _forward)

    def translate(self, rules: str) -> None:
        """See registry.Space. Raises MissingFeature where there is no nft, MachineError where it refuses."""
        inside(self.namespace, lambda: _load(rules))

    def examine(self) -> dict[str, LinkFacts]:
        """What the kernel says of its devices, once they carry packets."""

        def work(links: Links) -> dict[str, LinkFacts]:
            links.wait_operational(list(self.devices), UP_SECONDS)
            return {device: links.facts(device) for device in self.devices}

        return in_namespace(self.namespace, work)


def new_space(name: str) -> LabSpace:
    """A new namespace, told how to behave, its loopback up."""
    namespace = new_network_namespace()
    counters = inside(namespace, _prepare)
    in_namespace(namespace, lambda links: links.bring_up("lo"))
    return LabSpace(name, namespace, counters)


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


def _prepare() -> int:
    """In a thread inside a new namespace: set its sysctls, and return a descriptor of its device counters."""
    for name, value in _SYSCTLS.items():
        with suppress(OSError):
            Path("/proc/sys", name).write_text(value, encoding="ascii")
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


def _load(rules: str) -> None:
    """In a thread inside the namespace, which the command inherits."""
    program = shutil.which("nft", path=os.environ.get("PATH", "") + _SYSTEM_FOLDERS)
    if program is None:
        raise MissingFeature("this machine has no nft", hint="sudo apt install nftables")
    try:
        done = subprocess.run(
            [program, "-f", "-"], input=rules, capture_output=True, text=True, timeout=_RULES_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise MachineError("nft does not end", hint="run it again") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise MachineError(f"nft refuses the lab's rules: {said[0] if said else 'it does not say why'}")
