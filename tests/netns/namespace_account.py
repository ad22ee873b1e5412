"""Labs of many copies, watched by the kernel's own account of namespaces: `python -m tests.netns.namespace_account N`.

In a user namespace of its own this process may set how many network namespaces may be in it. The limit tells how many
there are: one more is refused as long as none has gone, and one has to go before another is let in.
"""

import json
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from pathgauge.paths.lab import Lab
from pathgauge.paths.namespaces import CLONE_NEWNET, enter_user_namespace, unshare
from pathgauge.paths.spec import parse_paths
from pathgauge.paths.types import WireSpec

LIMIT = Path("/proc/sys/user/max_net_namespaces")
LONGEST_SECONDS = 30.0


def one_more() -> bool:
    """Whether one more network namespace is let in; it is gone again, but for the time that the kernel takes."""
    answers: list[bool] = []

    def enter() -> None:
        try:
            unshare(CLONE_NEWNET)
        except OSError:
            answers.append(False)
        else:
            answers.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    return answers[0]


def until_none() -> float:
    """Wait until not one namespace is left, and return the seconds that it took."""
    began = time.monotonic()
    LIMIT.write_text("1")
    while not one_more():
        if time.monotonic() - began > LONGEST_SECONDS:
            raise TimeoutError("namespaces are left")
        time.sleep(0.002)
    return time.monotonic() - began


def resident() -> int:
    """Bytes of this process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def main(kind: str, copies: int, rounds: int) -> None:
    """Print a JSON object for each round: seconds up and gone, exactness of the account, descriptors, memory."""
    enter_user_namespace()
    (spec,) = parse_paths([kind])
    for _ in range(rounds):
        LIMIT.write_text(str(copies + 2))  # the copies', the host's and the server's
        with Lab.build([replace(spec, copies=copies)], WireSpec()) as lab:
            found = {"up": lab.build_seconds, "exact": not one_more()}
        found |= {"gone": until_none(), "descriptors": len(os.listdir("/proc/self/fd")), "memory": resident()}
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
