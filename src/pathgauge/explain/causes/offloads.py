"""What the devices do for TCP, and in how large pieces packets go through the stack.

With segmentation offload TCP hands up to 64 KiB down as one packet, and on a virtual link it stays one packet to the
end. Where a device on the way cannot take it, it is cut there, and everything behind works on packets of an MTU's size:
five to thirty times the work for a byte. Receive offload puts such packets together again.
"""

from collections.abc import Callable, Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import Cause, Knob, Sign, no_knobs
from pathgauge.paths.turning import Turn
from pathgauge.paths.types import DeviceRef

FULL = 65536  # bytes of the largest packet, unless the kernel allows more
WHOLE = 20_000  # bytes of a packet that was not cut
CUT = 2.0  # times the MTU: smaller packets are single segments
TUNNELS = ("vxlan", "geneve", "gre", "ipip", "wireguard")


def without(facts: Facts, key: str) -> list[DeviceRef]:
    """The devices that have an offload switched off; a tun device has those of the program behind it."""
    return [device for device in facts.devices if device.offloads.get(key) is False and device.kind != "tun"]


def _missing(case: Case, key: str, words: str) -> list[Sign]:
    """An offload that a device of the path lacks."""
    facts = case.slow
    lacking = without(facts, key)
    if not lacking:
        return []
    places = ", ".join(f"{device.name} in {device.namespace}" for device in lacking[:3])
    signs = [Sign(0.3, f"{words} is off at {places}")]
    if case.fast is not None:
        fewer = len(without(case.fast, key)) < len(lacking)
        signs.append(
            Sign(0.35, f"not so on {case.fast.name}") if fewer else Sign(-0.4, f"so it is on {case.fast.name}")
        )
    return signs


def _cut(facts: Facts) -> tuple[float, DeviceRef] | None:
    """The smallest packets of any device on the path, where they are single segments."""
    sizes = [(size, device) for device in facts.devices if (size := facts.frames(device)) is not None]
    if not sizes:
        return None
    least = min(sizes, key=lambda pair: pair[0])
    return least if least[0] < CUT * least[1].mtu else None


def segmentation_off(case: Case) -> Sequence[Sign]:
    """TSO or GSO is off, and packets are small."""
    if not case.streams:
        return ()
    signs = _missing(case, "tso", "segmentation offload (tso)") or _missing(case, "gso", "generic segmentation (gso)")
    cut = _cut(case.slow)
    if signs and cut is not None:
        signs.append(Sign(0.35, f"{cut[1].name} carries packets of {cut[0]:.0f} bytes"))
    elif signs and cut is None and case.slow.frame is not None:
        signs.append(Sign(-0.2, "but no device carries single segments"))
    return signs


def _segmentation(case: Case) -> Sequence[Knob]:
    key = "tso" if without(case.slow, "tso") else "gso"
    return (knobs.offload(key, "on"),)


def coalescing_off(case: Case) -> Sequence[Sign]:
    """GRO is off where packets of an MTU's size arrive."""
    if not case.streams:
        return ()
    facts = case.slow
    cut = _cut(facts)
    lacking = [device for device in without(facts, "gro") if _in_receiver(facts, device)]
    if not lacking or cut is None:
        return ()
    signs = [Sign(0.25, f"receive offload (gro) is off at {lacking[0].name}, and packets of {cut[0]:.0f} bytes come")]
    if case.fast is not None:
        others = [device for device in without(case.fast, "gro") if _in_receiver(case.fast, device)]
        alike = len(others) >= len(lacking)
        signs.append(Sign(-0.15, f"it is off on {case.fast.name}, too") if alike else
                     Sign(0.5, f"it is on on {case.fast.name}"))  # fmt: skip
    return signs


def _in_receiver(facts: Facts, device: DeviceRef) -> bool:
    return device.namespace == facts.receiver


def gso_limit(case: Case) -> Sequence[Sign]:
    """A device takes only small packets, or few segments in one."""
    if not case.streams:
        return ()
    facts = case.slow
    found = [(device, key, value) for device in facts.devices for key, value in _limits(facts, device)]
    if not found:
        return ()
    device, key, value = found[0]
    signs = [Sign(0.45, f"{key} of {device.name} in {device.namespace} is {value}")]
    if case.fast is not None:
        other = any(True for each in case.fast.devices for _ in _limits(case.fast, each))
        signs.append(Sign(-0.4, f"{case.fast.name} is limited, too") if other else
                     Sign(0.35, f"nothing of {case.fast.name} is so limited"))  # fmt: skip
    if (frame := facts.frame) is not None and frame < WHOLE:
        signs.append(Sign(0.2, f"a packet holds {frame:.0f} bytes at the sender"))
    return signs


def _limits(facts: Facts, device: DeviceRef) -> list[tuple[str, int]]:
    """The limits of a device that are below the usual."""
    found = []
    for key, usual in (("gso_max_size", FULL), ("gso_max_segs", 44)):
        text = facts.set_on(device, key)
        if text is not None and text.isdigit() and int(text) < usual:
            found.append((key, int(text)))
    return found


def _unlimited(case: Case) -> Sequence[Knob]:
    usual = {"gso_max_size": FULL, "gso_max_segs": 65535}

    def of(key: str) -> Knob:
        def made(facts: Facts, device: DeviceRef) -> Turn | None:
            limited = dict(_limits(facts, device))
            return Turn(device.namespace, "limit", f"{device.name} {key}", str(usual[key])) if key in limited else None

        def planted(facts: Facts, device: DeviceRef) -> Turn | None:
            value = next(
                (value for each in case.slow.devices for name, value in _limits(case.slow, each) if name == key), 1
            )
            first = facts.devices[0 if facts.kind.active == "local" else -1]
            return Turn(device.namespace, "limit", f"{device.name} {key}", str(value)) if device == first else None

        return knobs.devices(f"{key} {usual[key]}", made, planted)

    present = {key for device in case.slow.devices for key, _ in _limits(case.slow, device)}
    return [of(key) for key in ("gso_max_segs", "gso_max_size") if key in present]


def checksum_in_software(case: Case) -> Sequence[Sign]:
    """Checksum offload is off."""
    return [*_missing(case, "tx", "checksum offload (tx)")]


def scatter_gather_off(case: Case) -> Sequence[Sign]:
    """Scatter-gather is off, so that each packet is copied together first."""
    return [*_missing(case, "sg", "scatter-gather (sg)")]


def stale_features(case: Case) -> Sequence[Sign]:
    """A stacked device that lacks what the device below it has."""
    facts = case.slow
    for upper, lower in zip(facts.devices, facts.devices[1:], strict=False):
        if upper.kind not in ("macvlan", "macvtap", "ipvlan", "vlan") or upper.kind == lower.kind:
            continue
        lost = [key for key, on in lower.offloads.items() if on and upper.offloads.get(key) is False]
        if lost:
            return [Sign(0.3, f"{upper.name} lacks {', '.join(lost)}, which {lower.name} below it has")]
    return ()


def broken_forwarding(case: Case) -> Sequence[Sign]:
    """Much is lost where packets are forwarded, and none of it is counted as dropped."""
    facts = case.slow
    lost = facts.grown("total_retrans")
    between = [device for device in facts.devices if facts.role(device.namespace) == "between"]
    sent = facts.grown("data_segs_out")
    if not case.streams or not between or not lost or not sent or lost < 0.2 * sent:
        return ()
    return [Sign(0.3, f"{100 * lost / sent:.0f} % of the segments were sent again, and the path forwards")]


def tunnel_offload(case: Case) -> Sequence[Sign]:
    """A tunnel whose packets are cut before they enter it."""
    tunnels = [device for device in case.slow.devices if device.kind in TUNNELS]
    cut = _cut(case.slow)
    if not case.streams or not tunnels or cut is None:
        return ()
    return [Sign(0.3, f"packets of {cut[0]:.0f} bytes go through {tunnels[0].name}, a {tunnels[0].kind}")]


def _said(*lines: str) -> Callable[[Case], Sequence[str]]:
    return lambda _case: lines


def _switch(key: str) -> Callable[[Case], Sequence[str]]:
    def advice(case: Case) -> Sequence[str]:
        return [f"ethtool -K {device.name} {key} on   (in {device.namespace})" for device in without(case.slow, key)]

    return advice


def _segment_advice(case: Case) -> Sequence[str]:
    return _switch("tso" if without(case.slow, "tso") else "gso")(case)


def _limit_advice(case: Case) -> Sequence[str]:
    usual = {"gso_max_size": FULL, "gso_max_segs": 65535}
    return [
        f"ip link set {device.name} {key} {usual[key]}   (in {device.namespace})"
        for device in case.slow.devices
        for key, _ in _limits(case.slow, device)
    ]


CAUSES: tuple[Cause, ...] = (
    Cause("segmentation-offload-off", "C1", 4, "segmentation offload is off, so every segment is a packet of its own",
          segmentation_off, _segmentation, _segment_advice, references=("R16",)),
    Cause("receive-coalescing-off", "C2", 4, "the receiver does not put segments together (GRO is off)",
          coalescing_off, lambda _case: (knobs.offload("gro", "on", where=_in_receiver),), _switch("gro"),
          references=("R17",)),
    Cause("gso-limit", "C3", 4, "a device on the path takes only small packets", gso_limit, _unlimited, _limit_advice,
          references=("R13", "R43")),
    Cause("checksum-in-software", "C4", 4, "checksums are made by the CPU", checksum_in_software,
          lambda _case: (knobs.offload("tx", "on"),), _switch("tx"), references=("R1",)),
    Cause("scatter-gather-off", "C5", 4, "packets are copied together before they are sent", scatter_gather_off,
          lambda _case: (knobs.offload("sg", "on"),), _switch("sg"), references=("R1",)),
    Cause("stale-offload-features", "C6", 4, "a stacked device kept the offloads of an earlier time", stale_features,
          no_knobs, _said("make the upper device anew after changing the lower one"), reach="partly",
          references=("R15",)),
    Cause("broken-forwarding-offload", "C7", 3, "an offload breaks packets that are forwarded", broken_forwarding,
          no_knobs, _said("ethtool -K DEVICE tso off gro off, on the forwarding device alone"), reach="partly"),
    Cause("tunnel-offload-missing", "C8", 4, "packets are cut before they enter the tunnel", tunnel_offload,
          no_knobs, _said("ethtool -k DEVICE | grep udp_tnl; a device that offloads the tunnel"), references=("R44",)),
)  # fmt: skip
