"""The kind `vxlan`: a container on an overlay network, its frames in UDP packets between the wire's two ends.

    [ NAME: vx0 ]
          │ vxlan
    [ host: h0 ] ──wire── [ server: s0 ── vxs0 ]

Both ends know each other; nothing is flooded.
"""

from pathgauge.paths.kinds.tunnel import new_id, outer, tunnel
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec

_PORT = 4789


@register("vxlan", summary="a container on a VXLAN overlay", link_kind="vxlan")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make both ends of the overlay."""
    del spec  # it has no options
    near, far = outer(site)
    common = {"vxlan_id": new_id(site), "vxlan_port": _PORT}
    here = common | {"vxlan_local": near, "vxlan_group": far}
    there = common | {"vxlan_local": far, "vxlan_group": near}
    return tunnel(site, "vxlan", "vx", here, there, on_wire=True)
