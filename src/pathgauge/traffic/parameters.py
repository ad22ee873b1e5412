"""What one test on one path can be told."""

import msgspec


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of one test on one path; None leaves the choice to the test or to the kernel.

    Sizes and buffers in bytes, quotas in CPUs, `burst` in requests beyond the one awaited, `rate` in bit/s or
    transactions/s, `busy_poll` in us, `realtime` a priority of SCHED_FIFO. Of `flows` connections a loop in each of
    `threads` serves as many, at either end. `beside` is the test whose stream loads the path, at most `beside_rate`
    bit/s; `one_way`: each way of a transaction is timed apart; `tls` a cipher. `local` is the client's end, `remote`
    the server's, as in netperf. The field names, with `-` for `_`, are the option names of the command line and the
    keys of `--vary` and `--set`.
    """

    send_size: int | None = None
    receive_size: int | None = None
    request_size: int = 1
    response_size: int = 1
    burst: int = 0
    rate: float | None = None
    flows: int = 1
    threads: int = 1
    local_buffer: int | None = None
    remote_buffer: int | None = None
    nodelay: bool = False
    congestion: str | None = None
    dscp: int | None = None
    local_cpu: int | None = None
    remote_cpu: int | None = None
    local_quota: float | None = None
    remote_quota: float | None = None
    ipv6: bool = False
    send_method: str = "copy"
    receive_method: str = "copy"
    wait: str = "block"
    low_water: int | None = None
    busy_poll: int | None = None
    realtime: int | None = None
    mptcp: bool = False
    beside: str | None = None
    beside_rate: float | None = None
    one_way: bool = False
    tls: str | None = None
