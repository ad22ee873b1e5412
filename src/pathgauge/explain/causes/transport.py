"""TCP itself: what it takes for loss and congestion, how it paces, what it finds about the path.

Loss has a place: a queue that is too short drops at its own counter, random loss shows at none, reordering shows as
retransmissions that were not needed. A rate that stands still without loss hangs on pacing or a window.
"""

from collections.abc import Callable, Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import Cause, Knob, Sign, no_knobs
from pathgauge.paths.steering import one_cpu
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import DeviceRef
from pathgauge.quantities import significant

FEW = 5.0  # events a second that are an accident
STANDING = 5.0  # times the least round-trip time
LONG = 0.002  # seconds: a round trip of more is no path within one machine
FULL_MSS = 1300  # bytes
UNPACED = 2**63  # what stands for no cap
HZ = 250
BUCKET = 65536  # bytes of the largest packet
ALIEN = 0.2  # of the payload
HEADERS = 80  # bytes of a packet at most, as a rule


def retransmitted(facts: Facts) -> float | None:
    """Segments sent again in a second."""
    grown = facts.grown("total_retrans")
    return None if grown is None or not facts.seconds else grown / facts.seconds


def dropped(facts: Facts) -> tuple[float, str]:
    """What queues on the path dropped in a second, and the worst of them."""
    worst, place, every = 0.0, "", 0.0
    for device in facts.devices:
        drops = facts.of_device(device, "qdisc.drops") or 0.0
        every += drops
        if drops > worst:
            worst, place = drops, f"{device.name} in {device.namespace}"
    return (every / facts.seconds if facts.seconds else 0.0), place


def shaped(facts: Facts) -> list[DeviceRef]:
    """The devices with a token bucket."""
    return [device for device in facts.devices if device.queue_discipline == "tbf"]


def shaper(facts: Facts, device: DeviceRef, key: str) -> int | None:
    """A value of a device's tbf: `rate` in bytes a second, `burst` and `limit` in bytes."""
    value = facts.set_on(device, f"tbf.{key}")
    return int(value) if value is not None and value.isdigit() else None


def slow_start(case: Case) -> Sequence[Sign]:
    """A connection that starts from what an earlier one left."""
    if not case.streams:
        return ()
    name = "net/ipv4/tcp_no_metrics_save"
    facts = case.slow
    threshold, window = facts.last("snd_ssthresh"), facts.last("snd_cwnd")
    if facts.sysctl(facts.sender, name) != "0" or not threshold or not window or threshold > window:
        return ()
    return [Sign(0.12, f"connections inherit what earlier ones learnt (tcp_metrics); ssthresh is {threshold:.0f}")]


def idle_restart(case: Case) -> Sequence[Sign]:
    """A window that collapses while nothing is sent."""
    facts = case.slow
    name = "net/ipv4/tcp_slow_start_after_idle"
    busy = facts.limited("busy_time")
    if not case.streams or facts.sysctl(facts.sender, name) != "1" or busy is None or busy > 0.5:  # noqa: PLR2004
        return ()
    return [Sign(0.12, f"TCP was idle for {100 * (1 - busy):.0f} % of the time, and starts anew after a pause")]


def shallow_queue(case: Case) -> Sequence[Sign]:
    """Drops at a queue, and segments sent again."""
    facts = case.slow
    lost, (drops, place) = retransmitted(facts), dropped(facts)
    if lost is None or lost < FEW or drops < FEW:
        return ()
    signs = [Sign(0.45, f"{place} dropped {drops:.0f} packets a second, {lost:.0f} segments a second were sent again")]
    for device in shaped(facts):
        limit, rate = shaper(facts, device, "limit"), shaper(facts, device, "rate")
        if limit and rate and limit / rate < 0.01:  # noqa: PLR2004 - 10 ms
            signs.append(Sign(0.3, f"the queue of {device.name} holds {1e3 * limit / rate:.2g} ms of its rate"))
            break
    return [*signs, *_alike(case, lambda other: dropped(other)[0] >= FEW)]


def _deeper(case: Case) -> Sequence[Knob]:
    del case

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        limit, rate = shaper(facts, device, "limit"), shaper(facts, device, "rate")
        if limit is None or rate is None:
            return None
        return Turn(device.namespace, "shaper", f"{device.name} limit", str(max(8 * limit, rate // 40)))

    return (knobs.devices("deeper queue (tbf limit)", made),)


def shaper_burst(case: Case) -> Sequence[Sign]:
    """A bucket smaller than a large packet, or than what a timer's tick lets through."""
    facts, signs = case.slow, []
    for device in shaped(facts):
        burst, rate = shaper(facts, device, "burst"), shaper(facts, device, "rate")
        if burst is not None and rate is not None and burst < max(BUCKET, rate // HZ // 2):
            needed = max(BUCKET, rate // HZ)
            signs.append(Sign(0.5, f"the bucket of {device.name} is {burst} bytes; {needed} carry its rate"))
            break
    return [*signs, *(_alike(case, _small_bucket) if signs else [])]


def _small_bucket(facts: Facts) -> bool:
    sizes = [(shaper(facts, device, "burst"), shaper(facts, device, "rate")) for device in shaped(facts)]
    return any(burst is not None and rate is not None and burst < max(BUCKET, rate // HZ // 2) for burst, rate in sizes)


def _larger_bucket(case: Case) -> Sequence[Knob]:
    del case

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        burst, rate = shaper(facts, device, "burst"), shaper(facts, device, "rate")
        if burst is None or rate is None or burst >= max(BUCKET, rate // HZ):
            return None
        return Turn(device.namespace, "shaper", f"{device.name} burst", str(2 * max(BUCKET, rate // HZ)))

    return (knobs.devices("larger bucket (tbf burst)", made),)


def reordering(case: Case) -> Sequence[Sign]:
    """Segments that overtook each other."""
    facts = case.slow
    seen, lost = facts.grown("reord_seen"), retransmitted(facts)
    if not case.streams or not seen or seen < FEW * facts.seconds:
        return ()
    signs = [Sign(0.4, f"TCP saw segments out of order {seen / facts.seconds:.0f} times a second (reord_seen)")]
    drops, _ = dropped(facts)
    if lost is not None and lost > FEW and drops < lost / 10:
        signs.append(Sign(0.3, f"{lost:.0f} segments a second were sent again, and queues dropped {drops:.0f}"))
    return [*signs, *_alike(case, lambda other: (other.grown("reord_seen") or 0.0) > seen / 3)]


def _one_cpu(case: Case) -> Sequence[Knob]:
    del case

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        mask = facts.set_on(device, "queue.rx-0.rps_cpus")
        return None if mask is None or one_cpu(str(mask)) else Turn(device.namespace, "steering", device.name, "1")

    return (knobs.devices("one CPU receives (rps_cpus)", made),)


def congestion_control(case: Case) -> Sequence[Sign]:
    """Another algorithm than the other path's, or one that paces by its own estimate."""
    if case.kind.transport != "tcp" or not case.streams:
        return ()
    used = _algorithm(case.slow)
    if used is None:
        return ()
    if case.fast is None:
        return [Sign(0.1, f"{used} decides how much is under way")]
    other = _algorithm(case.fast)
    if other == used or other is None:
        return ()
    return [Sign(0.75, f"{used} decides how much is under way; on {case.fast.name} {other} does")]


def _algorithm(facts: Facts) -> str | None:
    return facts.parameters.congestion or facts.sysctl(facts.sender, "net/ipv4/tcp_congestion_control")


def _other_algorithm(case: Case) -> Sequence[Knob]:
    wanted = _algorithm(case.fast) if case.fast is not None else "cubic"
    if wanted is None or wanted == _algorithm(case.slow):
        return ()
    return (knobs.parameter("congestion", wanted, plant=_algorithm(case.slow)),)


def pacing_cap(case: Case) -> Sequence[Sign]:
    """A pacing rate that somebody capped."""
    facts = case.slow
    most = facts.last("max_pacing_rate")
    if not case.streams or most is None or most >= UNPACED or not facts.goodput or facts.goodput < 4 * most:
        return ()
    return [Sign(0.7, f"the socket's pacing rate is capped at {significant(8 * most, 3)} bit/s (SO_MAX_PACING_RATE)")]


def standing_queue(case: Case) -> Sequence[Sign]:
    """A round trip many times the least one."""
    facts = case.slow
    rtt, least = facts.last("rtt"), facts.last("min_rtt")
    if not case.streams or not rtt or not least or rtt < STANDING * least or rtt < 1e6 * LONG:
        return ()
    signs = [Sign(0.3, f"a round trip takes {rtt / 1e3:.3g} ms, the shortest one {least / 1e3:.3g} ms: data queues")]
    if case.gap in ("rtt", "latency_p50", "latency_p99"):
        signs.append(Sign(0.3, "and the gap is one of time"))
    return [*signs, *_alike(case, lambda other: (other.last("rtt") or 0.0) > rtt / 2)]


def _shorter(case: Case) -> Sequence[Knob]:
    del case

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        limit, rate = shaper(facts, device, "limit"), shaper(facts, device, "rate")
        if limit is None or rate is None or limit < rate // 200:
            return None
        return Turn(device.namespace, "shaper", f"{device.name} limit", str(max(rate // 400, 2 * BUCKET)))

    return (knobs.devices("shorter queue (tbf limit)", made),)


def cross_traffic(case: Case) -> Sequence[Sign]:
    """Devices of the path carried more than the test's own bytes."""
    facts = case.slow
    if case.kind.pattern != "stream":
        return ()
    alien, place = _alien(facts)
    if alien < ALIEN:
        return ()
    told = f"{place} carried {significant(1.0 + alien, 3)} times the test's own bytes: something else uses the path"
    return [Sign(0.55, told), *_alike(case, lambda other: _alien(other)[0] > alien / 2.0)]


def _alien(facts: Facts) -> tuple[float, str]:
    """What the busiest device carried beside the test's bytes and all headers, as a share of the test's; and which."""
    found = [(0.0, "")]
    for device in facts.devices if facts.handed_over else ():
        for way in ("tx", "rx"):
            moved, packets = (facts.of_device(device, f"{way}_{what}") or 0.0 for what in ("bytes", "packets"))
            share = (moved - HEADERS * packets) / facts.handed_over - 1.0
            found.append((share, f"{device.name} in {device.namespace}"))
    return max(found)


def ack_path(case: Case) -> Sequence[Sign]:
    """The way back is the narrow one."""
    facts = case.slow
    if not case.streams:
        return ()
    rates = [(device, shaper(facts, device, "rate")) for device in shaped(facts)]
    known = [(device, rate) for device, rate in rates if rate is not None]
    back = [(d, rate) for d, rate in known if not facts.forwards(d)]
    forth = max((rate for d, rate in known if facts.forwards(d)), default=None)
    signs = []
    for device, rate in back:
        if forth is None or rate < forth / 50:
            signs.append(Sign(0.45, f"the way back, {device.name}, is shaped to {8 * rate / 1e6:.3g} Mbit/s"))
            drops = facts.of_device(device, "qdisc.overlimits") or 0.0
            if drops > FEW * facts.seconds:
                signs.append(Sign(0.3, f"its shaper held packets back {drops / facts.seconds:.0f} times a second"))
    return signs


def _wider_back(case: Case) -> Sequence[Knob]:
    del case

    def made(facts: Facts, device: DeviceRef) -> Turn | None:
        rate = shaper(facts, device, "rate")
        if rate is None or facts.forwards(device):
            return None
        return Turn(device.namespace, "shaper", f"{device.name} rate", str(max(125_000_000, 50 * rate)))

    return (knobs.devices("faster way back (tbf rate)", made),)


def mtu(case: Case) -> Sequence[Sign]:
    """Segments smaller than those of the other path, or than Ethernet's."""
    if case.kind.transport != "tcp" or not case.streams:
        return ()
    facts, signs = case.slow, []
    size = facts.last("snd_mss")
    other = case.fast.last("snd_mss") if case.fast is not None else None
    if size is not None and other is not None and size < 0.95 * other and case.fast is not None:
        signs.append(Sign(0.5, f"segments hold {size:.0f} bytes, those of {case.fast.name} {other:.0f}"))
    elif size is not None and size < FULL_MSS and other is None:
        signs.append(Sign(0.3, f"segments hold {size:.0f} bytes"))
    if made := facts.counted("ip.FragCreates"):
        signs.append(Sign(0.4, f"packets were fragmented: FragCreates grew by {made:.0f}"))
    return signs


def _same_mtu(case: Case) -> Sequence[Knob]:
    wanted = max((device.mtu for facts in case.both() for device in facts.devices), default=1500)

    def made(_facts: Facts, device: DeviceRef) -> Turn | None:
        if device.mtu >= wanted:
            return None
        return Turn(device.namespace, "limit", f"{device.name} mtu", str(wanted))

    def planted(facts: Facts, device: DeviceRef) -> Turn | None:
        least = min(other.mtu for other in case.slow.devices)
        if device.mtu <= least or device not in facts.devices:
            return None
        return Turn(device.namespace, "limit", f"{device.name} mtu", str(least))

    return (knobs.devices(f"mtu {wanted}", made, planted),)


def ecn(case: Case) -> Sequence[Sign]:
    """Congestion that was marked."""
    marks = case.slow.grown("delivered_ce")
    if not case.streams or not marks or marks < FEW * case.slow.seconds:
        return ()
    return [Sign(0.35, f"{marks:.0f} segments came marked (delivered_ce)")]


def random_loss(case: Case) -> Sequence[Sign]:
    """Loss that no queue has counted."""
    facts = case.slow
    lost, (drops, _) = retransmitted(facts), dropped(facts)
    if lost is None or lost < FEW or drops > lost / 10:
        return ()
    seen = facts.grown("reord_seen") or 0.0
    signs = [Sign(0.35, f"{lost:.0f} segments a second were sent again, and no queue of the path dropped anything")]
    if seen > lost * facts.seconds / 3:
        signs.append(Sign(-0.4, "TCP saw them out of order, not lost"))
    dropping = [(space, table) for space, table, has in facts.tables() if has.get("drops")]
    if dropping:
        signs.append(Sign(0.5, f"the nftables table {dropping[0][1]} in {dropping[0][0]} has rules that drop"))
    return [*signs, *_alike(case, lambda other: (retransmitted(other) or 0.0) > lost / 3)]


def path_delay(case: Case) -> Sequence[Sign]:
    """A path that is long."""
    facts = case.slow
    least = facts.last("min_rtt")
    if case.kind.transport != "tcp" or not least or least < 1e6 * LONG:
        return ()
    signs = [Sign(0.4, f"the shortest round trip takes {least / 1e3:.3g} ms")]
    if case.fast is not None and (other := case.fast.last("min_rtt")) is not None:
        if other > least / 1.5:
            signs.append(Sign(-0.5, "so it does on the other path"))
        else:
            signs.append(Sign(0.3, f"on {case.fast.name} {other / 1e3:.3g} ms"))
    return signs


def host_queue(case: Case) -> Sequence[Sign]:
    """Segments sent again while the first ones still waited in this host."""
    count = case.slow.counted("tcpext.TCPSpuriousRtxHostQueues")
    if not count or count < case.slow.seconds:
        return ()
    return [Sign(0.35, f"TCPSpuriousRtxHostQueues grew by {count:.0f}")]


def _alike(case: Case, same: Callable[[Facts], bool]) -> list[Sign]:
    """What is on the fast path as well explains no gap."""
    if case.fast is None:
        return []
    return (
        [Sign(-0.5, f"so it is on {case.fast.name}")] if same(case.fast) else [Sign(0.2, f"not so on {case.fast.name}")]
    )


def _said(*lines: str) -> Callable[[Case], Sequence[str]]:
    return lambda _case: lines


CAUSES: tuple[Cause, ...] = (
    Cause("slow-start", "B1", 2, "connections start slowly, or with what earlier ones learnt", slow_start,
          lambda _case: (knobs.sysctl("sender", "net/ipv4/tcp_no_metrics_save", "1"),),
          _said("sysctl -w net.ipv4.tcp_no_metrics_save=1", "ip tcp_metrics flush")),
    Cause("idle-restart", "B2", 2, "the congestion window collapses in pauses", idle_restart,
          lambda _case: (knobs.sysctl("sender", "net/ipv4/tcp_slow_start_after_idle", "0"),),
          _said("sysctl -w net.ipv4.tcp_slow_start_after_idle=0")),
    Cause("shallow-queue", "B3", 3, "a queue on the path is too short and drops", shallow_queue, _deeper,
          _said("give the queue room for the bandwidth-delay product: tc qdisc change ... limit")),
    Cause("shaper-burst", "B4", 4, "the shaper's bucket is smaller than the packets that come", shaper_burst,
          _larger_bucket, _said("tc qdisc change ... tbf burst 128kb or more, and at least rate / HZ"),
          references=("R40",)),
    Cause("reordering", "B5", 3, "packets overtake each other on several CPUs", reordering, _one_cpu,
          _said("steer each flow to one CPU: rps_cpus, RFS, or one queue"), references=("R25",)),
    Cause("congestion-control", "B6", 2, "another congestion control is in use", congestion_control,
          _other_algorithm, _said("use the same on both: --congestion, sysctl net.ipv4.tcp_congestion_control"),
          references=("R41", "R42")),
    Cause("pacing-cap", "B7", 2, "the socket's pacing rate is capped", pacing_cap, no_knobs,
          _said("lift SO_MAX_PACING_RATE"), references=("R41",)),
    Cause("standing-queue", "B8", 5, "data stands in a queue that never drains", standing_queue, _shorter,
          _said("a shorter queue, or one that manages itself: tc qdisc replace ... fq_codel")),
    Cause("cross-traffic", "B9", 1, "other traffic shares the path", cross_traffic, no_knobs,
          _said("stop the other traffic, or give each its share: htb")),
    Cause("ack-path", "B10", 2, "ACKs have too narrow a way back", ack_path, _wider_back,
          _said("widen the way back, or let ACKs go first")),
    Cause("mtu", "B11", 4, "the MTU is smaller, so that segments are", mtu, _same_mtu,
          _said("ip link set DEVICE mtu ..., the same along the path")),
    Cause("ecn", "B12", 3, "congestion is marked on the way", ecn, no_knobs,
          _said("see what marks: tc -s qdisc"), reach="not here"),
    Cause("random-loss", "B13", 3, "packets are lost on the way, at no queue", random_loss,
          lambda _case: (knobs.without_tables("drops"),),
          _said("find what drops: nft list ruleset, ethtool -S, ip -s link")),
    Cause("path-delay", "B14", 5, "the path is long", path_delay, no_knobs,
          _said("let windows grow (no SO_SNDBUF, no SO_RCVBUF), or send more at a time"), reach="partly"),
    Cause("host-queue-retransmit", "B15", 3, "TCP sends again what still waits in this host", host_queue, no_knobs,
          _said("shorten the queue of the sending device"), references=("R19",)),
)  # fmt: skip
