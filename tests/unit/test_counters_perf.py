"""CPU cycles of the whole machine: the same code on a software clock, which every machine has."""

import errno
import os
import time
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.counters import perf
from pathgauge.errors import MachineError

SOFTWARE_CPU_CLOCK = (1, 0)  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK: ns in which the CPU's counter ran
SOFTWARE_CONTEXT_SWITCHES = (1, 3)


def skip_for(reason: str) -> NoReturn:
    if "refuses" in reason:
        pytest.skip(f"needs root: {reason}")
    pytest.skip(f"kernel lacks the counter: {reason}")


def open_clock(event: tuple[int, int] = SOFTWARE_CPU_CLOCK) -> perf.HardwareCounter:
    try:
        return perf._open(*event)
    except perf._Unavailable as reason:
        skip_for(str(reason))


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_counts_on_every_cpu_of_the_machine() -> None:
    counter = open_clock()
    before, start = counter.read(), time.monotonic_ns()
    time.sleep(0.1)
    after, elapsed = counter.read(), time.monotonic_ns() - start
    counter.close()
    assert before is not None
    assert after is not None
    # The clock runs on each CPU for as long as the counter stands: so the sum tells how many CPUs are counted.
    assert (after - before) / elapsed == pytest.approx(os.cpu_count() or 1, rel=0.2)


def test_each_counter_counts_its_own_cpu() -> None:
    allowed = os.sched_getaffinity(0)
    cpu = max(allowed)
    index = perf.parse_cpu_list(Path(perf.ONLINE_CPUS).read_text(encoding="ascii")).index(cpu)
    counter = open_clock(SOFTWARE_CONTEXT_SWITCHES)
    try:
        os.sched_setaffinity(0, {cpu})
        before = perf._read_counter(counter._counters[index])
        for _ in range(200):
            time.sleep(0.0001)  # gives the CPU away
        after = perf._read_counter(counter._counters[index])
    finally:
        os.sched_setaffinity(0, allowed)
        counter.close()
    assert before is not None
    assert after is not None
    assert after - before >= 200


def test_closing_gives_all_descriptors_back_and_reading_then_says_so() -> None:
    before = descriptors()
    counter = open_clock()
    assert len(descriptors() - before) == (os.cpu_count() or 1) + 1
    counter.close()
    counter.close()
    assert descriptors() == before
    with pytest.raises(MachineError):
        counter.read()


def test_a_cpu_that_came_or_went_makes_the_reading_unknown() -> None:
    counter = open_clock()
    counter._online_at_start = b"0-4095\n"
    assert counter.read() is None
    counter.close()


def test_opening_and_the_reason_agree() -> None:
    before = descriptors()
    counter, reason = perf.open_counter(perf.CYCLES), perf.why_no_cycles()
    assert (counter is None) == (reason != "")
    if counter is not None:
        counter.close()
    assert descriptors() == before


def test_cycles_where_there_are_some() -> None:
    counter = perf.open_counter(perf.CYCLES)
    if counter is None:
        skip_for(perf.why_no_cycles())
    before, start = counter.read(), time.process_time()
    while time.process_time() - start < 0.05:
        pass
    after = counter.read()
    counter.close()
    assert before is not None
    assert after is not None
    assert after - before > 0.05 * 1e8  # no CPU of today runs below 100 MHz


def test_too_few_descriptors_close_what_was_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []

    def one_only(*_: int) -> int:
        if opened:
            raise perf._Unavailable(perf._reason(errno.EMFILE, 1))
        opened.append(os.open("/dev/null", os.O_RDONLY))
        return opened[0]

    monkeypatch.setattr(perf, "_open_counter", one_only)
    monkeypatch.setattr(perf, "_read_counter", lambda _: 0)
    monkeypatch.setattr(perf, "parse_cpu_list", lambda _: [0, 1])
    before = descriptors()
    assert perf.open_counter(perf.CYCLES) is None
    assert descriptors() == before
    assert opened


def test_an_unknown_processor_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    assert perf.open_counter(perf.CYCLES) is None
    assert "pdp11" in perf.why_no_cycles()


@pytest.mark.parametrize(
    ("raw", "count"),
    [((5, 100, 100), 5), ((5, 100, 50), None), ((5, 100, 0), None)],
    ids=["whole", "multiplexed", "never ran"],
)
def test_only_what_was_counted_all_the_time_counts(raw: tuple[int, int, int], count: int | None) -> None:
    reader, writer = os.pipe()
    os.write(writer, perf._READING.pack(*raw))
    os.close(writer)
    assert perf._read_counter(reader) == count
    assert perf._read_counter(reader) is None  # end of file: the pinned counter lost its place
    os.close(reader)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "perf_event_paranoid"),
        (errno.ENOENT, "no hardware cycle counter"),
        (errno.EMFILE, "file descriptors"),
        (errno.ENOSYS, "no perf events"),
        (errno.EINVAL, "Invalid argument"),
    ],
)
def test_every_refusal_has_its_reason(code: int, words: str) -> None:
    assert words in perf._reason(code, 0)


@given(st.sets(st.integers(0, 300), min_size=1))
def test_cpu_lists(cpus: set[int]) -> None:
    assert perf.parse_cpu_list(",".join(map(str, sorted(cpus)))) == sorted(cpus)
    first, last = min(cpus), max(cpus)
    assert perf.parse_cpu_list(f"{first}-{last}\n") == list(range(first, last + 1))
