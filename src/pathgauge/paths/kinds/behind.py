"""What `routed`, `nat`, `published`, `netkit` and `tun` share: a container whose way out is the host's namespace."""

from collections.abc import Callable

from pathgauge.paths.addresses import Subnet
from pathgauge.paths.registry import Placement, Site, Space

Join = Callable[[Space, str, str, Space], None]

_DEVICE = "eth0"
_ROUTER, _CONTAINER = 1, 2  # in their network


def by_veth(host: Space, port: str, device: str, space: Space) -> None:
    """The commonest way to join a container to its host."""
    host.add_pair("veth", port, device, into=space)


def behind_router(site: Site, subnet: Subnet, join: Join = by_veth, prefix: str = "vr") -> Placement:
    """A container on a network of its own, joined to the host's namespace, which forwards to the wire. `join` makes the
    two devices, given the host, the device there, the device of the container, and that.
    """
    space, host = site.new_space(), site.host
    port = site.new_name(prefix)
    join(host, port, _DEVICE, space)
    host.configure(port, subnet.addresses(_ROUTER))
    if site.first:
        host.configure(site.lower, site.host_addresses())
        host.forward()
    addresses = subnet.addresses(_CONTAINER)
    space.configure(_DEVICE, addresses)
    space.route(site.far_addresses(), subnet.addresses(_ROUTER))
    return Placement(space, _DEVICE, addresses, through=((host, port), (host, site.lower)))


def table(name: str, chain: str, priority: str, rules: list[str]) -> str:
    """An nftables table with one chain of type nat, called like its hook."""
    body = "\n".join(rules)
    return f"table inet {name} {{\nchain {chain} {{\ntype nat hook {chain} priority {priority};\n{body}\n}}\n}}\n"
