"""The kind `loopback`: client and server in one namespace, over its loopback device. No container and no wire.

    [ NAME: lo ]

It is a yardstick: what this machine's sockets and its TCP do when there is next to nothing between them. Its MTU is
65536 bytes and its offloads never end at a device, so it tells little of what a network path could reach;
`loopback:mtu=1500` comes nearer. It has no wire that could be shaped: with a `--wire` it is refused. Each such path has
a namespace and a loopback device of its own.
"""

from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec

_DEVICE = "lo"
_ADDRESSES: dict[Family, Address] = {"ipv4": Address("ipv4", "127.0.0.1", 8), "ipv6": Address("ipv6", "::1", 128)}


@register("loopback", summary="no wire: both ends in one namespace, as a yardstick", wired=False)
def build(site: Site, spec: PathSpec) -> Placement:
    """Use the loopback device that a namespace has; it has its addresses already."""
    del spec  # it has no options
    space = site.new_space()
    space.configure(_DEVICE)
    addresses = tuple(_ADDRESSES[each.family] for each in site.host_addresses())
    return Placement(space, _DEVICE, addresses, through=(), server=addresses)
