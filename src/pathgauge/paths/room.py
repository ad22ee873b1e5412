"""Room for many copies or connections, each of which takes open files."""

import resource

from pathgauge.errors import MachineError

OWN = 200  # files of the process itself
OF_COPY = 3  # a copy's namespace, its counters, its routing socket while it is built


def make_room(files: int, what: str, hint: str) -> None:
    """Let this process, and those it starts, hold so many descriptors and its own. Raises MachineError, which says
    `what` needs them and the hint, where it may not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = OWN + files
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise MachineError(
            f"{what} need {needed} open files, and {hard} are allowed here",
            hint=f"as root: ulimit -Hn {needed}; or {hint}",
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
