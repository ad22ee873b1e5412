"""What the tests of whole comparisons share: a run under way, with its processes and what it prints."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.netns.lab_processes import PATHGAUGE, held, run, wait_until

QUICK = ("--slice", "20ms", "--warmup", "10ms")
Document = dict[str, Any]


def compare(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `pathgauge compare ARGUMENTS` to its end, which must be the exit code."""
    done = run("compare", *arguments, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def measure(*arguments: str, code: int = 0) -> Document:
    """The document of `pathgauge compare ARGUMENTS`."""
    document: Document = json.loads(compare(*arguments, "--quiet", "--json", "-", code=code).stdout)
    return document


def rows(document: Document, metric: str) -> list[Document]:
    """The comparisons of one metric."""
    return [row for row in document["comparisons"] if row["metric"] == metric]


class Running:
    """`pathgauge compare ARGUMENTS` under way, its standard output and error in one pipe. It is ended at the latest
    with the context.
    """

    def __init__(self, *arguments: str) -> None:
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [*PATHGAUGE, "compare", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def until(self, start: str) -> None:
        """Read what it prints until a line starts so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(start):
                return
        raise AssertionError(f"no line starts with {start!r}: {''.join(self.said)}")

    def finish(self, seconds: float = 20) -> tuple[int, str]:
        """Its exit code and all that it printed."""
        out, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, "".join(self.said) + out

    def children(self) -> dict[str, int]:
        """The pids of `keeper`, `local` and `remote`; the ends are told by the order of their start."""
        found: dict[str, list[tuple[int, int]]] = {"keeper": [], "end": []}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = folder.joinpath("stat").read_text().rpartition(")")[2].split()
                command = folder.joinpath("cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            for name, module in (("keeper", b"pathgauge.paths.keeper"), ("end", b"pathgauge.endpoints.end")):
                if int(fields[1]) == self.process.pid and fields[0] != "Z" and module in command:
                    found[name].append((int(fields[19]), int(folder.name)))
        ends = [pid for _, pid in sorted(found["end"])]
        keeper = [pid for _, pid in found["keeper"]]
        return dict(zip(("keeper", "local", "remote"), keeper + ends, strict=False)) if keeper else {}

    def until_loops(self, number: int) -> None:
        """Wait until the local end has started so many loops: one for each path in a block, and as many once more
        after the first block, to see what its connections negotiate.
        """
        seen: set[str] = set()

        def enough() -> bool:
            local = self.children().get("local")
            if local is not None:
                with suppress(OSError):
                    seen.update(set(os.listdir(f"/proc/{local}/task")) - {str(local)})
            assert self.process.poll() is None, self.finish()
            return len(seen) >= number

        wait_until(enough, 20)

    def namespaces(self) -> set[int]:
        """The inodes of the lab's network namespaces: those that the keeper holds, but for its own."""
        keeper = Path(f"/proc/{self.children()['keeper']}")
        links = [os.readlink(link) for link in keeper.joinpath("fd").iterdir()]
        return {int(link[5:-1]) for link in links if link.startswith("net:[")} - {own_namespace()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def own_namespace() -> int:
    """The inode of this process's network namespace."""
    return int(os.readlink("/proc/self/ns/net")[5:-1])


def gone(pids: Sequence[int]) -> bool:
    """Whether none of the processes lives any more; one that nobody has waited for yet does not live."""
    return not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    """Whether the process lives."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def nothing_stands(pids: Sequence[int], namespaces: set[int], seconds: float = 2) -> None:
    """Assert that the processes and the namespaces are gone in time."""
    assert namespaces
    end = time.monotonic() + seconds
    wait_until(lambda: gone(pids), seconds)
    wait_until(lambda: not held(namespaces), max(0.1, end - time.monotonic()))
