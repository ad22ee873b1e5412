"""Queues, and whether the sender learns that they are full.

TCP keeps little in the queues of its own host as long as packets bear its socket until they leave (TSQ): then it knows
what is still queued, and gathers small sends meanwhile. Where something on the way takes the socket off the packet (a
bridge with netfilter, a router), all of the window ends up in the next queue: the round trip grows to what that holds,
packets are dropped at its end, and small sends go down one by one.
"""

from collections.abc import Callable, Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import Cause, Knob, Setting, Sign, no_knobs
from pathgauge.explain.causes.transport import FEW, dropped, retransmitted, shaped, shaper
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import DeviceRef

CALLS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables")
LONGER = 3.0  # times the other path's round trip
DEEP = 0.005  # s of a round trip that is a queue's
LARGE = 4 << 20  # bytes
SHARE = 0.02  # of all datagrams


def bridge_filtered(facts: Facts) -> bool:
    """Whether a bridge of the path hands the test's packets to netfilter."""
    call = CALLS[1 if facts.parameters.ipv6 else 0]
    return any(facts.sysctl(space, f"net/bridge/{call}") == "1" for space in facts.spaces if _has_bridge(facts, space))


def _has_bridge(facts: Facts, space: str) -> bool:
    return any(
        device.namespace == space and (device.kind == "bridge" or facts.set_on(device, "master") not in (None, ""))
        for device in facts.devices
    )


def unfiltered_bridge() -> Knob:
    """The bridge without netfilter."""

    def made(facts: Facts, wanted: str) -> Setting:
        turns = [
            Turn(space, "sysctl", f"net/bridge/{call}", wanted)
            for space in facts.spaces
            for call in CALLS
            if facts.sysctl(space, f"net/bridge/{call}") not in (None, wanted) and _has_bridge(facts, space)
        ]
        return Setting(turns=tuple(turns))

    return Knob("bridge-nf-call-iptables=0", lambda facts: made(facts, "0"))


def lost_back_pressure(case: Case) -> Sequence[Sign]:
    """The round trip is a full queue's, and something on the path takes the socket off the packets."""
    facts, fast = case.slow, case.fast
    if case.kind.transport != "tcp":
        return ()
    signs = []
    routed = any(facts.sysctl(space, "net/ipv4/ip_forward") == "1" for space in knobs.spaces_of(facts, "between"))
    if bridge_filtered(facts):
        signs.append(Sign(0.35, "a bridge of the path hands its packets to netfilter (bridge-nf-call-iptables is 1)"))
        if fast is not None and bridge_filtered(fast):
            signs.append(Sign(-0.5, f"so it is on {fast.name}"))
    elif routed:
        signs.append(Sign(0.15, "the path is routed between the ends"))
    else:
        return ()
    signs += _round_trip(facts, fast)
    corked = facts.counted("tcpext.TCPAutoCorking", facts.sender)
    if fast is not None and corked is not None:
        other = fast.counted("tcpext.TCPAutoCorking", fast.sender)
        if other and corked < other / 5:
            signs.append(Sign(0.3, f"small sends were gathered {corked:.0f} times, on {fast.name} {other:.0f} times"))
    if (lost := retransmitted(facts)) is not None and lost > FEW:
        signs.append(Sign(0.1, f"{lost:.0f} segments a second were sent again"))
    return signs


def _round_trip(facts: Facts, fast: Facts | None) -> list[Sign]:
    rtt = facts.last("rtt")
    if rtt is None:
        return []
    other = fast.last("rtt") if fast is not None else None
    if fast is not None and other and rtt > LONGER * other and rtt > 1e6 * DEEP:
        told = f"a round trip takes {rtt / 1e3:.3g} ms, on {fast.name} {other / 1e3:.3g} ms"
        return [Sign(0.45, f"{told}: the window stands in a queue")]
    if fast is None and rtt > 1e6 * DEEP:
        return [Sign(0.25, f"a round trip takes {rtt / 1e3:.3g} ms: the window stands in a queue")]
    return []


def _back_pressure_knobs(case: Case) -> Sequence[Knob]:
    return (unfiltered_bridge(),) if bridge_filtered(case.slow) else ()


def _back_pressure_advice(case: Case) -> Sequence[str]:
    if bridge_filtered(case.slow):
        return ("sysctl -w net.bridge.bridge-nf-call-iptables=0 (and ip6tables), in the bridge's namespace",
                "or a path that keeps the socket: macvlan, ipvlan, netkit")  # fmt: skip
    return ("a path that keeps the socket: macvlan, ipvlan, netkit, a bridge", "a shorter queue at the bottleneck")


def swallowed_signal(case: Case) -> Sequence[Sign]:
    """Drops in this host that TCP learns of by losing segments only."""
    facts = case.slow
    lost, (drops, place) = retransmitted(facts), dropped(facts)
    if lost is None or drops < FEW or lost < drops / 2:
        return ()
    signs = [Sign(0.25, f"{place} dropped {drops:.0f} packets a second; TCP sent {lost:.0f} segments a second again")]
    if case.fast is not None:
        other, (also, _) = retransmitted(case.fast), dropped(case.fast)
        if other is not None and also >= FEW and other < also / 10:
            signs.append(Sign(0.5, f"on {case.fast.name} drops are told to TCP at once, and nothing is sent again"))
    return signs


def discipline(case: Case) -> Sequence[Sign]:
    """Another queue discipline than the other path's."""
    if case.fast is None:
        return ()
    own, other = ([device.queue_discipline for device in facts.devices] for facts in (case.slow, case.fast))
    extra = sorted(set(own) - set(other) - {"noqueue", ""})
    if not extra:
        return ()
    return [Sign(0.12, f"a queue of the sort {', '.join(extra)} is on the path, and none on {case.fast.name}")]


def single_queue(case: Case) -> Sequence[Sign]:
    """All drops at one of several queues."""
    queues = case.slow.matching("path.*.qdisc.*:*.drops")
    hit = {name: count for name, count in queues.items() if count > FEW * case.slow.seconds}
    if len(queues) < 2 or len(hit) != 1:  # noqa: PLR2004 - several queues
        return ()
    return [Sign(0.3, f"of {len(queues)} queues only one drops: {next(iter(hit))}")]


def shortcut(case: Case) -> Sequence[Sign]:
    """The faster path never reached the wire."""
    if case.fast is None:
        return ()
    ways = [facts.path for facts in (case.fast, case.slow)]
    within = [way.client_namespace_name == way.server_namespace_name or len(way.devices) == 1 for way in ways]
    if not within[0]:
        return ()
    kinds = ", ".join(sorted({device.kind for device in case.fast.devices}))
    signs = [Sign(0.45, f"{case.fast.name} stays within one namespace, and crosses no wire ({kinds})")]
    return [*signs, Sign(-0.5, f"nor does {case.slow.name}") if within[1] else Sign(0.2, f"{case.slow.name} does not")]


def rate_limit(case: Case) -> Sequence[Sign]:
    """A shaper or policer on this path alone, at its limit."""
    facts = case.slow
    goodput, signs = facts.goodput, []
    for device in shaped(facts):
        rate = shaper(facts, device, "rate")
        if rate is None or goodput is None or goodput < 0.5 * 8 * rate or not facts.forwards(device):
            continue
        if goodput > 0.9 * 8 * rate:
            told = f"{device.name} in {device.namespace} is shaped to {8 * rate / 1e6:.4g} Mbit/s, and that is reached"
            signs.append(Sign(0.5, told))
        else:
            signs.append(Sign(0.3, f"{device.name} in {device.namespace} is shaped to {8 * rate / 1e6:.4g} Mbit/s"))
        if case.fast is not None:
            others = [shaper(case.fast, each, "rate") for each in shaped(case.fast)]
            slower = any(other is not None and other <= 1.02 * rate for other in others)
            signs.append(Sign(-0.5, f"so is {case.fast.name}") if slower else Sign(0.35, f"{case.fast.name} is not"))
        break
    limiting = [(space, table) for space, table, has in facts.tables() if has.get("limits")]
    if limiting:
        signs.append(Sign(0.4, f"the nftables table {limiting[0][1]} in {limiting[0][0]} limits a rate"))
    return signs


def _unshaped(case: Case) -> Sequence[Knob]:
    own = [device for device in shaped(case.slow) if case.slow.forwards(device)]
    known = [rate for device in own if (rate := shaper(case.slow, device, "rate")) is not None]
    fast = [] if case.fast is None else [
        rate for device in shaped(case.fast) if (rate := shaper(case.fast, device, "rate")) is not None
    ]  # fmt: skip
    found: list[Knob] = []
    if known:
        wanted = max(fast) if fast and max(fast) > min(known) else 8 * min(known)

        def made(facts: Facts, device: DeviceRef) -> Turn | None:
            rate = shaper(facts, device, "rate")
            if rate is None or rate >= wanted or not facts.forwards(device):
                return None
            return Turn(device.namespace, "shaper", f"{device.name} rate", str(wanted))

        found.append(knobs.devices(f"tbf rate {8 * wanted / 1e6:.4g} Mbit/s", made))
    if any(has.get("limits") for _, _, has in case.slow.tables()):
        found.append(knobs.without_tables("limits"))
    return found


def ring_overflow(case: Case) -> Sequence[Sign]:
    """veth's ring, which NAPI empties, was full."""
    facts = case.slow
    overflow = sum(count for name, count in facts.matching("path.*.ethtool.*drops*").items() if "xdp_drops" in name)
    lost, (drops, _) = retransmitted(facts), dropped(facts)
    napi = [device for device in facts.devices if device.kind == "veth" and device.offloads.get("gro")]
    told = sum((facts.of_device(device, "tx_dropped") or 0.0) for device in facts.devices if device.kind == "veth")
    if not napi or (overflow + told < FEW * facts.seconds):
        return ()
    signs = [Sign(0.45, f"{overflow + told:.0f} packets found the ring of a veth full, where receive offload is on")]
    if lost is not None and lost > FEW and drops < lost / 10:
        signs.append(Sign(0.2, f"{lost:.0f} segments a second were sent again"))
    return signs


def backlog_overflow(case: Case) -> Sequence[Sign]:
    """The CPU's backlog was full."""
    count = sum(case.slow.matching("softnet.*.dropped").values())
    if count < FEW * case.slow.seconds:
        return ()
    signs = [Sign(0.5, f"the backlog of received packets dropped {count:.0f} (softnet_stat)")]
    if case.fast is not None and sum(case.fast.matching("softnet.*.dropped").values()) > count / 3:
        signs.append(Sign(-0.4, f"so it did on {case.fast.name}"))
    return signs


def udp_receive(case: Case) -> Sequence[Sign]:
    """Datagrams for which the receiver's buffer had no room."""
    facts = case.slow
    count = facts.counted("udp.RcvbufErrors") if not facts.parameters.ipv6 else facts.counted("udp6.RcvbufErrors")
    if case.kind.transport != "udp" or count is None or not facts.sends:
        return ()
    share = count / facts.sends
    if share < SHARE:
        return [Sign(-0.3, f"{count:.0f} datagrams found the receive buffer full")] if case.gap == "loss" else ()
    signs = [Sign(0.6, f"{count:.0f} datagrams, {100 * share:.0f} % of those sent, found the receive buffer full")]
    if (size := getattr(facts.parameters, knobs.buffer_field(facts, "receiver"))) is not None:
        signs.append(Sign(0.2, f"the receiver's buffer was set to {size} bytes"))
    if case.fast is not None:
        other = case.fast.counted("udp.RcvbufErrors") or 0.0
        if case.fast.sends and other / case.fast.sends > share / 2:
            signs.append(Sign(-0.4, f"so it was on {case.fast.name}"))
    return signs


def _udp_knobs(case: Case) -> Sequence[Knob]:
    set_so = getattr(case.slow.parameters, knobs.buffer_field(case.slow, "receiver")) is not None
    larger = knobs.buffer_of("receiver", LARGE, plant=4096)
    return (knobs.buffer_of("receiver", None, plant=4096), larger) if set_so else (larger,)


def udp_send(case: Case) -> Sequence[Sign]:
    """Datagrams that the sender's own host refused or dropped."""
    facts = case.slow
    if case.kind.transport != "udp" or not facts.sends:
        return ()
    count = (facts.counted("udp.SndbufErrors", facts.sender) or 0.0) + sum(row.messages_lost for row in facts.rows)
    drops, place = dropped(facts)
    signs = []
    if count > SHARE * facts.sends:
        signs.append(Sign(0.45, f"{count:.0f} datagrams were refused at the sender (SndbufErrors, ENOBUFS)"))
    if drops * facts.seconds > SHARE * facts.sends:
        signs.append(Sign(0.45, f"{place} dropped {drops:.0f} datagrams a second"))
    return signs


def accept_overflow(case: Case) -> Sequence[Sign]:
    """Connections that the listener had no room for."""
    count = sum(case.slow.counted(f"tcpext.{name}") or 0.0 for name in ("ListenOverflows", "TCPReqQFullDrop"))
    if not count:
        return ()
    return [Sign(0.5, f"{count:.0f} connections found the listener's queue full (ListenOverflows)")]


def _said(*lines: str) -> Callable[[Case], Sequence[str]]:
    return lambda _case: lines


def _ring_knobs(case: Case) -> Sequence[Knob]:
    del case
    return (knobs.offload("gro", "off", where=lambda _facts, device: device.kind == "veth"),)


def _deeper(case: Case) -> Sequence[Knob]:
    from pathgauge.explain.causes.transport import _deeper as deeper

    return deeper(case)


CAUSES: tuple[Cause, ...] = (
    Cause("lost-back-pressure", "D1", 5, "something on the way takes the socket off the packets, so TCP fills a queue "
          "it no longer sees", lost_back_pressure, _back_pressure_knobs, _back_pressure_advice,
          references=("R18", "R27", "R45")),
    Cause("swallowed-congestion-signal", "D2", 3, "a device on the path does not tell TCP of drops in its own host",
          swallowed_signal, _deeper, _said("a path that passes the code on (macvlan), or a longer queue"),
          references=("R10", "R11")),
    Cause("queue-discipline", "D3", 1, "another queue discipline is on the path", discipline, no_knobs,
          _said("the same on both: tc qdisc show")),
    Cause("single-tx-queue", "D4", 3, "all flows of the path share one of several queues", single_queue, no_knobs,
          _said("XPS, or a kernel that keeps no receive queue's hint on veth"), reach="partly", references=("R25",)),
    Cause("same-host-shortcut", "D5", 1, "the faster path never leaves this host", shortcut, no_knobs,
          _said("put the peer behind the wire; macvlan in the mode private or vepa"), references=("R16",)),
    Cause("rate-limit", "D6", 2, "a shaper or policer holds the path to a rate", rate_limit, _unshaped,
          _said("lift the limit: tc -s qdisc, nft list ruleset")),
    Cause("veth-ring-overflow", "D7", 3, "the ring of a veth is full", ring_overflow, _ring_knobs,
          _said("ethtool -K DEVICE gro off, or larger or more rings"), references=("R17", "R46")),
    Cause("backlog-overflow", "D8", 3, "the CPU's backlog of received packets is full", backlog_overflow, no_knobs,
          _said("sysctl -w net.core.netdev_max_backlog=10000 (of the whole machine)", "RPS, or segmentation offload"),
          references=("R19",)),
    Cause("udp-receive-overflow", "D9", 3, "the receiver's buffer is full when datagrams come", udp_receive, _udp_knobs,
          _said("a larger SO_RCVBUF (and net.core.rmem_max), a faster reader, or a slower sender"), references=("R9",)),
    Cause("udp-send-drop", "D10", 3, "datagrams are dropped in the sender's own host", udp_send,
          lambda _case: (knobs.buffer_of("sender", None), *_deeper(_case)),
          _said("a larger queue, or a paced sender"), references=("R46",)),
    Cause("accept-overflow", "D11", 3, "the listener's queue is full", accept_overflow, no_knobs,
          _said("a larger backlog of listen(), net.core.somaxconn"), references=("R19",)),
)  # fmt: skip
