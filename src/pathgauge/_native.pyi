"""The native core: the loops that move bytes, and the shared memory through which they are ordered and read."""

import builtins

HISTOGRAM_SIZE: int

class Board:
    """A memory file of slots, one an end of a connection; `fd` must be of `Board.bytes(slots)` bytes.

    Orders: 0 pause, 1 run, 2 quit. States: 0 starting, 1 paused, 2 running, 3 ended. IndexError for a slot it lacks.
    """

    def __init__(self, fd: int, slots: int) -> None: ...
    @staticmethod
    def bytes(slots: int) -> int: ...
    def order(self, slot: int, order: int) -> None: ...
    def ask_edge(self, slot: int) -> int: ...
    def wait_edge(self, slot: int, edge: int, seconds: float) -> bool: ...
    def wait_state(self, slot: int, state: int, seconds: float) -> bool: ...
    def state(self, slot: int) -> int: ...
    def error(self, slot: int) -> int: ...
    def live(self, slot: int) -> tuple[int, int, int, int, int, int]:
        """Bytes sent and received, messages sent and received, transactions, messages lost."""

    def edge(self, slot: int, edge: int) -> tuple[int, int, int, int, int, int, int, builtins.bytes]:
        """Time and CPU (ns), bytes and messages sent and received, transactions, raw TCP_INFO, as `edge` found them."""

    def histogram(self, slot: int) -> builtins.bytes:
        """HISTOGRAM_SIZE unsigned 32-bit counts, native byte order."""

    def nudge(self, slot: int) -> None:
        """Wake the slot's loop from a call that sleeps; may come too early and be lost, so repeat it."""

    def fail(self, slot: int, error: int) -> None:
        """Say that the slot's loop ended with an errno before it began."""

    def clear_histogram(self, slot: int) -> None: ...
    def reset(self, slot: int) -> None: ...

def hear_nudges() -> None:
    """Let nudges (SIGUSR1) wake this process's loops, and do nothing else."""

def histogram_index(nanoseconds: int) -> int: ...
def send_stream(board: Board, slot: int, fd: int, datagrams: bool, deadline_ns: int, size: int, ring: int) -> int: ...
def receive_stream(board: Board, slot: int, fd: int, datagrams: bool, deadline_ns: int, size: int) -> int: ...
def request(
    board: Board, slot: int, fd: int, datagrams: bool, deadline_ns: int, request_size: int, response_size: int
) -> int: ...
def respond(
    board: Board, slot: int, fd: int, datagrams: bool, deadline_ns: int, request_size: int, response_size: int
) -> int: ...
