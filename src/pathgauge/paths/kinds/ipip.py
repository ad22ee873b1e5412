"""The kind `ipip`: a container behind a tunnel of IP in IP between the wire's two ends. It carries IPv4 alone.

    [ NAME: ii0 ]
          │ ipip
    [ host: h1 ] ──wire── [ server: s1 ── iis0 ]

Two tunnels between the same addresses cannot be told apart, so the path gets a wire of its own.
"""

from pathgauge.paths.kinds.tunnel import outer, tunnel
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec


@register(
    "ipip",
    summary="a container behind an IP-in-IP tunnel (IPv4)",
    link_kind="ipip",
    needs_own_wire=lambda _options: True,
    alone=lambda _options: True,
)
def build(site: Site, spec: PathSpec) -> Placement:
    """Make both ends of the tunnel."""
    del spec  # it has no options
    near, far = outer(site)
    here = {"ipip_local": near, "ipip_remote": far}
    return tunnel(site, "ipip", "ii", here, {"ipip_local": far, "ipip_remote": near}, moved=True, ipv6=False)
