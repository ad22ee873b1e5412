"""WireGuard devices get their keys and their peers over generic netlink.

Keys are made for one lab and written down nowhere: the private one is random bytes, of which the kernel works out the
public one.
"""

import os
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pyroute2.netlink.generic.wireguard import WireGuard  # type: ignore[import-untyped]  # it has no types

from pathgauge.paths.namespaces import inside
from pathgauge.paths.netlink import explained

T = TypeVar("T")

_KEY_BYTES = 32


def give_key(namespace: int, device: str, port: int) -> str:
    """Give a device of the network namespace a new key, and a UDP port to listen at; its public key in base64.

    Raises MissingFeature or MissingPrivilege.
    """
    key = b64encode(os.urandom(_KEY_BYTES))

    def ask(socket: Any) -> str:
        socket.set(device, private_key=key, listen_port=port)
        return str(socket.info(device)[0].get_attr("WGDEVICE_A_PUBLIC_KEY").decode("ascii"))

    return _asked(namespace, ask)


def add_peer(namespace: int, device: str, key: str, endpoint: tuple[str, int], networks: Sequence[str]) -> None:
    """Let a device exchange packets of these networks (in CIDR) with the one that has the public key, at its address
    and UDP port. Raises as give_key.
    """
    peer = {
        "public_key": key,
        "endpoint_addr": endpoint[0],
        "endpoint_port": endpoint[1],
        "allowed_ips": list(networks),
    }
    _asked(namespace, lambda socket: socket.set(device, peer=peer))


def _asked(namespace: int, ask: Callable[[Any], T]) -> T:
    """Ask by a socket that is opened, used and closed in one thread inside the namespace."""

    def body() -> T:
        with explained("wireguard"), WireGuard() as socket:
            return ask(socket)

    return inside(namespace, body)
