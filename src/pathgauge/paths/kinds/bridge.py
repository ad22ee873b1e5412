"""The kind `bridge`: a container behind a veth pair, on one bridge with the wire's lower device.

    [ NAME: eth0 ]
          │ veth
    [ host: vb0 ── br0 ── h1 ] ──wire── [ server: s1 ]

The bridge claims the lower device, so the path gets a wire of its own. Copies are further ports of the same bridge.
"""

from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec

_DEVICE = "eth0"


@register(
    "bridge",
    summary="a container behind veth and a bridge",
    link_kind="bridge",
    needs_own_wire=lambda _options: True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the pair and the bridge, and join the pair's host end and the lower device."""
    del spec  # it has no options
    space, host = site.new_space(), site.host
    port, bridge = site.new_name("vb"), f"br-{site.lower}"
    if site.first:
        host.add("bridge", bridge, into=host)
        host.join(site.lower, bridge)
        host.configure(bridge)
        host.configure(site.lower)
    host.add_pair("veth", port, _DEVICE, into=space)
    host.join(port, bridge)
    host.configure(port)
    addresses = site.new_addresses()
    space.configure(_DEVICE, addresses)
    return Placement(space, _DEVICE, addresses, through=((host, port), (host, site.lower)))
