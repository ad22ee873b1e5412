"""The native core: the loops that move bytes, and the shared memory through which they are ordered and read."""

import builtins

HISTOGRAM_SIZE: int
MOST_AT_ONCE: int

class Board:
    """A memory file of slots, one a loop, each with room for so many `flows` if it has several; `fd` must be of
    `Board.bytes(slots, flows)` bytes.

    Orders: 0 pause, 1 run, 2 quit. States: 0 starting, 1 paused, 2 running, 3 ended. IndexError for a slot it lacks
    or more than 1048576 of them.
    """

    def __init__(self, fd: int, slots: int, flows: int = 0) -> None: ...
    @staticmethod
    def bytes(slots: int, flows: int = 0) -> int: ...
    def order(self, slot: int, order: int) -> None: ...
    def ask_edge(self, slot: int) -> int: ...
    def wait_edge(self, slot: int, edge: int, seconds: float) -> bool: ...
    def wait_state(self, slot: int, state: int, seconds: float) -> bool: ...
    def state(self, slot: int) -> int: ...
    def error(self, slot: int) -> int: ...
    def live(self, slot: int) -> tuple[int, int, int, int, int, int]:
        """Bytes sent and received, messages sent and received, transactions, messages lost."""

    def zerocopy(self, slot: int) -> tuple[int, int]:
        """MSG_ZEROCOPY sends that the kernel is done with, and how many of them it copied after all."""

    def mapped(self, slot: int) -> int:
        """Of the bytes received: those of pages that were mapped, not copied."""

    def edge(self, slot: int, edge: int) -> tuple[int, int, int, int, int, int, int, builtins.bytes]:
        """Time and CPU (ns), bytes and messages sent and received, transactions, raw TCP_INFO, as `edge` found them."""

    def flows(self, slot: int, edge: int) -> builtins.bytes:
        """Unsigned 64-bit numbers as `edge` found them: the segments that all flows of the slot retransmitted, then the
        bytes or transactions of each.
        """

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

def keep_descriptors(kept: list[int]) -> bool:
    """Give this thread a table of descriptors of its own, with no others open than these and the standard ones: calls
    on them cost less then. It is for a thread that ends soon after its loop. False where the kernel cannot.
    """

def why_no_ring(locked: int) -> int:
    """An errno where this process cannot have a ring of io_uring that sends from so many bytes of locked memory; 0
    where it can. MemoryError where there is no room, IndexError for more than 1 GiB.
    """

def histogram_index(nanoseconds: int) -> int: ...

class Transfer:
    """What a loop does: over `fd` until `deadline_ns` (CLOCK_MONOTONIC) or `limit` bytes or transactions (0: none).

    `ahead` requests are in flight besides the one awaited; `pace_count` operations are done in each `pace_ns`; `file`
    is sent from with sendfile; `record` times every operation; `numbered`: a datagram's first byte says which request
    it is; `marked`: an empty datagram ends the loop; `discard`: what is received is dropped in the kernel; `spin`: who
    receives does not sleep, `poll`: it sleeps in poll(2), and gives a datagram up after `patience_ns` (0: who spins
    never does); `segment`: the size of datagrams that UDP_SEGMENT cuts a buffer into; `period_ns`: from the start of
    one operation to that of the next, by a schedule that begins with each run (0: none), from which the time of a
    transaction is then counted. IndexError for more than 65536 ahead, 2^62 ns of pace or 10^12 ns of period.
    """

    def __init__(
        self,
        *,
        fd: int,
        datagrams: bool,
        deadline_ns: int,
        limit: int = 0,
        ahead: int = 0,
        pace_count: int = 0,
        pace_ns: int = 0,
        file: int = -1,
        record: bool = False,
        numbered: bool = True,
        marked: bool = False,
        discard: bool = False,
        spin: bool = False,
        poll: bool = False,
        patience_ns: int = 0,
        segment: int = 0,
        period_ns: float = 0.0,
    ) -> None: ...

class Buffers:
    """A ring of `width` buffers of `size` bytes, filled with `fill` over and over.

    IndexError for more than 1 GiB or an alignment that is no power of two, MemoryError where there is no room.
    """

    def __init__(
        self, size: int, width: int = 1, alignment: int = 8, offset: int = 0, fill: builtins.bytes = b""
    ) -> None: ...

class Flows:
    """Connected TCP sockets that do not block, for one loop over all of them. IndexError for none, or more than the
    board's slots have room for; RuntimeError where the kernel cannot watch them.
    """

    def __init__(self, board: Board, slot: int, sockets: list[int]) -> None: ...

class Places:
    """Room for `count` connections under way at once, for one loop that makes or accepts them. IndexError for none, or
    more than the board's slots have room for.
    """

    def __init__(self, board: Board, slot: int, count: int) -> None: ...

class ConnectPlan:
    """Where connections come from and go to: numeric addresses of one family, local ports from `low` to `high` in turn
    (0: the kernel's choice), options as (level, name, value). ValueError for anything else.
    """

    def __init__(
        self,
        *,
        local: str,
        remote: str,
        port: int,
        low: int = 0,
        high: int = 0,
        options: list[tuple[int, int, int]] = ...,
    ) -> None: ...

def relay(one: int, other: int, delay_ns: int = 0, jitter_ns: int = 0) -> None:
    """Pass packets on, both ways, between two descriptors that do not block, such as those of tun devices, until one of
    them is at its end or fails; so late, give or take the jitter, in the order in which they came. IndexError for a
    delay of more than 100 s and a jitter of more than the delay.
    """

def send_stream(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def receive_stream(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def send_spliced(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def send_zerocopy(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def send_batches(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def send_segments(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def receive_spliced(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def receive_batches(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def receive_coalesced(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def receive_mapped(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def send_ring(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def send_ring_zerocopy(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def receive_ring(board: Board, slot: int, transfer: Transfer, buffers: Buffers) -> int: ...
def request(
    board: Board,
    slot: int,
    transfer: Transfer,
    questions: Buffers,
    answers: Buffers,
    *,
    peer: int | None = None,
    back: int | None = None,
) -> int:
    """With the other end's slot as `peer` each way is timed apart, where one request is in flight: the responder's
    histogram takes the requests' times, that of the slot `back` the responses'.
    """

def respond(
    board: Board,
    slot: int,
    transfer: Transfer,
    questions: Buffers,
    answers: Buffers,
    *,
    peer: int | None = None,
    back: int | None = None,
) -> int: ...
def send_flows(board: Board, slot: int, transfer: Transfer, flows: Flows, buffers: Buffers) -> int: ...
def receive_flows(board: Board, slot: int, transfer: Transfer, flows: Flows, buffers: Buffers) -> int: ...
def request_flows(
    board: Board, slot: int, transfer: Transfer, flows: Flows, questions: Buffers, answers: Buffers
) -> int: ...
def respond_flows(
    board: Board, slot: int, transfer: Transfer, flows: Flows, questions: Buffers, answers: Buffers
) -> int: ...
def connect_transact(
    board: Board,
    slot: int,
    transfer: Transfer,
    plan: ConnectPlan,
    questions: Buffers | None = None,
    answers: Buffers | None = None,
) -> int: ...
def accept_transact(
    board: Board, slot: int, transfer: Transfer, questions: Buffers | None = None, answers: Buffers | None = None
) -> int: ...
def connect_many(
    board: Board,
    slot: int,
    transfer: Transfer,
    plan: ConnectPlan,
    places: Places,
    questions: Buffers | None = None,
    answers: Buffers | None = None,
) -> int: ...
def accept_many(
    board: Board,
    slot: int,
    transfer: Transfer,
    places: Places,
    questions: Buffers | None = None,
    answers: Buffers | None = None,
) -> int: ...

class OwnCost:
    """What the loops themselves cost, each the least of several looks: ns, and bytes/s that one CPU copies.

    `record_ns`: a latency put into the histogram; `message_ns`: a message counted, and a look for orders and edges;
    `call_ns`: a kernel call that does nothing.
    """

    @property
    def clock_ns(self) -> float: ...
    @property
    def record_ns(self) -> float: ...
    @property
    def message_ns(self) -> float: ...
    @property
    def call_ns(self) -> float: ...
    @property
    def copy_rate(self) -> float: ...

def own_cost() -> OwnCost: ...
