"""Namespaces and devices made by plain `ip` commands, as a machine's owner or a container runtime makes them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = f"pg{os.getpid() % 100000}"


def ip(*words: str) -> str:
    """`ip WORDS`, which must succeed; its standard output."""
    program = shutil.which("ip")
    assert program is not None, "sudo apt install iproute2"
    done = subprocess.run([program, *words], check=False, capture_output=True, text=True, timeout=10)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


class ByHand:
    """Named namespaces; `name("a")` is how the one called a is named on the machine, so that runs never meet."""

    def name(self, short: str) -> str:
        return f"{MARK}{short}"

    def ip(self, short: str, *words: str) -> str:
        return ip("-n", self.name(short), *words)

    def add(self, *shorts: str) -> None:
        for short in shorts:
            ip("netns", "add", self.name(short))
            self.write(short, "net/ipv6/conf/default/accept_dad", "0")  # else link-local addresses take seconds
            self.ip(short, "link", "set", "lo", "up")

    def pair(self, one: str, device: str, other: str, peer: str) -> None:
        self.ip(one, "link", "add", "name", device, "type", "veth", "peer", "name", peer, "netns", self.name(other))
        self.ip(one, "link", "set", "dev", device, "up")
        self.ip(other, "link", "set", "dev", peer, "up")

    def address(self, short: str, device: str, *addresses: str) -> None:
        for each in addresses:
            words = ("nodad",) if ":" in each else ()
            self.ip(short, "addr", "add", each, "dev", device, *words)

    def bridge(self, short: str, device: str, *ports: str) -> None:
        self.ip(short, "link", "add", "name", device, "type", "bridge", "forward_delay", "0")
        for port in ports:
            self.ip(short, "link", "set", port, "master", device)
        self.ip(short, "link", "set", "dev", device, "up")

    def forward(self, short: str, value: str = "1") -> None:
        for name in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.write(short, name, value)

    def write(self, short: str, sysctl: str, value: str) -> None:
        self.run(short, "sh", "-c", f"echo {value} > {Path('/proc/sys', sysctl)}")

    def run(self, short: str, *command: str, text: str | None = None) -> None:
        subprocess.run(["ip", "netns", "exec", self.name(short), *command], input=text, check=True, text=True)


@contextmanager
def by_hand() -> Iterator[ByHand]:
    """What is made in it is removed with it."""
    made = ByHand()
    try:
        yield made
    finally:
        for file in sorted(Path("/run/netns").glob(f"{MARK}*")):
            subprocess.run(["ip", "netns", "del", file.name], check=False, capture_output=True)


def between(hand: ByHand) -> None:
    """a and b on networks of their own, r between them, and from r to b by way of a bridge in m."""
    hand.add("a", "r", "m", "b")
    hand.pair("r", "ra", "a", "eth0")
    hand.pair("r", "rm", "m", "to-r")
    hand.pair("m", "to-b", "b", "eth0")
    hand.bridge("m", "br0", "to-r", "to-b")
    hand.address("r", "ra", "10.77.1.1/24", "fd00:77:1::1/64")
    hand.address("r", "rm", "10.77.2.1/24", "fd00:77:2::1/64")
    hand.address("a", "eth0", "10.77.1.2/24", "fd00:77:1::2/64")
    hand.address("b", "eth0", "10.77.2.2/24", "fd00:77:2::2/64")
    for short, number in (("a", 1), ("b", 2)):
        hand.ip(short, "route", "add", "default", "via", f"10.77.{number}.1")
        hand.ip(short, "-6", "route", "add", "default", "via", f"fd00:77:{number}::1")
