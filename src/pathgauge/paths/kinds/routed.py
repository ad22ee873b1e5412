"""The kind `routed`: a container behind a veth pair, with the host's namespace as its router.

    [ NAME: eth0 ]
          │ veth, a network of its own
    [ host: vr0, ip_forward, h0 ] ──wire── [ server: s0 ]

The server knows the way back.
"""

from pathgauge.paths.kinds.behind import behind_router
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register("routed", summary="a container behind veth and a router")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make the container and tell the server how to reach it."""
    del spec  # it has no options
    placed = behind_router(site, site.new_subnet())
    site.server.route(placed.addresses, site.host_addresses())
    return placed
