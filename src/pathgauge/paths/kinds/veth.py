"""The kind `veth`: a pair straight from a container to the server, with nothing between.

    [ NAME: h1 ] ──wire── [ server: s1 ]

The pair is the path's wire, shaped like the others. Unlike the kind `moved`, its end was never anywhere else.
"""

from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register("veth", summary="a pair from a container straight to the server", direct=True, alone=lambda _options: True)
def build(site: Site, spec: PathSpec) -> Placement:
    """Give the wire's near end its address, in the namespace that it was made in."""
    del spec  # it has no options
    addresses = site.host_addresses()
    site.near.configure(site.lower, addresses)
    return Placement(site.near, site.lower, addresses)
