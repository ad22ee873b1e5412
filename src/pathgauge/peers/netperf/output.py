"""All that a run prints: `banner` before it, `interim.lines` during it, `lines` after it."""

from collections.abc import Iterator

from pathgauge.peers.netperf import classic, omni
from pathgauge.peers.netperf.banner import banner
from pathgauge.peers.netperf.record import Record
from pathgauge.peers.netperf.selectors import percentile
from pathgauge.peers.netperf.settings import Settings
from pathgauge.peers.netperf.units import unit_for

__all__ = ["banner", "is_classic", "lines", "unit_for"]


def is_classic(settings: Settings) -> bool:
    """Whether the run's output is the layout of its test and not one of selectors."""
    return settings.output == "classic" and settings.test != "OMNI"


def lines(record: Record) -> Iterator[str]:
    """Every line after the run. Raises UserError for a selector file that cannot be read."""
    if not is_classic(record.settings):
        yield from omni.lines(record)
        return
    yield from classic.lines(record)
    if record.settings.percentiles and record.latency is not None:  # behind the layout that programs parse
        shown = (f"p{percent:g} {percentile(record, percent):.0f}" for percent in record.settings.percentiles)
        yield f"Latency in us: {', '.join(shown)}, max {1e6 * record.latency_max:.0f}"
