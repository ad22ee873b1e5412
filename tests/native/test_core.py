"""The native core without Python: every loop under the sanitizers, and the instructions that a message costs.

`make test-native` runs them. tests/native/driver.cpp and count.cpp are built here, into build/native.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "native"
TOOLS = Path(sys.executable).parent
SECONDS = 300
HEADERS = (
    "loops.hpp",
    "methods.hpp",
    "mapped.hpp",
    "uring.hpp",
    "connections.hpp",
    "flows.hpp",
    "storm.hpp",
    "relay.hpp",
)

# Whatever a sanitizer reports ends the driver with another status than 0.
OPTIONS = {
    "address": {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"},
    "undefined": {"UBSAN_OPTIONS": "print_stacktrace=1"},
    "thread": {"TSAN_OPTIONS": "second_deadlock_stack=1"},
}

# At most so many instructions in user space for each message, packet or transaction: what g++ 12 at -O2 on x86-64 comes
# to, and a fifth more for other compilers and C libraries. A look at the clock costs 35, a call of the kernel 25 to 60.
MOST = {
    "send_stream-tcp": 125,
    "send_stream-udp": 125,
    "send_stream-record": 205,
    "send_stream-sendfile": 122,
    "receive_stream-tcp": 95,
    "receive_stream-udp": 95,
    "receive_stream-discard": 95,
    "send_spliced-tcp": 240,
    "send_zerocopy-tcp": 205,
    "send_batches-udp": 16,
    "send_segments-udp": 4,
    "receive_spliced-tcp": 235,
    "receive_batches-udp": 16,
    "receive_coalesced-udp": 3.3,
    "receive_mapped-tcp": 310,
    "send_ring-tcp": 165,
    "send_ring-udp": 165,
    "send_ring_zerocopy-tcp": 225,
    "receive_ring-tcp": 90,
    "receive_ring-udp": 95,
    "request-tcp": 400,
    "request-udp": 425,
    "request-ahead": 425,
    "respond-tcp": 270,
    "respond-udp": 280,
    "request-ways-tcp": 485,
    "request-ways-udp": 510,
    "respond-ways-tcp": 345,
    "respond-ways-udp": 365,
    "connect_transact-crr": 695,
    "connect_transact-cc": 435,
    "accept_transact-crr": 425,
    "accept_transact-cc": 210,
    "send_flows-8": 145,
    "receive_flows-8": 90,
    "request_flows-8": 295,
    "respond_flows-8": 245,
    "connect_many-crr": 780,
    "connect_many-cc": 595,
    "accept_many-crr": 550,
    "accept_many-cc": 365,
    "relay-packets": 790,
}


def run(*command: str | Path, options: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command, ended; its output is shown where it fails."""
    environment = os.environ | (options or {})
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built programs; only what has changed is compiled."""
    cmake = [sys.executable, "-m", "cmake"]
    ninja = shutil.which("ninja", path=f"{TOOLS}:{os.environ['PATH']}")
    run(*cmake, "-S", ROOT / "tests" / "native", "-B", BUILD, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}")
    run(*cmake, "--build", BUILD)
    return BUILD


@pytest.mark.parametrize("sanitizer", list(OPTIONS))
def test_every_loop_under_a_sanitizer(built: Path, sanitizer: str) -> None:
    """The driver's cases hold, no descriptor is left open, and the sanitizer has nothing to report."""
    command: list[str | Path] = [built / f"driver-{sanitizer}"]
    if sanitizer == "thread" and int(Path("/proc/sys/vm/mmap_rnd_bits").read_text()) > 28:
        command = ["setarch", "--addr-no-randomize", *command]  # its shadow has no room for addresses so far apart
    done = run(*command, options=OPTIONS[sanitizer])
    assert done.stdout.endswith(" 0 failed\n")


def test_every_loop_is_counted() -> None:
    """A loop of the headers that no bound names is a loop without a guard."""
    headers = "".join((ROOT / "native" / name).read_text() for name in HEADERS)
    loops = {name for line in headers.splitlines() if line.startswith(("int ", "void ")) for name in [line.split()[1]]}
    assert {name.partition("(")[0] for name in loops} == {name.partition("-")[0] for name in MOST}


@pytest.mark.parametrize("loop", list(MOST))
def test_instructions_of_a_message(built: Path, tmp_path: Path, loop: str) -> None:
    """Counted, not timed: what a loop does for each message in user space, C library and all."""
    if shutil.which("valgrind") is None:
        pytest.skip("there is no valgrind to count instructions with: on Debian type `apt-get install valgrind`")
    if platform.machine() != "x86_64":
        pytest.skip("the bounds are in instructions of x86-64")
    file = tmp_path / "counts"
    function = f"pathgauge::{loop.partition('-')[0]}(*"
    tool = ["valgrind", "--tool=callgrind", "--fair-sched=try", f"--toggle-collect={function}"]
    tool.append(f"--callgrind-out-file={file}")
    messages = int(run(*tool, built / "count", loop).stdout)
    (total,) = [int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith("totals:")]
    each = total / messages
    assert each <= MOST[loop], f"{loop} takes {each:.0f} instructions: more than its bound"
    assert each > MOST[loop] / 2, f"{loop} takes {each:.0f} instructions: so few that its bound guards nothing"
