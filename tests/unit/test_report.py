import io
import itertools
import re
from collections.abc import Sequence

import msgspec
import pytest

from builders import comparison, costs, result
from pathgauge.errors import MachineError
from pathgauge.measuring.observer import Observer, Progress
from pathgauge.report import format as words
from pathgauge.report.progress import Lines, Live, is_terminal, look_of
from pathgauge.report.table import Look, lines
from pathgauge.results.document import Comparison, Device, PathDescription, Ratio, Receiving, Result, VerdictName

ESCAPE = "\x1b"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("estimate", "low", "high", "text"),
    [
        (0.953, 0.948, 0.959, "-4.7 % [-5.2, -4.1]"),
        (1.0004, 0.9998, 1.001, "+0.04 % [-0.02, +0.10]"),
        (3.0, 2.9, 3.1, "+200.0 % [+190.0, +210.0]"),
        (0.95, None, None, "-5.0 % [?, ?]"),
        (None, None, None, "unknown"),
    ],
)
def test_differences(estimate: float | None, low: float | None, high: float | None, text: str) -> None:
    assert words.difference(Ratio(estimate=estimate, low=low, high=high, confidence=0.95)) == text


@pytest.mark.parametrize(
    ("metric", "verdict", "text"),
    [
        ("goodput", "slower", "slower"),
        ("goodput", "equivalent", "equivalent"),
        ("latency_p99", "slower", "slower"),
        ("delay_request_p50", "slower", "slower"),
        ("cpu_local", "slower", "slower (worse)"),
        ("cpu_local", "faster", "faster (better)"),
        ("loss", "undecided", "undecided"),
    ],
)
def test_verdicts_in_words(metric: str, verdict: VerdictName, text: str) -> None:
    assert words.verdict(comparison(metric=metric, verdict=verdict)) == text


def test_the_table_in_a_pipe() -> None:
    header, row, *rest = lines(result(), Look())
    assert header.split()[:3] == ["test", "host", "(baseline)"]
    for part in (
        "TCP_STREAM",
        "9.00 Gbit/s",
        "8.58 Gbit/s",
        "-4.7 % [-5.2, -4.1]",
        "0.500/1.50 CPU",
        "0.600/1.60 CPU",
        "2.50/3.50 us/KiB",
        "2.60/3.60 us/KiB",
        "slower",
    ):
        assert part in row
    assert "95 % interval" in "\n".join(rest)
    assert ESCAPE not in header + row


def test_every_cell_stands_below_its_heading() -> None:
    header, row, *_ = lines(result(comparison(), comparison("TCP_RR", "transaction_rate", values=(4e4, 4e4))), Look())
    assert row.index("slower") == header.index("verdict")
    assert row.index("9.00 Gbit/s") + len("9.00 Gbit/s") == header.index("(baseline)") + len("(baseline)")


@pytest.mark.parametrize("width", [30, 45, 60, 79, 80, 100, 120, 140, 160])
def test_a_terminal_of_any_width_has_every_number_whole_and_no_line_folded(width: int) -> None:
    wide = next(line for line in lines(result(), Look()) if line.startswith("TCP_STREAM"))
    table = list(
        itertools.takewhile(lambda line: not line.startswith("Difference"), lines(result(), Look(width=width)))
    )
    cells = [cell for cell in re.split(r"  +", wide) if cell]
    assert all(any(cell in line for line in table) for cell in cells)
    assert all(len(line) <= max(width, 44) for line in table)


def test_eighty_columns_hold_what_matters_in_one_table() -> None:
    header, row, *_ = lines(result(), Look(width=80))
    assert header.endswith("verdict")
    assert row.endswith("slower")


def test_margins_are_told() -> None:
    assert "within the margin, 2 %." in "\n".join(lines(result(), Look()))
    loss = msgspec.structs.replace(comparison(metric="loss"), margin=0.1)
    assert "2 % (goodput), 10 % (loss)." in "\n".join(lines(result(comparison(), loss), Look()))


def test_unknown_is_said_and_never_zero() -> None:
    unknown = comparison(
        values=(None, None), ratio=(None, None, None), verdict="undecided", reason="no block was valid"
    )
    local = comparison(metric="cpu_local", values=(0.5, None), primary=False)
    row = "\n".join(lines(result(unknown, local), Look()))
    assert row.count("unknown") >= 3
    assert "0.500/? CPU" in row
    assert "TCP_STREAM goodput, macvlan: undecided: no block was valid" in row


def test_colour_only_where_asked_and_only_on_the_verdict() -> None:
    rows = [comparison(test, verdict=verdict) for test, verdict in VERDICTS.items()]
    text = "\n".join(lines(result(*rows), Look(colours=True)))
    assert f"{ESCAPE}[31mslower{ESCAPE}[0m" in text
    assert f"{ESCAPE}[33mundecided{ESCAPE}[0m" in text
    assert f"{ESCAPE}[32mequivalent" in text


VERDICTS: dict[str, VerdictName] = {"TCP_STREAM": "slower", "TCP_RR": "undecided", "UDP_RR": "equivalent"}


def test_further_metrics_have_rows_below_the_tests() -> None:
    latency = comparison("TCP_RR", "latency_p99", values=(23.4e-6, 25e-6))
    loss = comparison("UDP_STREAM", "loss", values=(0.01, 0.02), primary=False)
    document = result(comparison(), comparison("TCP_RR", "transaction_rate", values=(4e4, 4e4)), latency, loss)
    names = [line.split("  ")[0] for line in lines(document, Look(), ["loss"])]
    assert names[1:5] == ["TCP_STREAM", "TCP_RR", "TCP_RR latency_p99", "UDP_STREAM loss"]
    assert "23.4 us" in "\n".join(lines(document, Look()))
    assert "loss" not in "\n".join(lines(document, Look()))


def test_more_candidates_than_one_are_named_in_their_rows() -> None:
    other = ("host", "vepa")
    text = "\n".join(lines(result(comparison(), *costs(), comparison(paths=other), *costs(paths=other)), Look()))
    assert "macvlan 8.58 Gbit/s" in text
    assert "vepa 8.58 Gbit/s" in text
    assert "CPU candidate" in text


def test_the_end_of_the_report() -> None:
    text = "\n".join(lines(result(ended="interrupted", warnings=["the wire was lame"]), Look()))
    assert "did not end by itself: interrupted" in text
    assert text.endswith("warning: the wire was lame")
    assert list(lines(result(comparisons=[], slices=[]), Look())) == ["No test has been compared."]


def test_what_a_foreign_document_holds_does_not_reach_the_terminal_raw() -> None:
    evil = f"{ESCAPE}]0;owned\x07"
    row = comparison(paths=(evil, evil), verdict="undecided", reason=evil)
    assert ESCAPE not in "".join(lines(result(row, warnings=[evil], ended=evil), Look()))


def progress(*current: Comparison) -> Progress:
    return Progress(
        test="TCP_STREAM", test_index=0, tests=2, blocks=3, void_blocks=0, elapsed=1.25, budget=10.0, current=current
    )


def drive(observer: Observer, final: Sequence[Comparison]) -> None:
    observer.lab_ready(["host", "macvlan"], 0.123)
    observer.block_done(progress(comparison()))
    observer.warning("both ends share one CPU")
    observer.test_done(final)


def test_plain_progress_has_one_line_for_each_finished_test() -> None:
    stream = io.StringIO()
    with Lines(stream) as observer:
        drive(observer, [comparison(), *costs()])
    assert stream.getvalue().splitlines() == [
        "lab ready in 0.12 s: host, macvlan",
        "warning: both ends share one CPU",
        (
            "TCP_STREAM: macvlan 8.58 Gbit/s against host 9.00 Gbit/s, -4.7 % [-5.2, -4.1], slower; "
            "12 blocks, 4.1 s measured"
        ),
    ]
    assert observer.told == {"both ends share one CPU"}


def test_a_reader_who_went_away_ends_only_a_run_without_another_purpose() -> None:
    with pytest.raises(BrokenPipeError):
        drive(Lines(Broken(BrokenPipeError())), [comparison()])
    with pytest.raises(MachineError, match="No space"):
        drive(Lines(Broken(OSError(28, "No space left"))), [comparison()])
    drive(Lines(Broken(BrokenPipeError()), needed=True), [comparison()])
    drive(Lines(Broken(OSError(28, "No space left")), needed=True), [comparison()])


def test_live_progress_shows_estimate_interval_blocks_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    stream = Terminal()
    with Live(stream, ["TCP_STREAM", "TCP_RR"]) as observer:
        before = len(stream.getvalue())
        drive(observer, [comparison(), *costs()])
        seen = stream.getvalue()[before:]
    for part in ("-4.7 % [-5.2, -4.1]", "1.2/10 s", "macvlan 8.58 Gbit/s", "slower", "TCP_RR", "waiting"):
        assert part in seen
    assert "both ends share one CPU" in seen
    assert "cpu_local" not in seen


def test_live_progress_on_a_narrow_terminal_folds_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    long = comparison("TCP_RR", "latency_p99", values=(2.87e-3, 2.86e-3), ratio=(0.999, 0.34, 2.657))
    with Live(stream, ["TCP_RR"]) as observer:
        drive(observer, [comparison("TCP_RR", "transaction_rate"), long])
    assert "-0.1 % [-66.0, +165.7]" in stream.getvalue()


def test_what_counts_as_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert is_terminal(Terminal())
    assert not is_terminal(io.StringIO())
    assert look_of(io.StringIO()) == Look()
    assert look_of(Terminal()) == Look(width=80, colours=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert look_of(Terminal()) == Look(width=80, colours=False)
    monkeypatch.setenv("TERM", "dumb")
    assert not is_terminal(Terminal())


def test_the_report_says_where_the_ends_ran_and_with_what_congestion_control() -> None:
    text = "\n".join(lines(result(), Look()))
    assert "Client on CPU 0, server on CPU 1, on all paths." in text
    assert "TCP congestion control: cubic." in text


def received(**by_test: dict[str, dict[str, float]]) -> Result:
    (first,) = result().tests
    return result(
        tests=[
            msgspec.structs.replace(
                first, test=test, receiving=[Receiving(path=path, shares=shares) for path, shares in paths.items()]
            )
            for test, paths in by_test.items()
        ]
    )


def softirqs(given: Result) -> list[str]:
    return [line for line in lines(given, Look()) if line.startswith("Receive softirqs")]


def test_the_report_says_where_the_softirqs_ran() -> None:
    alike = {"host": {"0": 0.52, "1": 0.48}, "macvlan": {"0": 0.5, "1": 0.5}}
    apart = {"host": {"0": 0.9, "1": 0.1}, "macvlan": {"1": 1.0}}
    assert softirqs(result()) == []
    assert softirqs(received(TCP_RR=alike, TCP_MAERTS=alike)) == [
        "Receive softirqs: CPU 0 51 %, CPU 1 49 % of the packets, on all paths."
    ]
    assert softirqs(received(TCP_RR=alike, UDP_STREAM=apart)) == [
        "Receive softirqs, TCP_RR: CPU 0 51 %, CPU 1 49 % of the packets, on all paths.",
        "Receive softirqs, UDP_STREAM: host CPU 0 90 %, CPU 1 10 %; macvlan CPU 1 100 %.",
    ]
    many = {"host": {str(cpu): 0.9 if cpu == 3 else 0.02 for cpu in range(6)}}
    assert softirqs(received(TCP_RR=many)) == [
        "Receive softirqs: CPU 3 90 %, others 10 % of the packets, on all paths."
    ]


def test_the_report_says_which_cpus_the_queues_of_devices_name() -> None:
    queues = {"rx-0.rps_cpus": "0", "rx-1.rps_cpus": "3", "irq.0.cpus": "0", "irq.1.cpus": "1", "napi.threaded": "1"}
    nic = Device(namespace="local", name="eth0", role="own", queues=queues)
    bare = Device(namespace="web", name="eth0", role="wire", queues={"rx-0.rps_cpus": "00000000,00000000"})
    paths = [PathDescription(name=name, kind="existing", devices=[nic, bare]) for name in ("host", "macvlan")]
    assert [line for line in lines(result(paths=paths), Look()) if "queue" in line] == [
        "eth0 in local: 2 receive queues, RPS to the CPUs of the mask 3, interrupts on CPU 0 and 1, threaded NAPI.",
        "eth0 in web: 1 receive queue, no RPS.",
    ]
