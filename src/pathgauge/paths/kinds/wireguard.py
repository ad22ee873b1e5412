"""The kind `wireguard`: a container behind an encrypted tunnel between the wire's two ends.

    [ NAME: wg0 ]
          │ wireguard
    [ host: h0 ] ──wire── [ server: s0 ── wgs0 ]

Each end knows the other's key and address. The outer packets are UDP over IPv4 and leave from the host's namespace,
where the device was made. Encryption is the kernel's, spread over all CPUs. The MTU is 1420 bytes whatever the wire's
is, as WireGuard leaves it; `wireguard:mtu=8920` changes both.
"""

from pathgauge.paths.kinds.tunnel import new_id, outer, tunnel
from pathgauge.paths.registry import Placement, Site, register
from pathgauge.paths.types import PathSpec

_FIRST_PORT = 20_000  # below those that the kernel gives to sockets which ask for any


@register("wireguard", summary="a container behind a WireGuard tunnel", link_kind="wireguard")
def build(site: Site, spec: PathSpec) -> Placement:
    """Make both ends, give each a key, and tell it to the other."""
    del spec  # it has no options
    near, far = outer(site)
    port = _FIRST_PORT + new_id(site)
    placed = tunnel(site, "wireguard", "wg", {}, {})
    ((server, peer),) = placed.beyond
    ours = placed.space.give_key(placed.device, port)
    theirs = server.give_key(peer, port)
    networks = [each.network for each in placed.addresses]
    placed.space.add_peer(placed.device, theirs, (far, port), networks)
    server.add_peer(peer, ours, (near, port), networks)
    return placed
