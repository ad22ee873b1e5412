"""Whether a slice counts: the devices of its path must have carried its payload (design rule 6)."""

from collections.abc import Mapping, Sequence

from pathgauge.counters.link import LinkCounters
from pathgauge.paths.types import DeviceRef
from pathgauge.results.document import Slice
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters

Key = tuple[str, str]
STRAY_SHARE = 0.01
ABOVE_WIRE = 1.1  # a bucket that was not spent in time may lift a slice so far above its wire's rate, and no further
STRAY_BYTES = 10_000  # ARP, neighbour discovery, the closing of an earlier connection
STRAY_PACKETS = 30  # the same
LAST_BYTES, LAST_PACKETS = 200, 2  # of a connection that has come to rest: its delayed ACK


def in_packet(kind: TestKind, parameters: Parameters) -> int:
    """How many transactions may share a packet: TCP puts requests together that are in flight at once."""
    return 1 + parameters.burst if kind.transport == "tcp" and "burst" in kind.parameters else 1


def why_void(
    row: Slice,
    kind: TestKind,
    devices: Sequence[DeviceRef],
    others: Sequence[Key],
    before: Mapping[Key, LinkCounters],
    after: Mapping[Key, LinkCounters],
    rate: int | None = None,
    *,
    shared: int = 1,
    standing: int = 0,
) -> str | None:
    """Why the slice does not count; None if it does. `others` are devices that only other paths run through, `rate` the
    wire's in bit/s, None for an unshaped one, `shared` how many transactions may share a packet, `standing` how many
    connections stand, those of all paths.
    """
    moved = row.transactions if kind.pattern == "transactions" else row.bytes_received
    if moved <= 0:
        return "nothing came through"
    seconds = row.remote_seconds if kind.passive == "remote" else row.local_seconds
    if rate is not None and 8 * row.bytes_received > ABOVE_WIRE * rate * seconds:
        return (
            "more came through than the wire carries: its shaper's burst was still being spent; "
            "a longer --slice shows less of it"
        )
    carried = not_carried([(row, devices)], kind, before, after, shared)
    return carried or _strayed(row, kind, others, before, after, standing)


def why_crowd_void(
    whole: Slice,
    pieces: Sequence[tuple[Slice, Sequence[DeviceRef]]],
    kind: TestKind,
    others: Sequence[Key],
    before: Mapping[Key, LinkCounters],
    after: Mapping[Key, LinkCounters],
    rate: int | None = None,
    *,
    shared: int = 1,
    duplex: bool = False,
    standing: int = 0,
) -> str | None:
    """The same for many loops at once: `whole` is their sum, `pieces` what each did and by which devices, in both
    directions if `duplex`. One that got nothing through is no reason: that is what fairness tells.
    """
    void = why_void(whole, kind, (), others, before, after, rate, standing=standing)
    return void or not_carried(pieces, kind, before, after, shared, duplex=duplex)


def not_carried(
    pieces: Sequence[tuple[Slice, Sequence[DeviceRef]]],
    kind: TestKind,
    before: Mapping[Key, LinkCounters],
    after: Mapping[Key, LinkCounters],
    shared: int = 1,
    *,
    duplex: bool = False,
) -> str | None:
    """Which device did not carry what all slices that ran through it brought to their ends; None where each did."""
    needs: dict[Key, tuple[int, int]] = {}
    for row, devices in pieces:
        asked = row.transactions if kind.pattern == "transactions" else 0
        for device in devices:
            if device.role != "passed":
                key = device.namespace, device.name
                needed, pairs = needs.get(key, (0, 0))
                needs[key] = needed + row.total_bytes_received, pairs + asked
    for (space, name), (needed, pairs) in needs.items():
        carried = _carried(before, after, (space, name), duplex=duplex)
        if carried < needed:
            return f"{name} in {space} carried {carried} bytes of {needed}: the traffic took another path"
        # A message of few bytes is lost among ARP and ACKs; its packet is not, each way.
        packets = _packets(before, after, (space, name))
        if packets < pairs // shared:
            return (
                f"{name} in {space} carried {packets} packets each way of {pairs} transactions: "
                "the traffic took another path"
            )
    return None


def _strayed(
    row: Slice,
    kind: TestKind,
    others: Sequence[Key],
    before: Mapping[Key, LinkCounters],
    after: Mapping[Key, LinkCounters],
    standing: int,
) -> str | None:
    asked = row.transactions if kind.pattern == "transactions" else 0
    for key in others:
        strayed = _carried(before, after, key)
        if strayed > STRAY_SHARE * row.total_bytes_received + STRAY_BYTES + LAST_BYTES * standing:
            return f"{key[1]} in {key[0]}, which is another path's, carried {strayed} bytes"
        packets = _packets(before, after, key)
        if asked and packets > STRAY_SHARE * asked + STRAY_PACKETS + LAST_PACKETS * standing:
            return f"{key[1]} in {key[0]}, which is another path's, carried {packets} packets each way"
    return None


def _carried(
    before: Mapping[Key, LinkCounters], after: Mapping[Key, LinkCounters], key: Key, *, duplex: bool = False
) -> int:
    """Bytes in the busier direction, or in both; 0 for a device that is not there."""
    if key not in before or key not in after:
        return 0
    sent = after[key].tx_bytes - before[key].tx_bytes
    received = after[key].rx_bytes - before[key].rx_bytes
    return sent + received if duplex else max(sent, received)


def _packets(before: Mapping[Key, LinkCounters], after: Mapping[Key, LinkCounters], key: Key) -> int:
    """Packets in the less busy direction; 0 for a device that is not there."""
    if key not in before or key not in after:
        return 0
    sent = after[key].tx_packets - before[key].tx_packets
    return min(sent, after[key].rx_packets - before[key].rx_packets)
