"""The kind `gre`: a container behind a GRE tunnel between the wire's two ends.

[ NAME: gr0 ]
      │ gre
[ host: h0 ] ──wire── [ server: s0 ── grs0 ]
"""

from pathgauge.paths.kinds.tunnel import new_id, outer, tunnel
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec

_KEY_PRESENT = 0x2000  # GRE_KEY


@register("gre", summary="a container behind a GRE tunnel", link_kind="gre")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make both ends of the tunnel; a key keeps several apart."""
    del spec  # it has no options
    near, far = outer(site)
    key = new_id(site)
    common = {
        "gre_ikey": key,
        "gre_okey": key,
        "gre_iflags": _KEY_PRESENT,
        "gre_oflags": _KEY_PRESENT,
    }
    here = common | {"gre_local": near, "gre_remote": far}
    return tunnel(site, "gre", "gr", here, common | {"gre_local": far, "gre_remote": near}, moved=True)
