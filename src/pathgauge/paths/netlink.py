"""What pathgauge asks netlink and ethtool by way of pyroute2: typed wrappers. Only this, `sight.py`, `wireguard.py` and
what reads counters and settings (`link_reading.py`, `ethtool.py`) import that, which takes longer than most labs take
to build: it is imported only where it is used.

What every namespace of a lab needs goes by rtnetlink.py instead. pyroute2 across threads was seen to act on the wrong
namespace, so a socket is opened, used and closed inside one thread that entered the namespace: see `in_namespace`.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from pathgauge.errors import InternalError, UserError
from pathgauge.paths import refusals
from pathgauge.paths.addresses import Address, Family
from pathgauge.paths.namespaces import inside
from pathgauge.paths.rtnetlink import request, reshaped

T = TypeVar("T")

_GLOBAL, _HOST = 0, 254  # RT_SCOPE_UNIVERSE, RT_SCOPE_HOST
_FAMILIES: dict[int, Family] = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
_LINK_HEAD = 32  # bytes of nlmsghdr and ifinfomsg
_ROOT = 0xFFFFFFFF  # TC_H_ROOT
_TICKS = 15.625e6  # of the packet scheduler in a second (PSCHED_TICKS_PER_SEC)
LINK_LIMITS = {
    "mtu": "IFLA_MTU",
    "gso_max_size": "IFLA_GSO_MAX_SIZE",
    "gso_max_segs": "IFLA_GSO_MAX_SEGS",
    "txqlen": "IFLA_TXQLEN",
}
_OFFLOADS = {
    "tx": "tx-checksumming",
    "sg": "scatter-gather",
    "tso": "tcp-segmentation-offload",
    "gso": "generic-segmentation-offload",
    "gro": "generic-receive-offload",
}


class Links:
    """The devices of the namespace this thread is in; a context manager. Raises MachineError, saying what mends it."""

    def __init__(self) -> None:
        from pyroute2.iproute.linux import IPRoute  # type: ignore[import-untyped]  # it has no types

        self._route: Any = IPRoute()
        self._indices: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._route.close()

    def change(self, name: str, changes: Mapping[str, int]) -> None:
        """Set a device's `mtu`, or its offloads. Raises UserError where the device does not let that be switched."""
        offloads = {short: value for short, value in changes.items() if short in _OFFLOADS}
        with explained(name):
            if "mtu" in changes:
                self._route.link("set", index=self._index(name), mtu=changes["mtu"])
        _switch(name, offloads)
        now = _offloads(name)
        stuck = [short for short, value in offloads.items() if now.get(short) is not bool(value)]
        if stuck:
            (link,) = self._route.get_links(self._index(name))
            info = link.get_attr("IFLA_LINKINFO")
            kind = (info.get_attr("IFLA_INFO_KIND") if info else None) or "device"
            word = "on" if offloads[stuck[0]] else "off"
            raise UserError(
                f"{stuck[0]} of {name} cannot be switched {word}: a {kind} has it fixed",
                hint="ethtool -k, from inside (pathgauge lab exec), shows what is [fixed]; leave it out",
            )

    def switch(self, name: str, offload: str, on: bool | None) -> str:
        """Switch one offload, or leave it (None); `on` or `off`, as it was."""
        before = _offloads(name).get(offload)
        if before is None:
            raise UserError(f"{name} says nothing of its {offload}", hint="ethtool -k shows what a device has")
        if on is not None and before is not on:
            self.change(name, {offload: int(on)})
        return "on" if before else "off"

    def limit(self, name: str, key: str, value: int | None) -> int:
        """Set one of LINK_LIMITS of a device, or leave it (None); what it was."""
        with explained(name):
            (link,) = self._route.get_links(self._index(name))
            before = int(link.get_attr(LINK_LIMITS[key]))
            if value is not None and before != value:
                self._route.link("set", index=self._index(name), **{key: value})
        return before

    def reshape(self, name: str, key: str, value: str | None) -> str:
        """Change a device's root tbf in place, or leave it (None): its `rate` (bytes/s), `burst` or `limit` (bytes), or
        all of its `parms`, as this returns what they were: rate, bucket in ticks, limit. So rounding loses nothing.
        """
        with explained("tbf"):
            found = [each for each in self._route.get_qdiscs(self._index(name)) if each["parent"] == _ROOT]
            if not found or found[0].get_attr("TCA_KIND") != "tbf":
                raise UserError(f"{name} has no tbf at its root", hint="tc qdisc show says what it has")
            parms = dict(found[0].get_attr("TCA_OPTIONS").get_attr("TCA_TBF_PARMS"))
            before = f"{parms['rate']} {parms['buffer']} {parms['limit']}"
            if value is not None:
                rate, buffer, limit = _reshaped(parms, key, value)
                if (rate, buffer, limit) != (parms["rate"], parms["buffer"], parms["limit"]):
                    changed = parms | {"rate": rate, "buffer": buffer, "limit": limit}
                    request(reshaped(self._index(name), found[0]["handle"], changed))
        return before

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The addresses of a device that other machines may know. Raises UserError where there is no such device."""
        if len(self._route.link_lookup(ifname=name)) != 1:
            known = ", ".join(link.get_attr("IFLA_IFNAME") for link in self._route.get_links())
            raise UserError(f"this machine has no device {name!r}", hint=f"it has: {known}")
        with explained(name):
            return own_addresses(self._route.get_addr(index=self._index(name)))

    def _index(self, name: str) -> int:
        if name not in self._indices:
            found = self._route.link_lookup(ifname=name)
            if len(found) != 1:
                raise InternalError(f"the lab has no device {name} where there should be one")
            self._indices[name] = int(found[0])
        return self._indices[name]


def packed_link_info(kind: str, settings: Mapping[str, object]) -> bytes:
    """A kind of device with its settings, by pyroute2's names, as the attribute IFLA_LINKINFO of a request."""
    from pyroute2.iproute.linux import get_arguments_processor
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]  # it has no types

    arguments = get_arguments_processor("link", "add", {"kind": kind, **settings})
    message = ifinfmsg()
    message["attrs"] = [("IFLA_LINKINFO", arguments["IFLA_LINKINFO"])]
    message.encode()
    return bytes(message.data[_LINK_HEAD:])


def in_namespace(namespace: int, work: Callable[[Links], T]) -> T:
    """Run `work` on the devices of a network namespace (a descriptor), in a thread of its own that ends with it."""

    def body() -> T:
        with Links() as links:
            return work(links)

    return inside(namespace, body)


def _reshaped(parms: Mapping[str, int], key: str, value: str) -> tuple[int, int, int]:
    """Rate, bucket and limit after a change. The kernel keeps the bucket as the time, in ticks, that it takes at the
    rate; another rate keeps its bytes.
    """
    rate, buffer, limit = parms["rate"], parms["buffer"], parms["limit"]
    if key == "parms":
        rate, buffer, limit = map(int, value.split())
    elif key == "rate":
        rate, buffer = int(value), round(buffer * rate / int(value))
    elif key == "burst":
        buffer = round(int(value) / rate * _TICKS)
    elif key == "limit":
        limit = int(value)
    else:
        raise InternalError(f"a tbf has no {key}")
    return rate, buffer, limit


def _switch(name: str, offloads: Mapping[str, int]) -> None:
    """Ask for offloads; whether the driver did it is to be seen afterwards."""
    if not offloads:
        return
    ethtool = _ethtool(name)
    try:
        for short, value in offloads.items():
            with suppress(Exception):  # pyroute2 raises its own bare classes
                ethtool.set_offload_flag(_OFFLOADS[short], value)
    finally:
        ethtool.close()


def own_addresses(found: Iterable[Any], *, inner: bool = False) -> tuple[Address, ...]:
    """Of what netlink tells of addresses, those that others may know, with `inner` those of loopback, too."""
    wanted = (_GLOBAL, _HOST) if inner else (_GLOBAL,)
    return tuple(
        Address(_FAMILIES[each["family"]], text_of(each), each["prefixlen"])
        for each in found
        if each["scope"] in wanted
    )


def text_of(address: Any) -> str:
    """The local end's: of a point-to-point device IFA_ADDRESS is the other's."""
    return str(address.get_attr("IFA_LOCAL") or address.get_attr("IFA_ADDRESS"))


def _ethtool(name: str) -> Any:
    from pyroute2.ethtool.ioctl import IoctlEthtool  # type: ignore[import-untyped]  # it has no types

    return IoctlEthtool(name)


def _offloads(name: str) -> dict[str, bool]:
    ethtool = _ethtool(name)
    try:
        flags = ethtool.get_offload_flags()
    except Exception:  # noqa: BLE001 - pyroute2 raises its own bare classes; offloads that are not told are not known
        return {}
    finally:
        ethtool.close()
    return {short: flags[long] for short, long in _OFFLOADS.items() if long in flags}


@contextmanager
def explained(subject: str) -> Iterator[None]:
    """As refusals.explained, for what pyroute2 raises."""
    from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]  # it has no types

    with refusals.explained(subject):
        try:
            yield
        except NetlinkError as error:
            raise refusals.Refused(int(error.code), error.args[-1]) from error
