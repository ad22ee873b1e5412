"""The process of a running container, asked of the machine's container runtimes by their own commands."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pathgauge.errors import MissingFeature, UserError
from pathgauge.quantities import quoted

ANSWER_SECONDS = 10.0
LONGEST_COMPLAINT = 120
MOST_NAMESPACES = 16  # of containerd


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote to standard output; None where it failed, with the last it wrote to standard error."""

    text: str | None
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A container's first process, 0 where it does not run; None where the runtime does not know it, and `why`."""

    pid: int | None
    why: str = ""


def container_pid(name: str) -> int:
    """The pid of a container's first process, from the first runtime that knows it.

    Raises UserError where none does or it does not run, MissingFeature where there is no runtime.
    """
    complaints = []
    for program, ask in _RUNTIMES.items():
        path = shutil.which(program)
        if path is None:
            continue
        found = ask(path, name)
        if found.pid == 0:
            raise UserError(f"the container {quoted(name)} does not run", hint=f"{program} start {name}")
        if found.pid is not None:
            return found.pid
        complaints.append(f"{program}: {found.why or 'no such container'}")
    if not complaints:
        raise MissingFeature(
            "no container runtime is to be found", hint=f"pid:N, or install one of: {', '.join(_RUNTIMES)}"
        )
    raise UserError(
        f"there is no container {quoted(name)} ({'; '.join(complaints)})",
        hint="see its runtime's ps; of a container of another user give a process: pid:N",
    )


def _inspected(program: str, name: str) -> Found:
    """Docker's way, which Podman and nerdctl have, too."""
    answer = _run(program, "container", "inspect", name)
    return Found(_number(answer.text, 0, "State", "Pid"), answer.complaint)


def _of_kubernetes(program: str, name: str) -> Found:
    """crictl's: it inspects by id, and finds ids by a name's pattern."""
    answer = _run(program, "ps", "--quiet", "--name", f"^{re.escape(name)}$")
    if answer.text is None:
        return Found(None, answer.complaint)
    ids = answer.text.split()
    if len(ids) > 1:
        raise UserError(f"{len(ids)} containers are called {quoted(name)}", hint=f"container:{ids[0][:13]}")
    answer = _run(program, "inspect", ids[0] if ids else name)
    return Found(_number(answer.text, "info", "pid"), answer.complaint)


def _of_containerd(program: str, name: str) -> Found:
    """ctr's: a table of tasks for each of containerd's namespaces."""
    answer = _run(program, "namespaces", "list", "--quiet")
    if answer.text is None:
        return Found(None, answer.complaint)
    for namespace in answer.text.split()[:MOST_NAMESPACES]:
        tasks = _run(program, "--namespace", namespace, "tasks", "list").text or ""
        for line in tasks.splitlines():
            words = line.split()
            if len(words) == 3 and words[0] == name and words[1].isdecimal():  # noqa: PLR2004 - task, pid, status
                return Found(int(words[1]) if words[2] == "RUNNING" else 0)
    return Found(None)


_RUNTIMES: dict[str, Callable[[str, str], Found]] = {
    "docker": _inspected,
    "podman": _inspected,
    "nerdctl": _inspected,
    "crictl": _of_kubernetes,
    "ctr": _of_containerd,
}


def _run(*command: str) -> Answer:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=ANSWER_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return Answer(None, f"no answer in {ANSWER_SECONDS:.0f} s")
    except OSError as error:
        return Answer(None, error.strerror or "it cannot be run")
    if done.returncode == 0:
        return Answer(done.stdout.decode(errors="replace"))
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return Answer(None, quoted(said[-1], LONGEST_COMPLAINT) if said else "")


def _number(text: str | None, *way: str | int) -> int | None:
    """The whole number that lies at the end of a way into JSON; None where there is none."""
    answer: Any
    try:
        answer = json.loads(text or "null")
        for step in way:
            answer = answer[step]
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    return answer if type(answer) is int and answer >= 0 else None
