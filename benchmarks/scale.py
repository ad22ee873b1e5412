"""How long many macvlan namespaces on one wire take to come and to go: `pathgauge lab` beside a script of `ip -batch`.

python -m benchmarks.scale [--root] [--copies 10 100 1000] [--pairs 5] [--page docs/reference/performance.md]

Each is timed as commands, from start to end, in pairs of random order. Gone is what the kernel says is gone: without
--root all of it happens in a user namespace of its own, whose limit of network namespaces lets none in as long as an
old one is left; with --root, which takes root, pathgauge uses no user namespace, and the kernel's own cache of network
namespaces is counted.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.page import add_option, put
from pathgauge.paths.addresses import FIRST_CANDIDATE, SERVER, address
from pathgauge.paths.journal import FOLDER_VARIABLE
from pathgauge.paths.namespaces import CLONE_NEWNET, CLONE_NEWNS, enter_user_namespace, new_network_namespace, unshare
from pathgauge.statistics.interval import Interval, of_blocks

LIMIT = Path("/proc/sys/user/max_net_namespaces")
CACHE = Path("/sys/kernel/slab/net_namespace")
SLACK = 16  # namespaces in the kernel's cache that others, or the counting itself, may have made meanwhile
POLL_SECONDS = 0.005
LONGEST_SECONDS = 120.0
HEADER = "| namespaces | | `ip -batch` | pathgauge | least - most | ratio [95 %] |\n|---|---|---|---|---|---|"


class OwnLimit:
    """The account of a user namespace of this process's own: exact."""

    def start(self) -> None:
        """Before namespaces are made."""
        LIMIT.write_text("20000")

    def end(self) -> None:
        """Before they are to go."""
        LIMIT.write_text("2")  # this process's, and one to see that there is room for it

    def empty(self) -> bool:
        """Whether all are gone."""
        with suppress(Exception):
            os.close(new_network_namespace())
            return True
        return False


@dataclass
class WholeMachine:
    """The kernel's cache of network namespaces. It frees a dead one when the next dies."""

    before: int = 0

    def start(self) -> None:
        """Before namespaces are made."""
        self.before = self._count()

    def end(self) -> None:
        """Before they are to go."""

    def empty(self) -> bool:
        """Whether all are gone, but for what is always in motion on a machine."""
        return self._count() <= self.before + SLACK

    def _count(self) -> int:
        os.close(new_network_namespace())
        (CACHE / "shrink").write_text("1")
        return int((CACHE / "objects").read_text().split()[0])


Account = OwnLimit | WholeMachine


@dataclass
class Pathgauge:
    """`pathgauge lab up macvlan --copies N`."""

    copies: int
    name: str = ""

    def up(self) -> None:
        """Let it stand."""
        command = [sys.executable, "-m", "pathgauge", "lab", "up", "macvlan", "--copies", str(self.copies)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        self.name = done.stdout.split()[1]

    def down(self) -> "subprocess.Popen[bytes]":
        """Start to take it down."""
        return subprocess.Popen([sys.executable, "-m", "pathgauge", "lab", "down", self.name])


@dataclass
class Batch:
    """The same namespaces, devices and addresses by ip: batches for what can be done from one namespace, and one for
    each namespace.
    """

    copies: int
    folder: Path
    names: list[str] = field(default_factory=list)

    def up(self) -> None:
        """Let it stand."""
        self.names = [f"c{number}" for number in range(self.copies)]
        self._batch("", [f"netns add {name}" for name in ("host", "server", *self.names)])
        self._batch(
            "host",
            [
                "link add h0 type veth peer name s0 netns server",
                "link set h0 up",
                *(f"link add link h0 name mv0 netns {name} type macvlan mode bridge" for name in self.names),
            ],
        )
        self._batch("server", ["link set s0 up", *_addresses("s0", SERVER)])
        for number, name in enumerate(self.names):
            self._batch(name, ["link set lo up", "link set mv0 up", *_addresses("mv0", FIRST_CANDIDATE + number)])

    def down(self) -> "subprocess.Popen[bytes]":
        """Start to take it down."""
        lines = [f"netns delete {name}" for name in (*self.names, "host", "server")]
        script = self.folder / "down"
        script.write_text("\n".join(lines) + "\n")
        return subprocess.Popen(["ip", "-batch", str(script)])

    def _batch(self, space: str, lines: list[str]) -> None:
        command = ["ip", *(("-n", space) if space else ()), "-batch", "-"]
        subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True)


def _addresses(device: str, number: int) -> list[str]:
    four, six = address(0, number, "ipv4"), address(0, number, "ipv6")
    return [f"addr add {each.text}/{each.prefix} dev {device}{nodad}" for each, nodad in ((four, ""), (six, " nodad"))]


def measured(which: Pathgauge | Batch, account: Account) -> tuple[float, float]:
    """Seconds up, and seconds until it is gone."""
    account.start()
    began = time.perf_counter()
    which.up()
    up = time.perf_counter() - began
    account.end()
    began = time.perf_counter()
    process = which.down()
    while process.poll() is None or not account.empty():
        if time.perf_counter() - began > LONGEST_SECONDS:
            raise TimeoutError("namespaces are left")
        time.sleep(POLL_SECONDS)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return up, time.perf_counter() - began


def rows(copies: int, pairs: int, account: Account, folder: Path) -> list[str]:
    """Two lines of the table: up, and gone."""
    kinds: list[Callable[[], Pathgauge | Batch]] = [lambda: Batch(copies, folder), lambda: Pathgauge(copies)]
    found: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    for _ in range(pairs):
        for place in random.sample((0, 1), 2):
            found[place].append(measured(kinds[place](), account))
    lines = []
    for which, word in enumerate(("up", "gone")):
        theirs, ours = ([times[which] for times in found[place]] for place in (0, 1))
        ratio = of_blocks(theirs, ours, 0.95, fixed=True)
        words = f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]" if isinstance(ratio, Interval) else "?"
        lines.append(
            f"| {copies} | {word} | {statistics.median(theirs):.2f} s | {statistics.median(ours):.2f} s | "
            f"{min(ours):.2f} - {max(ours):.2f} s | {words} |"
        )
        print(lines[-1], flush=True)
    return lines


def apart(*, root: bool) -> Account:
    """Leave nothing of this machine's to be changed: a user namespace, unless as root, and mounts of our own."""
    if not root:
        enter_user_namespace()
        unshare(CLONE_NEWNET)  # to which `ip netns add` comes back
    unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    return WholeMachine() if root else OwnLimit()


def kept() -> str:
    """What the machine has in use: open files, and memory that is available."""
    files = Path("/proc/sys/fs/file-nr").read_text().split()[0]
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
    return f"{files} open files, {int(memory.split()[1]) // 1024} MiB available"


def main() -> None:
    """Run every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", action="store_true")
    parser.add_argument("--copies", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--pairs", type=int, default=5)
    add_option(parser)
    chosen = parser.parse_args()
    account = apart(root=chosen.root)
    print(f"before: {kept()}\n{HEADER}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER_VARIABLE] = f"{folder}/journal"
        lines = [line for copies in chosen.copies for line in rows(copies, chosen.pairs, account, Path(folder))]
    print(f"after: {kept()}")
    if chosen.page:
        put(chosen.page, "scale", [HEADER, *lines])


if __name__ == "__main__":
    main()
