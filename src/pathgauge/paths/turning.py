"""Turning one thing of a namespace, and turning it back: sysctls, offloads, a device's limits, its shaper, nft tables.

A turn says what to change by names that stay true whoever carries it out; `turn` does it in a thread inside the
namespace and returns the turn that undoes it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pathgauge.errors import InternalError, MachineError, MissingPrivilege, UserError
from pathgauge.paths import steering
from pathgauge.paths.namespaces import inside
from pathgauge.paths.netlink import LINK_LIMITS, in_namespace
from pathgauge.paths.rules import set_dormant

What = Literal["sysctl", "offload", "limit", "shaper", "table", "steering"]

_SYSCTL = re.compile(r"net(/[A-Za-z0-9_.:-]+)+\Z")
# Of the whole machine, whichever namespace they are written in.
GLOBAL_SYSCTLS = frozenset(
    {"net/ipv4/tcp_mem", "net/ipv4/udp_mem", "net/core/netdev_max_backlog", "net/core/netdev_budget"}
)


@dataclass(frozen=True, slots=True)
class Turn:
    """In the namespace named `space`: `what` and `target` say what is turned, `value` to which text.

    sysctl    a file below /proc/sys/net, with slashes
    offload   DEVICE tso|gso|gro|tx|sg          on or off
    limit     DEVICE mtu|gso_max_size|gso_max_segs|txqlen   a number
    shaper    DEVICE limit|burst|rate of its tbf            bytes, or bytes a second; parms: all of it
    table     FAMILY TABLE of nftables          active or dormant
    steering  DEVICE                            the CPUs of its first receive queue, as a mask in hex
    """

    space: str
    what: What
    target: str
    value: str

    @property
    def words(self) -> str:
        """As a person would say it."""
        name = self.target.replace("/", ".") if self.what == "sysctl" else self.target
        return f"{name} = {self.value}"

    @property
    def command(self) -> str:
        """What to type to do the same by hand."""
        device, _, key = self.target.partition(" ")
        return {
            "sysctl": f"sysctl -w {self.target.replace('/', '.')}={self.value}",
            "offload": f"ethtool -K {device} {key} {self.value}",
            "limit": f"ip link set {device} {'txqueuelen' if key == 'txqlen' else key} {self.value}",
            "shaper": f"tc qdisc change dev {device} root tbf ... {key} {self.value}",
            "table": f"nft add table {self.target} '{{ flags dormant; }}'"
            if self.value == "dormant"
            else f"nft add table {self.target}",
            "steering": f"echo {self.value} > /sys/class/net/{device}/queues/rx-0/rps_cpus",
        }[self.what]

    @property
    def is_global(self) -> bool:
        """Whether it changes more than the namespace."""
        return self.what == "sysctl" and self.target in GLOBAL_SYSCTLS


def turn(namespace: int, wanted: Turn, *, only_look: bool = False) -> Turn:
    """Do it in a namespace (a descriptor), or `only_look` at how it stands; the turn that undoes it. Raises UserError
    where it cannot be turned there, MachineError where the kernel refuses.
    """
    device, _, key = wanted.target.partition(" ")
    number = None if only_look or not wanted.value.isdigit() else int(wanted.value)
    if wanted.what == "sysctl":
        before = inside(namespace, lambda: _sysctl(wanted.target, None if only_look else wanted.value))
    elif wanted.what == "offload":
        on = None if only_look else wanted.value == "on"
        before = in_namespace(namespace, lambda links: links.switch(device, key, on))
    elif wanted.what == "limit":
        if key not in LINK_LIMITS:
            raise InternalError(f"a device has no limit {key}")
        before = str(in_namespace(namespace, lambda links: links.limit(device, key, number)))
    elif wanted.what == "shaper":
        shape = None if only_look else wanted.value
        before = in_namespace(namespace, lambda links: links.reshape(device, key, shape))
        return Turn(wanted.space, "shaper", f"{device} parms", before)
    elif wanted.what == "table":
        before = inside(namespace, lambda: set_dormant(wanted.target, None if only_look else wanted.value))
    else:
        before = inside(namespace, lambda: _steering(wanted.target, None if only_look else wanted.value))
    return Turn(wanted.space, wanted.what, wanted.target, before)


def _sysctl(name: str, value: str | None) -> str:
    if not _SYSCTL.match(name) or ".." in name:
        raise InternalError(f"{name} is no sysctl of the network")
    return _write(Path("/proc/sys", name), value, name.replace("/", "."))


def _steering(device: str, mask: str | None) -> str:
    steering.show()
    return steering.steer(device, mask)


def _write(file: Path, value: str | None, name: str) -> str:
    """Write a file, if there is something to be written; what was in it."""
    try:
        before = file.read_text(encoding="ascii").strip()
        if value is not None and before.split() != value.split():
            file.write_text(value, encoding="ascii")
    except FileNotFoundError:
        raise UserError(f"there is no {name} here", hint="this kernel or this namespace has none") from None
    except PermissionError:
        raise MissingPrivilege(f"{name} may not be written", hint="run pathgauge as root") from None
    except (OSError, ValueError) as error:
        raise MachineError(f"{name} cannot be set to {value}: {error}") from None
    return before
