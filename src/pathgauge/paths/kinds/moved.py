"""The kind `moved`: the lower device itself, given to a container.

    [ NAME: h1 ] ──wire── [ server: s1 ]

Nobody else can use the device then, so the path gets a wire of its own. A device that changes its namespace loses what
shapes it: it is shaped anew.
"""

from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "moved",
    summary="the lower device itself in a container",
    needs_own_wire=lambda _options: True,
    alone=lambda _options: True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Give the wire's near end to the path's own namespace."""
    del spec  # it has no options
    space = site.new_space()
    site.near.move(site.lower, into=space)
    site.shape(space, site.lower)
    addresses = site.host_addresses()
    space.configure(site.lower, addresses)
    return Placement(space, site.lower, addresses, through=())
