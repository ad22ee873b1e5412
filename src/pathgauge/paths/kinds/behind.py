"""What the kinds `routed`, `nat` and `published` share: a container whose way out is the host's namespace."""

from pathgauge.paths.addresses import Subnet
from pathgauge.paths.registry import Placement, Site

_DEVICE = "eth0"
_ROUTER, _CONTAINER = 1, 2  # in their network


def behind_router(site: Site, subnet: Subnet, pair: str = "veth", prefix: str = "vr") -> Placement:
    """A container on a network of its own, behind a `pair` to the host's namespace, which forwards to the wire."""
    space, host = site.new_space(), site.host
    port = site.new_name(prefix)
    host.add_pair(pair, port, _DEVICE, into=space)
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
