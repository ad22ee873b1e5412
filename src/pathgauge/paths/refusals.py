"""What the kernel's bare numbers mean: sentences that say what mends it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pathgauge.errors import MachineError, MissingFeature, MissingPrivilege

_FEATURES = {
    "veth": "CONFIG_VETH",
    "macvlan": "CONFIG_MACVLAN",
    "macvtap": "CONFIG_MACVTAP",
    "ipvlan": "CONFIG_IPVLAN",
    "bridge": "CONFIG_BRIDGE",
    "vlan": "CONFIG_VLAN_8021Q",
    "vxlan": "CONFIG_VXLAN",
    "geneve": "CONFIG_GENEVE",
    "gre": "CONFIG_NET_IPGRE",
    "ipip": "CONFIG_NET_IPIP",
    "wireguard": "CONFIG_WIREGUARD",
    "netkit": "CONFIG_NETKIT",
    "tbf": "CONFIG_NET_SCH_TBF",
    "htb": "CONFIG_NET_SCH_HTB",
    "netem": "CONFIG_NET_SCH_NETEM",
    "pfifo": "CONFIG_NET_SCH_FIFO",
    "bfifo": "CONFIG_NET_SCH_FIFO",
    "fq": "CONFIG_NET_SCH_FQ",
    "fq_codel": "CONFIG_NET_SCH_FQ_CODEL",
    "sfq": "CONFIG_NET_SCH_SFQ",
}
_MODULES = {
    **{kind: f"sch_{kind}" for kind in ("tbf", "htb", "netem", "fq", "fq_codel", "sfq")},
    "vlan": "8021q",
    "gre": "ip_gre",
}


class Refused(OSError):
    """The kernel's answer to a request over netlink, by its number."""


@contextmanager
def explained(subject: str) -> Iterator[None]:
    """Turn netlink's bare numbers into sentences. `subject` is a device kind, a queueing discipline or a device."""
    try:
        yield
    except Refused as error:
        code = error.errno
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
