"""nftables, by its own program: `nft` run in a thread inside a namespace, which it inherits."""

import os
import re
import shutil
import subprocess

from pathgauge.errors import InternalError, MachineError, MissingFeature

_SECONDS = 10.0
_SYSTEM_FOLDERS = ":/usr/sbin:/sbin"  # an ordinary user's PATH may lack them
_TABLE = re.compile(r"(ip|ip6|inet|arp|bridge|netdev) ([A-Za-z0-9_.-]{1,64})\Z")


def load(rules: str) -> None:
    """Load rules, as text that `nft -f` takes. Raises MissingFeature where there is no nft, MachineError where it
    refuses.
    """
    _run("-f", "-", given=rules)


def set_dormant(table: str, value: str | None) -> str:
    """Make a table (`inet filter`) `dormant`, its rules kept and its hooks gone, or `active` again, or leave it (None);
    what it was.
    """
    if not _TABLE.match(table) or value not in ("dormant", "active", None):
        raise InternalError(f"{table} is no table, or {value} nothing it can be")
    before = state_of(table)
    if value is not None and before != value:
        load(f"add table {table} {{ flags dormant; }}\n" if value == "dormant" else f"add table {table} {{ }}\n")
    return before


def state_of(table: str) -> str:
    """`active` or `dormant`. Read as text: nft's JSON leaves the flag out. Raises MachineError where there is none."""
    lines = _run("-t", "list", "table", *table.split(" ", 1)).splitlines()
    return "dormant" if any(line.split() == ["flags", "dormant"] for line in lines[:4]) else "active"


def ruleset(seconds: float = _SECONDS) -> bytes:
    """The namespace's rules as JSON, without the elements of sets. Raises MissingFeature or MachineError."""
    return _run("-j", "-t", "list", "ruleset", seconds=seconds).encode()


def _run(*words: str, given: str = "", seconds: float = _SECONDS) -> str:
    program = shutil.which("nft", path=os.environ.get("PATH", "") + _SYSTEM_FOLDERS)
    if program is None:
        raise MissingFeature("this machine has no nft", hint="sudo apt install nftables")
    try:
        done = subprocess.run(
            [program, *words], input=given, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise MachineError("nft does not end", hint="run it again") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise MachineError(f"nft refuses the rules: {said[0] if said else 'it does not say why'}")
    return done.stdout
