"""The kind `vlan`: a container with a tagged device on the wire's lower device, and its twin at the server.

[ NAME: vl0 ]
      │ vlan
[ host: h0 ] ──wire── [ server: s0 ── vls0 ]
"""

from pathgauge.paths.kinds.tunnel import new_id, tunnel
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register("vlan", summary="a container with a VLAN device on the lower device", link_kind="vlan")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make both ends with the same tag."""
    del spec  # it has no options
    tag = {"vlan_id": new_id(site)}
    return tunnel(site, "vlan", "vl", tag, tag, on_wire=True)
