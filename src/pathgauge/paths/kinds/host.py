"""The kind `host`: no container at all. The client's sockets are in the namespace of the wire's lower end.

    [ host: h0 ] ──wire── [ server: s0 ]

It is the baseline that the others are compared with. Asked for twice, both are the same device and address (A/A).
"""

from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register("host", summary="no container: straight from the lower device", attachable=True)
def build(site: Site, spec: PathSpec) -> Placement:
    """Give the wire's lower end its address."""
    del spec  # it has no options
    addresses = site.host_addresses()
    site.near.configure(site.lower, addresses)
    return Placement(site.near, site.lower, addresses)
