"""What each packet has to pass: bridges with netfilter, rules, translation, tunnels, hops, taps.

Such work is done for each packet that the stack handles, however large it is, so large packets hide it and small ones,
or transactions, show it.
"""

from collections.abc import Callable, Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import Cause, Sign, no_knobs
from pathgauge.explain.causes.offloads import TUNNELS
from pathgauge.explain.causes.queues import bridge_filtered, unfiltered_bridge

MANY_RULES = 30
MANY_FILTERS = 20


def rules_of(facts: Facts) -> int:
    """The nftables rules of all namespaces of the path."""
    return sum(has.get("rules", 0) for _, _, has in facts.tables())


def bridge_netfilter(case: Case) -> Sequence[Sign]:
    """A bridge that hands each packet to netfilter."""
    if not bridge_filtered(case.slow):
        return ()
    signs = [Sign(0.3, "a bridge of the path hands its packets to netfilter (bridge-nf-call-iptables is 1)")]
    if rules_of(case.slow):
        signs.append(Sign(0.1, f"where {rules_of(case.slow)} rules wait for them"))
    if case.fast is not None:
        signs.append(Sign(-0.5, f"so it is on {case.fast.name}") if bridge_filtered(case.fast) else
                     Sign(0.2, f"not so on {case.fast.name}"))  # fmt: skip
    return signs


def firewall_rules(case: Case) -> Sequence[Sign]:
    """Many rules that each packet walks."""
    count = rules_of(case.slow)
    if count < MANY_RULES:
        return ()
    signs = [Sign(0.35 if count < 10 * MANY_RULES else 0.55, f"packets pass up to {count} nftables rules")]
    if case.fast is not None:
        other = rules_of(case.fast)
        signs.append(Sign(-0.5, f"as many as on {case.fast.name}") if other > count / 2 else
                     Sign(0.3, f"on {case.fast.name} {other}"))  # fmt: skip
    return signs


def translated(case: Case) -> Sequence[Sign]:
    """Addresses are translated on the way."""
    tables = [(space, table) for space, table, has in case.slow.tables() if has.get("nat")]
    if not tables:
        return ()
    signs = [Sign(0.3, f"addresses are translated in {tables[0][0]} ({tables[0][1]})")]
    if case.fast is not None:
        other = any(has.get("nat") for _, _, has in case.fast.tables())
        signs.append(
            Sign(-0.4, f"so they are on {case.fast.name}") if other else Sign(0.25, f"not on {case.fast.name}")
        )
    return signs


def conntrack_full(case: Case) -> Sequence[Sign]:
    """The table of connections has no room."""
    counted = {name: case.slow.counted(f"conntrack.{name}") for name in ("insert_failed", "drop", "early_drop")}
    return [Sign(0.5, f"conntrack {name} grew by {count:.0f}") for name, count in counted.items() if count]


def encapsulation(case: Case) -> Sequence[Sign]:
    """Packets travel in others."""
    tunnels = [device for device in case.slow.devices if device.kind in TUNNELS]
    if not tunnels:
        return ()
    signs = [Sign(0.4, f"the path goes through {tunnels[0].name}, a {tunnels[0].kind}")]
    if case.fast is not None:
        other = any(device.kind in TUNNELS for device in case.fast.devices)
        signs.append(Sign(-0.5, f"so does {case.fast.name}") if other else Sign(0.25, f"not so {case.fast.name}"))
    return signs


def hops(case: Case) -> Sequence[Sign]:
    """More devices to pass."""
    if case.fast is None:
        return ()
    more = len(case.slow.devices) - len(case.fast.devices)
    if more <= 0:
        return ()
    # Whatever else the path does to packets is a better reason than that there are devices.
    names = " - ".join(f"{device.name} ({device.kind or 'device'})" for device in case.slow.devices)
    return [Sign(0.46, f"the path has {more} devices more to pass than {case.fast.name}: {names}")]


def tapped(case: Case) -> Sequence[Sign]:
    """Somebody listens to all packets."""
    facts = case.slow
    taps = [value for role in ("client", "server", "between") if (value := facts.gauges.get(f"{role}.packet_sockets"))]
    listening = [device for device in facts.devices if facts.gauges.get(_name(device.namespace, device.name))]
    signs = []
    if taps:
        signs.append(Sign(0.4, f"{sum(taps):.0f} packet sockets listen on the path (tcpdump or the like)"))
    if listening and not any(device.kind == "bridge" for device in facts.devices):
        signs.append(Sign(0.12, f"{listening[0].name} is promiscuous"))
    if signs and case.fast is not None:
        fast = case.fast
        others = sum(fast.gauges.get(f"{role}.packet_sockets", 0.0) for role in ("client", "server", "between"))
        signs.append(
            Sign(-0.4, f"so it is on {fast.name}") if others >= sum(taps) else Sign(0.3, f"not so on {fast.name}")
        )
    return signs


def _name(namespace: str, device: str) -> str:
    return f"path.{namespace}.{device}.promiscuity"


def broadcasts(case: Case) -> Sequence[Sign]:
    """A flood of multicasts."""
    facts = case.slow
    worst = max((facts.of_device(device, "multicast") or 0.0 for device in facts.devices), default=0.0)
    if not facts.seconds or worst < 1000 * facts.seconds:
        return ()
    return [Sign(0.4, f"{worst / facts.seconds:.0f} multicasts a second come in")]


def filters(case: Case) -> Sequence[Sign]:
    """Filters of traffic control, on the way in or out."""
    count, place = _filters(case.slow)
    if not count:
        return ()
    signs = [Sign(0.5 if count >= MANY_FILTERS else 0.3, f"{place} has {count} tc filters that packets pass")]
    if case.fast is not None:
        other, _ = _filters(case.fast)
        signs.append(Sign(-0.5, f"as many are on {case.fast.name}") if other > count / 2 else
                     Sign(0.25, f"on {case.fast.name} {other}"))  # fmt: skip
    return signs


def _filters(facts: Facts) -> tuple[int, str]:
    """How many there are on the path, and where most of them; an empty clsact counts as none."""
    found = []
    for device in facts.devices:
        words = [facts.set_on(device, f"filters.{where}") or "" for where in ("root", "ingress", "egress")]
        found.append((sum(int(word) for word in words if word.isdigit()), device.name))
    return sum(count for count, _ in found), max(found, default=(0, ""))[1]


def neighbours(case: Case) -> Sequence[Sign]:
    """Routes and neighbours that make trouble."""
    names = ("tcpext.IPReversePathFilter", "ip.OutNoRoutes", "icmp.InRedirects", "ip.InAddrErrors")
    grown = {name.partition(".")[2]: case.slow.counted(name) for name in names}
    return [Sign(0.3, f"{name} grew by {count:.0f}") for name, count in grown.items() if count]


def flooding(case: Case) -> Sequence[Sign]:
    """A bridge that knows no port for the frames."""
    facts = case.slow
    ports = [device for device in facts.devices if facts.set_on(device, "master") not in (None, "")]
    if not facts.payload or len(ports) < 2:  # noqa: PLR2004 - in and out
        return ()
    stray = facts.matching("stray.*.tx_bytes")
    flooded = [name for name, moved in stray.items() if moved > facts.payload / 2]
    return [Sign(0.5, f"the bridge floods the test's frames to {flooded[0]}")] if flooded else ()


def relayed(case: Case) -> Sequence[Sign]:
    """A program in user space carries the packets."""
    tuns = [device for device in case.slow.devices if device.kind == "tun"]
    if not tuns:
        return ()
    signs = [Sign(0.5, f"packets pass {tuns[0].name}, a tun device, and a program behind it")]
    if case.fast is not None:
        other = any(device.kind == "tun" for device in case.fast.devices)
        signs.append(
            Sign(-0.6, f"so they do on {case.fast.name}") if other else Sign(0.4, f"not so on {case.fast.name}")
        )
    return signs


def _said(*lines: str) -> Callable[[Case], Sequence[str]]:
    return lambda _case: lines


CAUSES: tuple[Cause, ...] = (
    Cause("bridge-netfilter", "F1", 4, "a bridge hands each packet to netfilter", bridge_netfilter,
          lambda _case: (unfiltered_bridge(),),
          _said("sysctl -w net.bridge.bridge-nf-call-iptables=0", "filter in nftables' bridge family"),
          references=("R18",)),
    Cause("firewall-rules", "F2", 4, "each packet walks a long list of rules", firewall_rules,
          lambda _case: (knobs.without_tables("rules"),),
          _said("use sets, maps and verdict maps instead of long lists"), references=("R30",)),
    Cause("nat", "F3", 4, "addresses are translated on the way", translated, no_knobs,
          _said("route without translation, or a flowtable")),
    Cause("conntrack-full", "F4", 3, "the table of connections is full", conntrack_full,
          lambda _case: (knobs.sysctl("everywhere", "net/netfilter/nf_conntrack_max", "262144"),),
          _said("sysctl -w net.netfilter.nf_conntrack_max=262144, or notrack")),
    Cause("encapsulation", "F5", 4, "packets travel in others (a tunnel)", encapsulation, no_knobs,
          _said("route directly, or a tunnel that the device offloads; a larger MTU"), references=("R33", "R44")),
    Cause("extra-hops", "F6", 5, "there are more devices to pass", hops, no_knobs,
          _said("a shorter way: macvlan, ipvlan, netkit"), references=("R26",)),
    Cause("packet-tap", "F7", 4, "somebody listens to all packets", tapped, no_knobs,
          _said("stop tcpdump or the like: ss -0pn shows who")),
    Cause("broadcast-flood", "F8", 4, "multicasts flood the path", broadcasts, no_knobs,
          _said("stop the flood; bcqueuelen of macvlan"), references=("R16",)),
    Cause("tc-filters", "F9", 4, "traffic control looks at each packet", filters, no_knobs,
          _said("tc -s filter show; remove what is not needed")),
    Cause("neighbour-trouble", "F10", 1, "routes or neighbours make trouble", neighbours, no_knobs,
          _said("ip neigh, ip route get; rp_filter")),
    Cause("flooding", "F11", 4, "a bridge floods frames to all its ports", flooding, no_knobs,
          _said("bridge fdb: let the address be learnt, or set it")),
    Cause("userspace-relay", "F12", 4, "a program in user space carries the packets", relayed, no_knobs,
          _said("a path in the kernel: veth, macvlan"), references=("R22",)),
)  # fmt: skip
