"""What netlink says of the devices of the namespace this thread is in: counters, and how they are set up."""

import re
import socket
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any

from pyroute2.iproute.linux import IPRoute  # type: ignore[import-untyped]  # it has no types
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]  # it has no types

from pathgauge.counters.devices import INGRESS, ROOT, class_counters, handle, link_counters, qdisc_counters
from pathgauge.counters.reading import Counters, merged, part
from pathgauge.counters.text import read_whole

MOST_DEVICES = 64  # of a namespace that has more, only those of the paths are read

_CLASSFUL = ("htb", "hfsc", "drr", "cbq", "qfq", "ets")
_PLAIN = {
    "mtu": "IFLA_MTU",
    "txqlen": "IFLA_TXQLEN",
    "tx_queues": "IFLA_NUM_TX_QUEUES",
    "rx_queues": "IFLA_NUM_RX_QUEUES",
    "gso_max_size": "IFLA_GSO_MAX_SIZE",
    "gso_max_segs": "IFLA_GSO_MAX_SEGS",
    "gro_max_size": "IFLA_GRO_MAX_SIZE",
    "tso_max_size": "IFLA_TSO_MAX_SIZE",
    "tso_max_segs": "IFLA_TSO_MAX_SEGS",
    "operstate": "IFLA_OPERSTATE",
}
_FLAGS = {"noarp": 0x80, "promiscuous": 0x100, "allmulti": 0x200}
# Of a kind's own attributes, those that name a thing or a moment and set nothing.
_NAMING = re.compile(
    r"(^|_)(ID|ADDR|MACADDR\w*|ADDRESS|LOCAL6?|REMOTE6?|GROUP6?|LINK|\w*TIMER|\w*INDEX|NO|IKEY|OKEY|DESIGNATED"
    r"|DIRECT_PKTS)($|_)"
)
_WORD = re.compile(r"[A-Za-z0-9_ -]{1,64}")
_MOST_OPTIONS = 128
_U32_NODE = 0xFFF  # u32 lists its hash tables among its filters: they have no node
_TICKS_PER_SECOND = 15.625e6  # of the packet scheduler, in which tbf keeps its burst
_ROUTE_TYPES = {1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole"}
_FILTERS = {"root": 0, "ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}


def device_names() -> list[str]:
    """Every device of the namespace."""
    lines = read_whole("/proc/thread-self/net/dev").splitlines()[2:]
    return [line.partition(b":")[0].strip().decode("utf-8", "replace") for line in lines]


def read_devices(names: Collection[str]) -> Counters:
    """`device.<name>.rx_bytes`, `device.<name>.qdisc.drops` and so on, of these devices."""
    with closing(IPRoute()) as route:
        links = list(_links(route, names))
        devices = {link["index"]: f"device.{part(link.get_attr('IFLA_IFNAME'))}" for link in links}
        parts = [_link(link).under(devices[link["index"]]) for link in links]
        for qdisc in route.get_qdiscs():
            index = qdisc["index"]
            if index in devices:
                parts.append(_qdisc(qdisc).under(devices[index]))
                if _is_classful(qdisc):
                    parts.extend(_class(each).under(devices[index]) for each in route.get_classes(index))
    return merged(parts)


def device_settings(name: str) -> dict[str, str]:
    """`kind`, `mtu`, `gso_max_size`, `macvlan_mode`, `master` (the kind of the device it is a port of), `qdisc` and
    what that is set to (`tbf.rate` in bytes/s, `tbf.burst`, `tbf.limit` in bytes), `class.1:10.htb_parms.rate`,
    `filters.ingress` (how many) and so on.
    """
    found: dict[str, str] = {}
    with closing(IPRoute()) as route:
        for link in _links(route, [name]):
            index = link["index"]
            found |= _setting(link)
            for qdisc in route.get_qdiscs(index):
                if qdisc["index"] == index:
                    found |= _discipline(qdisc)
                    if _is_classful(qdisc):
                        for each in route.get_classes(index):
                            pairs = _flat(each.get_attr("TCA_OPTIONS"), "TCA_")
                            found |= {f"class.{handle(each['handle'])}.{key}": text for key, text in pairs}
            found |= _filters(route, index, both_ways=found.get("ingress") == "clsact")
    return found


def route_settings(address: str) -> dict[str, str]:
    """How an address is reached: `via` gateway or direct, `type`, the route's own `mtu`, `initcwnd`, `cc_algo`; and
    `device`, the name of the device. Empty where it is not.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(IPRoute()) as route:
        try:
            (found,) = route.route("get", dst=address, family=family)
        except (NetlinkError, ValueError):
            return {}
        settings = dict(_flat(found.get_attr("RTA_METRICS"), "RTAX_"))
        settings["via"] = "direct" if found.get_attr("RTA_GATEWAY") is None else "gateway"
        settings["type"] = _ROUTE_TYPES.get(found["type"], str(found["type"]))
        for link in route.get_links(found.get_attr("RTA_OIF") or 0):
            settings["device"] = link.get_attr("IFLA_IFNAME")
        with suppress(NetlinkError):
            settings["rules"] = str(len(route.get_rules(family=family)))
    return settings


def has_rules() -> bool:
    """Whether the namespace has nftables tables: listing their rules takes a process."""
    from pyroute2.nftables.main import NFTables  # type: ignore[import-untyped]  # it has no types

    try:
        with closing(NFTables(nfgen_family=0)) as tables:
            return bool(list(tables.get_tables()))
    except (NetlinkError, OSError):
        return False


def _links(route: Any, names: Collection[str]) -> Iterator[Any]:
    """All at once where they are many: asking for one takes as long as listing six."""
    if len(names) > 1 and len(device_names()) <= MOST_DEVICES:
        yield from (link for link in route.get_links() if link.get_attr("IFLA_IFNAME") in names)
        return
    for name in names:
        try:
            found = route.get_links(socket.if_nametoindex(name))
        except (OSError, NetlinkError):  # it has gone meanwhile
            continue
        yield from found


def _link(link: Any) -> Counters:
    return link_counters(
        link.get_attr("IFLA_STATS64") or {},
        levels={"promiscuity": link.get_attr("IFLA_PROMISCUITY"), "allmulti": link.get_attr("IFLA_ALLMULTI")},
        changes=link.get_attr("IFLA_CARRIER_CHANGES"),
    )


def _qdisc(qdisc: Any) -> Counters:
    basic, queue, more = _statistics(qdisc)
    return qdisc_counters(qdisc["parent"], basic, queue, more)


def _is_classful(qdisc: Any) -> bool:
    return bool(qdisc["parent"] == ROOT and qdisc.get_attr("TCA_KIND") in _CLASSFUL)


def _class(each: Any) -> Counters:
    basic, queue, _ = _statistics(each)
    return class_counters(each["handle"], basic, queue)


def _statistics(message: Any) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """What was sent, the queue, and the discipline's own numbers."""
    statistics = message.get_attr("TCA_STATS2")
    if statistics is None:
        return {}, {}, {}
    basic, queue, own = (statistics.get_attr(f"TCA_STATS_{name}") for name in ("BASIC", "QUEUE", "APP"))
    return dict(basic or {}), dict(queue or {}), dict(own) if isinstance(own, dict) else {}


def _setting(link: Any) -> dict[str, str]:
    values = {name: link.get_attr(attribute) for name, attribute in _PLAIN.items()}
    found = {name: str(value) for name, value in values.items() if value is not None}
    found |= {name: "yes" for name, bit in _FLAGS.items() if link["flags"] & bit}
    xdp = link.get_attr("IFLA_XDP")
    attached = xdp.get_attr("IFLA_XDP_ATTACHED") if xdp is not None else None
    if attached:
        found["xdp"] = str(attached)
    info = link.get_attr("IFLA_LINKINFO")
    found["kind"] = str((info.get_attr("IFLA_INFO_KIND") if info is not None else None) or "device")
    if info is not None:
        found |= dict(_flat(info.get_attr("IFLA_INFO_DATA"), "IFLA_"))
        if info.get_attr("IFLA_INFO_SLAVE_KIND") is not None:
            found["master"] = str(info.get_attr("IFLA_INFO_SLAVE_KIND"))
            found |= dict(_flat(info.get_attr("IFLA_INFO_SLAVE_DATA"), "IFLA_"))
    return found


def _discipline(qdisc: Any) -> dict[str, str]:
    """The kind of a queueing discipline by its place, and what it is set to by its kind."""
    kind, parent, options = str(qdisc.get_attr("TCA_KIND")), qdisc["parent"], qdisc.get_attr("TCA_OPTIONS")
    where = "qdisc" if parent == ROOT else "ingress" if parent == INGRESS else f"qdisc.{handle(parent)}"
    settings = dict(_flat(options, "TCA_"))
    if kind == "tbf" and "tbf_parms.rate" in settings:
        rate, ticks = int(settings["tbf_parms.rate"]), int(settings["tbf_parms.buffer"])
        rate = int(settings.get("tbf_rate64", rate))
        settings = {
            "rate": str(rate),
            "burst": str(round(ticks / _TICKS_PER_SECOND * rate)),
            "limit": settings["tbf_parms.limit"],
        }
    start = kind if parent == ROOT else f"{where}.{kind}"
    return {where: kind} | {f"{start}.{key}": text for key, text in settings.items()}


def _filters(route: Any, index: int, *, both_ways: bool) -> dict[str, str]:
    """How many filters (tc) a device has, by place."""
    found: dict[str, str] = {}
    for where, parent in _FILTERS.items():
        if where == "egress" and not both_ways:
            continue
        with suppress(Exception):  # a filter that pyroute2 cannot decode
            filters = {
                (each["info"], each["handle"])
                for each in route.get_filters(index, parent=parent)
                if each["handle"] and (each.get_attr("TCA_KIND") != "u32" or each["handle"] & _U32_NODE)
            }
            if filters:
                found[f"filters.{where}"] = str(len(filters))
    return found


def _flat(options: Any, prefix: str) -> Iterable[tuple[str, str]]:
    """The attributes of a kind or discipline that set something: a dotted name in small letters, and a text."""
    pairs: list[tuple[str, str]] = []
    waiting: list[tuple[str, Any]] = [("", options)]
    while waiting and len(pairs) < _MOST_OPTIONS:
        name, value = waiting.pop()
        if isinstance(value, dict):
            inner = value["attrs"] if "attrs" in value else value.items()
            for key, each in inner:
                if isinstance(key, str) and not _NAMING.search(key.removeprefix(prefix)) and key != "header":
                    waiting.append((f"{name}.{key.removeprefix(prefix).lower()}".lstrip("."), each))
        elif name and isinstance(value, int | str) and _WORD.fullmatch(str(value)):
            pairs.append((name, str(value)))
    return pairs
