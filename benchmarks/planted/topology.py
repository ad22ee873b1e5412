"""Two paths of the same make, by `ip` alone, each in namespaces of its own: `good`, and `bad`, which gets the cause.

Nothing here is pathgauge's.

    direct   [ c ] ── [ s ]
    bridge   [ c ] ── [ m: bridge ] ── [ s ]
    routed   [ c ] ── [ m: forwards ] ── [ s ]
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

Make = Literal["direct", "bridge", "routed"]
SECONDS = 20
BESIDE_SECONDS = 0.5


def run(command: str) -> str:
    """One command as typed, its output; CalledProcessError where it fails."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Side:
    """One path: `prefix` begins the names of its namespaces."""

    prefix: str
    number: int
    make: Make

    @property
    def client(self) -> str:
        return f"{self.prefix}c"

    @property
    def middle(self) -> str:
        return f"{self.prefix}m"

    @property
    def server(self) -> str:
        return f"{self.prefix}s"

    @property
    def spaces(self) -> list[str]:
        return [self.client, self.server] if self.make == "direct" else [self.client, self.middle, self.server]

    @property
    def address(self) -> str:
        """The server's."""
        return f"198.18.{self.number + 1 if self.make == 'routed' else self.number}.2"

    @property
    def words(self) -> dict[str, str]:
        """What a scenario's commands are filled in with."""
        own = f"198.18.{self.number}.{2 if self.make == 'routed' else 1}"
        return {"c": self.client, "m": self.middle, "s": self.server, "address": self.address, "own": own,
                "python": sys.executable}  # fmt: skip

    def build(self) -> None:
        for space in self.spaces:
            run(f"ip netns add {space}")
            run(f"ip -n {space} link set lo up")
        if self.make == "direct":
            self._pair(self.client, "eth0", self.server, "eth0")
        else:
            self._pair(self.client, "eth0", self.middle, "c0")
            self._pair(self.middle, "s0", self.server, "eth0")
        if self.make == "routed":
            self._route()
            return
        if self.make == "bridge":
            run(f"ip -n {self.middle} link add br0 type bridge")
            for port in ("c0", "s0"):
                run(f"ip -n {self.middle} link set {port} master br0")
            run(f"ip -n {self.middle} link set br0 up")
        run(f"ip -n {self.client} addr add 198.18.{self.number}.1/24 dev eth0")
        run(f"ip -n {self.server} addr add 198.18.{self.number}.2/24 dev eth0")

    def _pair(self, one: str, device: str, other: str, peer: str) -> None:
        run(f"ip -n {one} link add {device} type veth peer name {peer} netns {other}")
        run(f"ip -n {one} link set {device} up")
        run(f"ip -n {other} link set {peer} up")

    def _route(self) -> None:
        near, far = self.number, self.number + 1
        run(f"ip -n {self.client} addr add 198.18.{near}.2/24 dev eth0")
        run(f"ip -n {self.middle} addr add 198.18.{near}.1/24 dev c0")
        run(f"ip -n {self.middle} addr add 198.18.{far}.1/24 dev s0")
        run(f"ip -n {self.server} addr add 198.18.{far}.2/24 dev eth0")
        run(f"ip -n {self.client} route add default via 198.18.{near}.1")
        run(f"ip -n {self.server} route add default via 198.18.{far}.1")
        run(f"ip netns exec {self.middle} sysctl -qw net.ipv4.ip_forward=1")

    def remove(self) -> None:
        for space in self.spaces:
            with suppress(RuntimeError):
                run(f"ip netns del {space}")


@dataclass(frozen=True)
class Plan:
    """What one path is made of: commands to be run, commands that run beside it (after which it takes a moment), and
    FROM,TO,ADDRESS as --path has it; all with `{c}`, `{m}`, `{s}`, `{address}` and `{python}` to be filled in.
    """

    make: Make = "direct"
    commands: Sequence[str] = ()
    beside: Sequence[str] = ()
    argument: str = "netns:{c},netns:{s},{address}"


@contextmanager
def two_paths(good: Plan, bad: Plan) -> Iterator[tuple[str, str]]:
    """The arguments of the good path and of the bad one; nothing is left of either."""
    run_id = f"pg{os.getpid()}"
    sides = Side(f"{run_id}g", 10, good.make), Side(f"{run_id}b", 20, bad.make)
    running: list[subprocess.Popen[bytes]] = []
    try:
        for side, plan in zip(sides, (good, bad), strict=True):
            side.build()
            for command in plan.commands:
                run(command.format(**side.words))
            for command in plan.beside:
                running.append(subprocess.Popen(shlex.split(command.format(**side.words))))  # noqa: PERF401 - all that started are ended
        if running:
            time.sleep(BESIDE_SECONDS)
        yield good.argument.format(**sides[0].words), bad.argument.format(**sides[1].words)
    finally:
        for process in running:
            process.kill()
            process.wait()
        for side in sides:
            side.remove()
