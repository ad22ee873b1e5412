"""What the kinds `bridge` and `openvswitch` share: a container behind veth, on one bridge with the wire."""

from pathgauge.paths.registry import Placement, Site

_DEVICE = "eth0"


def switched(site: Site, kind: str) -> Placement:
    """Make the pair, and once the bridge, of a kind, and join the pair's host end and the lower device."""
    space, host = site.new_space(), site.host
    port, bridge = site.new_name("vb"), f"br-{site.lower}"
    if site.first:
        host.add(kind, bridge, into=host)
        host.join(site.lower, bridge)
        host.configure(bridge)
        host.configure(site.lower)
    host.add_pair("veth", port, _DEVICE, into=space)
    host.join(port, bridge)
    host.configure(port)
    addresses = site.new_addresses()
    space.configure(_DEVICE, addresses)
    return Placement(space, _DEVICE, addresses, through=((host, port), (host, site.lower)))
