"""The kind `geneve`: a container on an overlay network, its frames in GENEVE between the wire's two ends.

[ NAME: gv0 ]
      │ geneve
[ host: h0 ] ──wire── [ server: s0 ── gvs0 ]
"""

from pathgauge.paths.kinds.tunnel import new_id, outer, tunnel
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register("geneve", summary="a container on a GENEVE overlay", link_kind="geneve")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make both ends of the overlay."""
    del spec  # it has no options
    near, far = outer(site)
    number = new_id(site)
    here = {"geneve_id": number, "geneve_remote": far}
    return tunnel(site, "geneve", "gv", here, {"geneve_id": number, "geneve_remote": near})
