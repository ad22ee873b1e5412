"""What the tests of labs share: commands of pathgauge, and a look at what is left of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

PATHGAUGE = [sys.executable, "-m", "pathgauge"]
PATIENCE = int(os.environ.get("TEST_PATIENCE", "1"))  # by which every wait is multiplied: an emulated machine is slow


def run(
    *arguments: str, env: Mapping[str, str] | None = None, check: bool = True, seconds: float = 30
) -> subprocess.CompletedProcess[str]:
    """Run `pathgauge ARGUMENTS` to its end, which must come within `seconds`."""
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        [*PATHGAUGE, *arguments],
        env=environment,
        check=check,
        capture_output=True,
        text=True,
        timeout=seconds * PATIENCE,
    )


def held(namespaces: set[int]) -> set[int]:
    """Those of the namespaces (inodes) that some living process is in or holds a descriptor of."""
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        for link in (process / "ns/net", *fds(process)):
            try:
                target = os.readlink(link)
            except OSError:
                continue
            if target.startswith("net:["):
                found.add(int(target[5:-1]))
    return found & namespaces


def fds(process: Path) -> list[Path]:
    try:
        return list((process / "fd").iterdir())
    except OSError:
        return []


def keepers(marker: str) -> set[int]:
    """The keepers alive whose environment has `marker`."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if b"pathgauge.paths.keeper" in command and marker.encode() in (process / "environ").read_bytes():
                found.add(int(process.name))
        except OSError:
            continue
    return found


def wait_until(holds: Callable[[], bool], seconds: float = 5) -> None:
    """Wait for something that comes soon."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(0.01)
