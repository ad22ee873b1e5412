"""The kind `netkit`: a container behind a netkit pair, with the host's namespace as its router.

    [ NAME: eth0 ]
          │ netkit, a network of its own
    [ host: nk0, ip_forward, h0 ] ──wire── [ server: s0 ]

netkit is made for programs (BPF) that forward at its ends; without one it passes packets as a veth pair does, but in
layer 3 and without a queue of its own at the other end.
"""

from pathgauge.paths.kinds.behind import behind_router
from pathgauge.paths.registry import Placement, Site, Space, register
from pathgauge.paths.types import PathSpec


@register("netkit", summary="a container behind netkit and a router", link_kind="netkit")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the container and tell the server how to reach it."""
    del spec  # it has no options
    placed = behind_router(site, site.new_subnet(), _by_netkit, prefix="nk")
    site.server.route(placed.addresses, site.host_addresses())
    return placed


def _by_netkit(host: Space, port: str, device: str, space: Space) -> None:
    host.add_pair("netkit", port, device, into=space)
