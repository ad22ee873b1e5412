"""What a long campaign has done so far: one JSON object a line, so that it can be taken up where it ended."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Outcome = dict[str, Any]


def resume(file: Path, names: Sequence[str], run: Callable[[str], Outcome]) -> list[Outcome]:
    """The outcomes of the runs called `names`, in order; those that the file lacks are run, and appended to it."""
    done: dict[str, Outcome] = {}
    if file.exists():
        done = {found["run"]: found for found in map(json.loads, file.read_text().splitlines())}
    for name in names:
        if name in done:
            continue
        done[name] = {"run": name, **run(name)}
        with file.open("a") as lines:
            lines.write(json.dumps(done[name]) + "\n")
        print(f"{name}: {' '.join(f'{key}={value}' for key, value in done[name].items() if key != 'run')}", flush=True)
    return [done[name] for name in names]
