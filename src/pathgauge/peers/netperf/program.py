"""netperf from its command line to its exit code."""

import math
import os
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pathgauge import __version__
from pathgauge.peers.netperf import confidence, frames, interim, options, output, selection, units
from pathgauge.peers.netperf.control import Control
from pathgauge.peers.netperf.frames import Frame, Kind
from pathgauge.peers.netperf.iteration import Client, Once, moved_bytes, throughput
from pathgauge.peers.netperf.record import Confidence, CpuUse, Record
from pathgauge.peers.netperf.settings import Settings
from pathgauge.report.output import say
from pathgauge.results.latency import Histogram, seconds

NS = 1e9


@dataclass(slots=True)
class Interims:
    """Prints interim results: what was moved since the last, when its interval is over."""

    settings: Settings
    number: int = 0
    last: tuple[float, int, int] = (0.0, 0, 0)

    def __call__(self, elapsed: float, moved: int, transactions: int) -> None:
        """To be called often while the data move."""
        wanted = abs(self.settings.interim)
        if wanted and elapsed - self.last[0] >= wanted:
            self._say(elapsed, moved, transactions)

    def end(self, found: Once) -> None:
        """To be called when the iteration is over: what was left of it is the last interim result."""
        if self.settings.interim and found.elapsed > self.last[0]:
            moved = found.local.bytes_sent + found.local.bytes_received
            self._say(found.elapsed, moved, found.transactions)

    def _say(self, elapsed: float, moved: int, transactions: int) -> None:
        since = elapsed - self.last[0]
        letter = units.unit_for(self.settings)
        rate = units.figure(letter, (moved - self.last[1]) / since, (transactions - self.last[2]) / since)
        _print(*interim.lines(interim.Interim(self.number, rate, since, time.time()), letter, self.settings.output))
        self.number += 1
        self.last = (elapsed, moved, transactions)


@dataclass(slots=True)
class Gathered:
    """All iterations of a run."""

    settings: Settings
    found: list[Once] = field(default_factory=list)

    def judged(self) -> Confidence:
        """How sure their means are."""
        rates = [throughput(self.settings, once) for once in self.found]
        local = [once.local.cpu.utilisation for once in self.found]
        remote = [once.remote.cpu.utilisation for once in self.found]
        return confidence.judge(self.settings, rates, local, remote)

    def record(self, ends: Record) -> Record:
        """The whole run: means over the iterations, counters of the last."""
        last = self.found[-1]
        record = replace(
            ends,
            throughput=statistics.fmean(throughput(self.settings, once) for once in self.found),
            receive_throughput=statistics.fmean(self._received(once) for once in self.found),
            elapsed=statistics.fmean(once.elapsed for once in self.found),
            transactions=last.transactions,
            mss=last.mss,
            local=last.local,
            remote=last.remote,
            confidence=self.judged(),
        )
        for side in ("local", "remote"):
            uses = [getattr(once, side).cpu for once in self.found]
            end = getattr(record, side)
            end.cpu = self._mean_use(uses)
            end.cpu.demand = self._demand(record, end.cpu)
        self._add_latency(record)
        return record

    def _received(self, once: Once) -> float:
        letter = units.unit_for(self.settings)
        return units.figure(letter, once.remote.bytes_received / max(once.elapsed, 1 / NS))

    @staticmethod
    def _mean_use(uses: list[CpuUse]) -> CpuUse:
        return replace(uses[-1], utilisation=statistics.fmean(use.utilisation for use in uses))

    def _demand(self, record: Record, use: CpuUse) -> float:
        if use.utilisation < 0:
            return -1.0
        works = []
        for once in self.found:
            per_transaction = units.unit_for(self.settings) in (units.TRANSACTIONS, units.MICROSECONDS)
            work = once.transactions if per_transaction else moved_bytes(self.settings, once) / units.KIB
            works.append(work)
        return units.demand(use.utilisation, use.count, record.elapsed, statistics.fmean(works))

    def _add_latency(self, record: Record) -> None:
        import numpy as np

        parts = [np.frombuffer(once.histogram, dtype=np.uint32) for once in self.found if once.histogram]
        if not parts:
            return
        every = np.stack(parts)
        dense = every.sum(axis=0, dtype=np.int64)
        places = np.flatnonzero(dense)
        if not len(places):
            return
        counts = dense[places]
        values, total = seconds(places), int(counts.sum())
        mean = float(values @ counts) / total
        record.latency = Histogram(places, counts)
        record.latency_min, record.latency_max = float(values[0]), float(values[-1])
        record.latency_mean = mean
        record.latency_deviation = math.sqrt(float(((values - mean) ** 2) @ counts) / total)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code. Raises PathgaugeError."""
    settings = options.parse(arguments)
    if settings.show:
        return _show(settings.show)
    if settings.ignored:
        say(sys.stderr, f"netperf: these words are no options and are passed over: {' '.join(settings.ignored)}")
    if settings.selection == "?":
        _print(*selection.listing(settings.output))
        return 1
    if settings.local.cpu >= 0:
        _bind(settings.local.cpu)
    if settings.test in ("LOC_CPU", "UUID"):
        return _alone(settings)
    if not output.is_classic(settings):
        selection.blocks(settings)  # a selector file that is not there is found before the run
    if not settings.control:
        return _measure(settings, None)
    with Control.open(settings) as control:
        if settings.test == "REM_CPU":
            return _calibrate(settings, control)
        return _measure(settings, control)


def _show(what: str) -> int:
    """Help and version; netperf ends with 1 after its help."""
    if what == "version":
        _print(f"pathgauge {__version__}, as netperf")
        return 0
    _print(options.help_text() if what == "help" else options.test_help_text())
    return 1


def _bind(number: int) -> None:
    try:
        os.sched_setaffinity(0, {number})
    except (OSError, ValueError) as error:
        say(sys.stderr, f"netperf: -T: CPU {number} is not to be had: {error}")


def _alone(settings: Settings) -> int:
    if settings.test == "UUID":
        sys.stdout.write(settings.uuid or str(uuid.uuid4()))
    else:
        _print_rate(settings, float(os.sysconf("SC_CLK_TCK")), f"{os.cpu_count() or 1} local")
    return 0


def _calibrate(settings: Settings, control: Control) -> int:
    found = frames.CALIBRATION.unpack(control.ask(Frame(Kind.CALIBRATE, settings.remote.cpu)).payload)
    _print_rate(settings, float(found["rate"]), f"{int(found['cpus'])} remote")
    return 0


def _print_rate(settings: Settings, rate: float, cpus: str) -> None:
    sys.stdout.write(f"{rate:g}")  # without a newline, as netperf's
    if settings.verbosity > 1:
        sys.stdout.write(f"\nThere are {cpus} cpus\n")


def _measure(settings: Settings, control: Control | None) -> int:
    ends = _ends(settings, control)
    settings.uuid = settings.uuid or str(uuid.uuid4())
    line = output.banner(ends)
    if line and settings.output != "json":  # the document is to stand alone
        _print(line)
    gathered = Gathered(settings)
    client = Client(settings, control, lambda *_: None)
    while True:
        client.tell = interims = Interims(settings)
        gathered.found.append(client.once())
        interims.end(gathered.found[-1])
        if client.stopped or not confidence.goes_on(settings, gathered.judged()):
            break
    _print(*output.lines(gathered.record(ends)))
    return 0


def _ends(settings: Settings, control: Control | None) -> Record:
    """The two ends' names and addresses, as the banner shows them."""
    import socket

    family = control.family if control else socket.AF_INET
    six = family == socket.AF_INET6
    anywhere = "::0" if six else "0.0.0.0"  # noqa: S104 - how netperf shows an end that is bound to no address
    source = settings.local.address or settings.control_local or anywhere
    target = settings.remote.address or settings.host or ("::1" if six else "localhost")
    return Record(
        settings=settings,
        source_name=source,
        source_address="::" if source == "::0" else source,
        source_port=settings.local.port,
        target_name=target,
        target_address=control.remote_address if control and not settings.remote.address else target,
        target_port=settings.remote.port,
        family="AF_INET6" if six else "AF_INET",
    )


def _print(*lines: str) -> None:
    say(sys.stdout, *lines)
