"""Room for many copies: each takes open files in the lab's keeper and in the controller."""

import resource

from pathgauge.errors import MachineError

_OWN, _OF_COPY = 200, 3  # of the process; a copy's namespace, its counters, its routing socket while it is built


def make_room(copies: int, more: int = 0) -> None:
    """Let this process hold as many descriptors as so many copies need, and some more. Raises MachineError where it may
    not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _OWN + _OF_COPY * copies + more
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise MachineError(
            f"{copies} copies need {needed} open files, and {hard} are allowed here",
            hint=f"as root: ulimit -Hn {needed}; or ask for fewer copies",
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
