"""The machine's CPU time."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.counters.cpu import MachineCpu, MachineCpuReader, difference, parse_stat
from pathgauge.errors import MachineError

TICKS = st.integers(0, 2**50)


def test_each_column_goes_to_its_place() -> None:
    cpu = parse_stat(b"cpu  100 200 300 400 500 600 700 800 90 10\ncpu0 1 2 3\n", 100)
    assert cpu == MachineCpu(busy=19.0, softirq=7.0, steal=8.0, idle=9.0)


def test_guest_time_is_not_counted_twice() -> None:
    with_guest, without = (parse_stat(b"cpu  100 0 0 0 0 0 0 0 %d 0\n" % guest, 100) for guest in (100, 0))
    assert with_guest == without


@given(st.lists(TICKS, min_size=8, max_size=12), st.sampled_from([100, 250, 1000]))
def test_times_are_conserved(columns: list[int], hz: int) -> None:
    cpu = parse_stat(b"cpu " + " ".join(map(str, columns)).encode() + b"\n", hz)
    assert cpu.busy + cpu.steal + cpu.idle == pytest.approx(sum(columns[:8]) / hz)
    assert 0 <= cpu.softirq <= cpu.busy


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"cpu\n",
        b"cpu 1 2 3 4 5 6 7\n",
        b"cpu 1 2 3 4 5 6 7 8",
        b"cpu0 1 2 3 4 5 6 7 8\n",
        b"cpu a b c d e f g h\n",
    ],
    ids=["empty", "blank", "bare", "short", "cut", "one CPU", "words"],
)
def test_foreign_text_is_refused(text: bytes) -> None:
    with pytest.raises(MachineError, match="/proc/stat"):
        parse_stat(text, 100)


def test_difference_is_what_was_spent_between() -> None:
    spent = difference(MachineCpu(1.0, 0.5, 0.25, 10.0), MachineCpu(3.0, 1.5, 0.5, 11.0))
    assert spent == MachineCpu(busy=2.0, softirq=1.0, steal=0.25, idle=1.0)


def test_iowait_running_backwards_makes_no_negative_idle_time() -> None:
    assert difference(MachineCpu(1, 0, 0, 10), MachineCpu(1, 0, 0, 9.99)).idle == 0


def test_the_machine_spends_what_we_spend() -> None:
    with MachineCpuReader() as reader:
        before, start = reader.read(), time.process_time()
        while time.process_time() - start < 0.2:
            pass
        spent = difference(before, reader.read())
    assert spent.busy >= 0.1  # sampled at ticks: not exact
    assert spent.busy + spent.idle + spent.steal <= (os.cpu_count() or 1) * 10


def test_the_file_is_opened_once(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 0 0 0 0 0 0 0 0\n")
    with MachineCpuReader(str(stat)) as reader:
        assert reader.read().busy == 0
        stat.write_bytes(b"cpu 1000 0 0 0 0 0 0 0\n")
        assert reader.read().busy > 0


def test_closing_twice_is_fine_and_reading_then_says_so(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_bytes(b"cpu 0 0 0 0 0 0 0 0\n")
    reader = MachineCpuReader(str(stat))
    reader.close()
    reader.close()
    with pytest.raises(MachineError):
        reader.read()


def test_a_missing_file_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be read"):
        MachineCpuReader(str(tmp_path / "none"))
