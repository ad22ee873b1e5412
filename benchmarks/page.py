"""The tables of docs/reference/performance.md: each benchmark writes its own part, with its command and the machine.

A part lies between two comments, `<!-- NAME -->` and `<!-- end of NAME -->`; what stands outside of them is written by
hand.
"""

import re
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pathgauge.results.environment import collect

GIB = 1 << 30
FILES = ("--page", "--json")  # where what is written goes is nobody else's business
NO_VALUE = ("unknown", None)


def add_option(parser: ArgumentParser) -> None:
    """`--page FILE`."""
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into its part of this page, too")


def machine() -> str:
    """What this machine is, in a sentence."""
    found = collect(rootless=False, cycles=False)
    parts = [
        f"{found.cpus} CPUs ({found.cpu_model})" if found.cpu_model not in NO_VALUE else f"{found.cpus} CPUs",
        f"{(found.memory_bytes or 0) / GIB:.0f} GiB",
        f"Linux {found.kernel.partition('-')[0]}",
        f"a virtual machine ({found.virtualization})" if found.virtualization not in ("none", None) else "",
        f"congestion control {found.sysctls.get('net.ipv4.tcp_congestion_control', 'unknown')}",
    ]
    return f"{', '.join(part for part in parts if part)}; {datetime.now(UTC):%Y-%m-%d}"


def part(name: str, lines: Sequence[str], arguments: Sequence[str] | None = None) -> str:
    """The part of a page: the command that makes it, without the names of files; the machine; the table."""
    given = [*(sys.argv[1:] if arguments is None else arguments)]
    for option in FILES:
        if option in given:
            place = given.index(option)
            del given[place : place + 2]
    command = shlex.join(["python", "-m", f"benchmarks.{name}", *given])
    return "\n".join(["```console", f"$ {command}", "```", "", f"Measured on {machine()}.", "", *lines])


def put(page: Path, name: str, lines: Sequence[str]) -> None:
    """Write the part of that name. ValueError where the page has no such part."""
    text = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{page} has no part between {begin} and {end}")
    new = f"{begin}\n\n{part(name, lines)}\n\n{end}"
    page.write_text(f"{text[: found.start()]}{new}{text[found.end() :]}", encoding="utf-8")
