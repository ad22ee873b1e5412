"""The measurement itself: before a path is blamed, what was measured has to be what was meant.

The traffic has to take the path that bears the name, both sides have to be asked the same, and something other than the
wire, the clock or the order of the runs has to make the difference.
"""

from collections.abc import Callable, Sequence

from pathgauge.explain.case import Case
from pathgauge.explain.cause import Cause, Sign, no_knobs

FULL = 0.97  # of what a wire carries
PAYLOAD = 0.956  # of a wire's rate that is payload
DIFFERENT = 1.5  # sent to received


def wrong_path(case: Case) -> Sequence[Sign]:
    """Slices whose devices did not carry the payload."""
    void = [row.void for facts in case.both() for row in facts.rows if row.void is not None]
    return [Sign(0.6, void[0])] if void else ()


def ceiling(case: Case) -> Sequence[Sign]:
    """Both at what their wire carries."""
    shares = [
        facts.goodput / (PAYLOAD * facts.path.rate)
        for facts in case.both()
        if facts.path.rate is not None and facts.goodput is not None
    ]
    if case.kind.pattern != "stream" or len(shares) < len(case.both()) or min(shares, default=0.0) < FULL:
        return ()
    return [
        Sign(
            0.45 if case.fast is None else 0.12, f"the path runs at {100 * min(shares):.0f} % of what its wire carries"
        )
    ]


def unequal(case: Case) -> Sequence[Sign]:
    """Test parameters that differ between the paths."""
    if case.fast is None:
        return ()
    ignored = ("local_cpu", "remote_cpu", "local_quota", "remote_quota")
    names = [name for name in case.slow.parameters.__struct_fields__ if name not in ignored and case.differs(name)]
    if not names:
        return ()
    told = ", ".join(name.replace("_", "-") for name in names)
    return [Sign(0.12, f"the paths are tested with different settings: {told}")]


def misreporting(case: Case) -> Sequence[Sign]:
    """More was sent than came."""
    facts = case.slow
    sent, received = (sum(getattr(row, f"total_bytes_{way}") for row in facts.rows) for way in ("sent", "received"))
    if case.kind.transport != "udp" or case.kind.pattern != "stream" or received == 0 or sent < DIFFERENT * received:
        return ()
    return [Sign(0.12, f"the sender sent {sent / received:.2g} times what arrived: its own rate says nothing")]


def nothing(case: Case) -> Sequence[Sign]:
    """What a comparison's own doubts look for: nothing is known of it here."""
    del case
    return ()


def _said(*lines: str) -> Callable[[Case], Sequence[str]]:
    return lambda _case: lines


CAUSES: tuple[Cause, ...] = (
    Cause("wrong-path", "G1", 1, "the traffic took another path than the one named", wrong_path, no_knobs,
          _said("ip route get ADDRESS, in the client's namespace")),
    Cause("ceiling", "G2", 1, "the wire itself is the limit", ceiling, no_knobs,
          _said("compare what it costs: --metric service_demand_machine, or a faster wire")),
    Cause("order-drift", "G3", 6, "the order of the slices, or drift, makes the difference", nothing, no_knobs,
          _said("pathgauge compare says so as a doubt: order-effect, trend")),
    Cause("unequal-settings", "G4", 1, "the two paths are tested with different settings", unequal, no_knobs,
          _said("give both the same settings, or mean the difference")),
    Cause("misreporting", "G5", 6, "the sender's rate is taken for the receiver's", misreporting, no_knobs,
          _said("look at goodput and loss, not at send_rate")),
    Cause("too-few-blocks", "G6", 6, "too little was measured to tell", nothing, no_knobs,
          _said("a longer --max-time")),
    Cause("observer-effect", "G7", 6, "watching changes what is watched", nothing, no_knobs,
          _said("stop other measuring; pathgauge reads little while it decides")),
)  # fmt: skip
