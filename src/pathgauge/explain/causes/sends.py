"""How the application hands its data to TCP: in how large pieces, and whether TCP may gather them.

Each send is a system call and, unless TCP can gather, a packet of its own on its way down the stack. Sends far below
64 KiB defeat segmentation offload, which carries up to 64 KiB through the whole stack as one packet. A send below the
maximum segment size waits, under Nagle's algorithm, for the acknowledgement of what is under way; without Nagle it goes
out as a small packet at once. Both can cost: the first time, the second packets.
"""

from collections.abc import Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case
from pathgauge.explain.cause import Cause, Knob, Sign
from pathgauge.quantities import significant

LARGE = 65536
SMALL = 16384  # bytes: sends below it are small beside what offload can carry
BUSY = 0.8  # of a CPU
FEW_SEGMENTS = 8.0  # in a packet, where up to 45 fit
STALL = 0.02  # seconds of a transaction: half of a delayed ACK's timer
STALLED = 0.5  # delayed ACKs for each transaction


def small_sends(case: Case) -> Sequence[Sign]:
    """Small, and the sender is busy with them."""
    facts, fast = case.slow, case.fast
    size = facts.parameters.send_size
    if not case.streams or size is None or size >= SMALL:
        return ()
    signs = [Sign(0.3, f"each send is {size} bytes, {significant(LARGE / size, 2)} times less than 64 KiB")]
    if fast is not None and case.differs("send_size") and (fast.parameters.send_size or 0) > size:
        signs.append(Sign(0.5, f"{fast.name} sends {fast.parameters.send_size} bytes at a time"))
    if (cpu := facts.sender_cpu) is not None and cpu > BUSY:
        signs.append(Sign(0.4, f"the sender's CPU is busy: {cpu:.2f} CPU"))
    frame, mss = facts.frame, facts.last("snd_mss")
    if frame is not None and mss and frame / mss < FEW_SEGMENTS:
        signs.append(Sign(0.2, f"a packet holds {frame / mss:.1f} segments on its way down, of up to 45"))
    if fast is not None and fast.parameters.send_size == size:
        signs.append(Sign(-0.4, f"{fast.name} sends as little at a time"))
    return signs


def mss_mismatch(case: Case) -> Sequence[Sign]:
    """Sends that fill no whole number of segments."""
    size, mss = case.slow.parameters.send_size, case.slow.last("snd_mss")
    if not case.streams or size is None or not mss or size >= SMALL or size % mss == 0:
        return ()
    rest = size % mss
    return [Sign(0.12, f"a send of {size} bytes leaves {rest:.0f} of {mss:.0f} bytes for a segment that is not full")]


def _whole_segments(case: Case) -> Sequence[Knob]:
    size, mss = case.slow.parameters.send_size or 1, int(case.slow.last("snd_mss") or 1448)
    return (knobs.parameter("send-size", mss * max(1, round(size / mss))),)


def _sent_ahead(case: Case) -> tuple[str, int] | None:
    """What is sent before what went before it is answered, in a word, and its size in bytes: a stream's sends, requests
    in flight at once.
    """
    given = case.slow.parameters
    if case.streams:
        return None if given.send_size is None else ("sends", given.send_size)
    several = case.kind.transport == "tcp" and "burst" in case.kind.parameters and given.burst > 0
    return ("requests", given.request_size) if several else None


def nagle(case: Case) -> Sequence[Sign]:
    """Sends below the segment size, one after the other, with the algorithm on."""
    facts, mss, sent = case.slow, case.slow.last("snd_mss"), _sent_ahead(case)
    if facts.parameters.nodelay or sent is None or not mss or sent[1] >= mss:
        return ()
    told = f"{sent[0]} of {sent[1]} bytes are below the segment size of {mss:.0f}, and Nagle's algorithm is on"
    signs = [Sign(0.15 if case.streams else 0.3, told)]
    if case.fast is not None and case.fast.parameters.nodelay:
        signs.append(Sign(0.6, f"on {case.fast.name} it is off"))
    if (cpu := facts.sender_cpu) is not None and cpu < 1.0 - BUSY:
        signs.append(Sign(0.3, f"the sender mostly waits: {cpu:.2f} CPU"))
    return signs


def nagle_delayed_ack(case: Case) -> Sequence[Sign]:
    """Requests or responses of more than a segment, and transactions that last as long as a delayed ACK."""
    facts = case.slow
    if case.kind.pattern != "transactions" or case.kind.transport != "tcp" or facts.parameters.nodelay:
        return ()
    mss = facts.last("snd_mss") or 1448
    sizes = facts.parameters.request_size, facts.parameters.response_size
    tails = [size for size in sizes if size > mss and size % mss]
    if not tails or not facts.transactions:
        return ()
    signs = [Sign(0.3, f"messages of {tails[0]} bytes end in a segment that is not full, and Nagle's algorithm is on")]
    each = facts.seconds / facts.transactions
    if each > STALL:
        signs.append(Sign(0.5, f"a transaction takes {1e3 * each:.3g} ms, as long as a delayed ACK"))
    delayed = facts.counted("tcpext.DelayedACKs")
    if delayed is not None:
        rate = delayed / facts.transactions
        signs.append(Sign(0.4 if rate > STALLED else -0.5, f"{rate:.2g} delayed ACKs for each transaction"))
    return signs


def tinygrams(case: Case) -> Sequence[Sign]:
    """Nagle off, and many small packets."""
    facts, mss, sent = case.slow, case.slow.last("snd_mss"), _sent_ahead(case)
    if not facts.parameters.nodelay or sent is None or not mss or sent[1] >= mss:
        return ()
    signs = [Sign(0.3, f"{sent[0]} of {sent[1]} bytes go out at once, each in a packet of its own (TCP_NODELAY)")]
    if case.fast is not None and not case.fast.parameters.nodelay:
        signs.append(Sign(0.6, f"on {case.fast.name} TCP may gather them"))
    if (frame := facts.frame) is not None and frame < mss / 2:
        signs.append(Sign(0.3, f"a packet is {frame:.0f} bytes"))
    return signs


def autocorking(case: Case) -> Sequence[Sign]:
    """TCP's own gathering of small sends while packets of theirs still queue."""
    facts = case.slow
    size = facts.parameters.send_size
    if not case.streams or size is None or size >= LARGE:
        return ()
    if facts.sysctl(facts.sender, "net/ipv4/tcp_autocorking") != "0":
        return ()
    signs = [Sign(0.4, "net.ipv4.tcp_autocorking is 0 at the sender")]
    if case.fast is not None:
        other = case.fast.sysctl(case.fast.sender, "net/ipv4/tcp_autocorking")
        if other is not None:
            told = f"on {case.fast.name} it is {other}"
            signs.append(Sign(-0.6 if other == "0" else 0.3, told))
    return signs


CAUSES: tuple[Cause, ...] = (
    Cause(
        "small-sends", "A5", 4, "each small send costs a system call and a packet of its own",
        small_sends, lambda _case: (knobs.parameter("send-size", LARGE, plant=1400),),
        lambda _case: ("use sends of 32 KiB or more (writev, sendfile, a buffer in the application)",),
        references=("R2", "R8"),
    ),
    Cause(
        "send-mss-mismatch", "A6", 4, "sends that fill no whole number of segments make odd, small packets",
        mss_mismatch, _whole_segments,
        lambda _case: ("send a multiple of the MSS, or 32 KiB and more",), references=("R2",),
    ),
    Cause(
        "nagle", "A7", 2, "Nagle's algorithm holds sends below the segment size until an ACK comes",
        nagle, lambda _case: (knobs.parameter("nodelay", True, plant=False),),
        lambda _case: ("set TCP_NODELAY, or gather the data in the application",), references=("R2",),
    ),
    Cause(
        "nagle-delayed-ack", "A8", 5, "Nagle's algorithm waits for an ACK that the other side delays",
        nagle_delayed_ack, lambda _case: (knobs.parameter("nodelay", True, plant=False),),
        lambda _case: ("set TCP_NODELAY, or write each message whole (writev)",), references=("R19",),
    ),
    Cause(
        "tinygrams", "A9", 4, "with TCP_NODELAY each small send becomes a packet of its own",
        tinygrams, lambda _case: (knobs.parameter("nodelay", False, plant=True),),
        lambda _case: ("gather small writes (MSG_MORE, TCP_CORK, writev), or leave TCP_NODELAY off",),
        references=("R2",),
    ),
    Cause(
        "autocorking", "A10", 4, "TCP may not gather small sends while earlier ones still queue (auto-corking is off)",
        autocorking,
        lambda _case: (knobs.sysctl("sender", "net/ipv4/tcp_autocorking", "1", plant="0"),),
        lambda _case: ("sysctl -w net.ipv4.tcp_autocorking=1",), references=("R19", "R39"),
    ),
)  # fmt: skip
