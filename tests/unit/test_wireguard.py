"""What WireGuard devices are told: keys that are nobody else's, and peers."""

import errno
from base64 import b64decode
from collections.abc import Callable
from typing import Any, Self

import pytest
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]  # it has no types
from pyroute2.netlink.generic.wireguard import wgmsg  # type: ignore[import-untyped]  # it has no types

from pathgauge.errors import MissingFeature, MissingPrivilege
from pathgauge.paths import wireguard

PUBLIC = "cHVibGljIGtleSBhcyBhIGtlcm5lbCB3b3VsZCBzYXk="


class Socket:
    """Stands in for the kernel's side of generic netlink."""

    def __init__(self, asked: list[dict[str, Any]], refusal: int) -> None:
        self.asked, self.refusal = asked, refusal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set(self, device: str, **what: Any) -> None:
        if self.refusal:
            raise NetlinkError(self.refusal)
        self.asked.append({"device": device, **what})

    def info(self, device: str) -> list[Any]:
        assert device == self.asked[-1]["device"]
        message = wgmsg()
        message["attrs"] = [("WGDEVICE_A_PUBLIC_KEY", PUBLIC.encode())]
        return [message]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[dict[str, Any]]]:
    """Puts a kernel there that refuses with a number, or notes what it is asked."""

    def put(refusal: int = 0) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []
        monkeypatch.setattr(wireguard, "WireGuard", lambda: Socket(asked, refusal))
        monkeypatch.setattr(wireguard, "inside", lambda _, work: work())
        return asked

    return put


def test_each_device_gets_a_key_of_its_own(kernel: Callable[[], list[dict[str, Any]]]) -> None:
    asked = kernel()
    assert [wireguard.give_key(3, device, 20100) for device in ("wg0", "wgs0")] == [PUBLIC, PUBLIC]
    assert [each["listen_port"] for each in asked] == [20100, 20100]
    keys = {b64decode(each["private_key"]) for each in asked}
    assert len(keys) == 2
    assert {len(key) for key in keys} == {32}


def test_a_peer_has_a_key_an_address_and_networks(kernel: Callable[[], list[dict[str, Any]]]) -> None:
    asked = kernel()
    wireguard.add_peer(3, "wg0", PUBLIC, ("198.18.0.1", 20100), ["198.18.16.0/20", "fd70:6761:7567:1::/64"])
    peer = {
        "public_key": PUBLIC,
        "endpoint_addr": "198.18.0.1",
        "endpoint_port": 20100,
        "allowed_ips": ["198.18.16.0/20", "fd70:6761:7567:1::/64"],
    }
    assert asked == [{"device": "wg0", "peer": peer}]


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [(errno.ENOENT, MissingFeature, "CONFIG_WIREGUARD"), (errno.EPERM, MissingPrivilege, "as root")],
)
def test_what_the_kernel_refuses(
    kernel: Callable[[int], list[dict[str, Any]]], number: int, kind: type[Exception], hint: str
) -> None:
    kernel(number)
    with pytest.raises(kind) as caught:
        wireguard.give_key(3, "wg0", 20100)
    assert hint in getattr(caught.value, "hint", "")
