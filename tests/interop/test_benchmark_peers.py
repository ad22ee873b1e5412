"""The peers' arms of the benchmarks: what each program says of a run is read as what it did."""

import shutil

import pytest

from benchmarks.cases import STREAM_PEERS
from benchmarks.engine import PROGRAMS
from benchmarks.peers.netperf import NetperfArm
from benchmarks.peers.program import PeerArm
from pathgauge.errors import MachineError
from pathgauge.measuring.arms import placed
from pathgauge.measuring.measured import Measured
from pathgauge.paths.lab import Lab
from pathgauge.paths.types import PathSpec, WireSpec
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS

RATE = 200_000_000
PAYLOAD = (0.85, 1.0)  # of the wire's rate; a run's first burst is in it


@pytest.fixture(autouse=True)
def peers(require_root: None) -> None:
    """Entering a lab's namespaces from outside takes root."""
    missing = [name for name in (*PROGRAMS, "netserver", "nsenter", "taskset") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' '.join(missing)}: scripts/ installs the peers")


@pytest.mark.parametrize(
    ("name", "test"),
    [
        *((name, "TCP_STREAM") for name in STREAM_PEERS),
        ("netperf", "TCP_MAERTS"),
        ("iperf3", "TCP_MAERTS"),
        ("nuttcp", "TCP_MAERTS"),
        ("netperf", "UDP_STREAM"),
        ("iperf3", "UDP_STREAM"),
    ],
)
def test_a_stream_is_as_fast_as_its_wire(name: str, test: str) -> None:
    kind = TESTS[test]
    with Lab.build([PathSpec("host", "host")], WireSpec(rate=RATE)) as lab:
        path = lab.paths["host"]
        parameters = kind.complete(placed(Parameters(send_size=1400, receive_size=1400)), path.mtu)
        with PROGRAMS[name](name, path, kind, parameters) as arm:
            row = arm.measure(0.0, 1.0).row
    assert PAYLOAD[0] < 8 * row.bytes_received / row.local_seconds / RATE < PAYLOAD[1] * 1.05
    assert (row.messages_lost > 0) <= (test == "UDP_STREAM")


@pytest.mark.parametrize("test", ["TCP_STREAM", "TCP_MAERTS", "UDP_STREAM"])
def test_netperf_that_took_other_sizes_is_not_compared(test: str) -> None:
    class Deaf(NetperfArm):
        def command(self, seconds: int) -> list[str]:
            command = super().command(seconds)
            place = command.index("-M")
            return [*command[:place], *command[place + 2 :]] if seconds else command

    kind = TESTS[test]
    with Lab.build([PathSpec("host", "host")], WireSpec()) as lab:
        path = lab.paths["host"]
        parameters = kind.complete(placed(Parameters(send_size=1400, receive_size=1400)), path.mtu)
        with Deaf("netperf", path, kind, parameters) as arm, pytest.raises(MachineError, match="not as it was told"):
            arm.measure(0.0, 1.0)


def run_of_transactions(name: str) -> Measured:
    kind = TESTS["UDP_RR"]
    with Lab.build([PathSpec("host", "host")], WireSpec()) as lab:
        path = lab.paths["host"]
        parameters = kind.complete(placed(Parameters(request_size=64, response_size=64)), path.mtu)
        with PROGRAMS[name](name, path, kind, parameters) as arm:
            return arm.measure(0.0, 1.0)


def test_transactions_and_their_cpu_time() -> None:
    row = run_of_transactions("netperf").row
    assert row.transactions > 1000
    assert 0.1 < (row.cpu_local_seconds or 0.0) < 2.0
    assert 0.1 < (row.cpu_remote_seconds or 0.0) < 2.0


@pytest.mark.long  # sockperf takes 3 s for a run of 1 s
def test_transactions_and_their_times() -> None:
    measured = run_of_transactions("sockperf")
    assert measured.row.transactions > 1000
    assert measured.row.cpu_local_seconds is None
    assert measured.latency is not None
    assert measured.latency.counts.sum() == measured.row.transactions


def test_a_program_that_fails_is_told_with_what_it_said() -> None:
    class Broken(PeerArm):
        def serve(self) -> list[str]:
            return ["sleep", "60"]

        def command(self, seconds: int) -> list[str]:
            return ["sh", "-c", "echo no such host; exit 1"] if seconds else ["true"]

    with Lab.build([PathSpec("host", "host")], WireSpec()) as lab:
        arm = Broken("broken", lab.paths["host"], TESTS["TCP_RR"], Parameters())
        with arm, pytest.raises(MachineError, match="no such host"):
            arm.measure(0.0, 1.0)
        assert arm.server is not None
        assert arm.server.process.returncode is not None
