"""All that a run prints: `banner` before it, `interim.lines` during it, `lines` after it."""

from collections.abc import Iterator

from pathgauge.peers.netperf import classic, omni
from pathgauge.peers.netperf.banner import banner
from pathgauge.peers.netperf.record import Record
from pathgauge.peers.netperf.settings import Settings
from pathgauge.peers.netperf.units import unit_for

__all__ = ["banner", "is_classic", "lines", "unit_for"]


def is_classic(settings: Settings) -> bool:
    """Whether the run's output is the layout of its test and not one of selectors."""
    return settings.output == "classic" and settings.test != "OMNI"


def lines(record: Record) -> Iterator[str]:
    """Every line after the run. Raises UserError for a selector file that cannot be read."""
    return classic.lines(record) if is_classic(record.settings) else omni.lines(record)
