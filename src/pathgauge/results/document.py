"""The typed results document, `pathgauge.result/1`.

Units are SI throughout (`bit/s`, `s`, `byte`), but service demand, which is netperf's `us/KiB` and `us/transaction`.
What is not known is `null`, never zero.
"""

from typing import Final, Literal

import msgspec

SCHEMA: Final = "pathgauge.result/1"

VerdictName = Literal["slower", "faster", "equivalent", "undecided"]
Better = Literal["higher", "lower"]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate over baseline; all three null where no ratio exists (the comparison's reason says why)."""

    estimate: float | None
    low: float | None
    high: float | None
    confidence: float


class PathEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """One path's value of one metric, in the comparison's unit, with its interval at the ratio's confidence."""

    path: str
    estimate: float | None
    low: float | None
    high: float | None


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks against a verdict: its name, the evidence, what to do; `undermines`: no verdict stands on it."""

    name: str
    evidence: str
    advice: str
    undermines: bool


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How the variance of blocks divides: the standard deviation, on the log scale, of what its slices, its connections
    and its lab (null where there is one lab) add to a block's ratio.
    """

    slices: float
    connections: float
    labs: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One test and one metric, one candidate against the baseline.

    `parameters` are the baseline's, `candidate_parameters` those of the candidate that differ from them.
    `measured_seconds` is what the slices of both took together. `resolution` is the least difference, a fraction, that
    this run could have told from one within the margin, `blocks_needed` how many blocks would decide, if all stays as
    it is. `family` is how many primary comparisons of the test share the error: each interval is made at a confidence
    of 1 - (1 - confidence) / family, so that all of them hold together with `confidence`.
    """

    test: str
    parameters: dict[str, str | int | bool | None]
    candidate_parameters: dict[str, str | int | bool | None] = {}
    metric: str
    unit: str
    better: Better
    primary: bool
    baseline: PathEstimate
    candidate: PathEstimate
    ratio: Ratio
    margin: float
    family: int = 1
    verdict: VerdictName
    reason: str
    blocks: int
    resolution: float | None = None
    blocks_needed: int | None = None
    measured_seconds: float
    spread: Spread | None = None
    doubts: list[Doubt] = []


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device of a path. Role: `own` (the path's end device), `lower` (below it, before the wire), `wire` (the wire's
    far end; of a path that exists, the server's), `beyond` (after it), `passed` (a device on the way that does not
    count what it passes on, as a bridge between its ports). Of one that is none of a lab's, `queues` says which CPUs
    receive for it: `rx-0.rps_cpus` (a mask), `irq.0.cpus`, `napi.threaded`.
    """

    namespace: str
    name: str
    role: Literal["own", "lower", "wire", "beyond", "passed"]
    kind: str = ""
    mtu: int | None = None
    offloads: dict[str, bool] = {}
    queue_discipline: str = ""
    queues: dict[str, str] = {}


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What of a path that exists is not known: what lies after the first `before` of its devices, and why."""

    before: int
    reason: str


class PathDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A path as it was measured. `settings` are test parameters of this path alone (`--set`, `--vary`); `wire_rate`
    is what its wire is shaped to, in bit/s. Of `copies` that were built the first is described.
    """

    name: str
    kind: str
    options: dict[str, str] = {}
    settings: dict[str, str] = {}
    wire: str = ""
    wire_rate: int | None = None
    client_namespace: str = ""
    server_namespace: str = ""
    addresses: dict[str, str] = {}
    devices: list[Device] = []
    gap: Gap | None = None
    copies: int = 1


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The machine and what is installed on it, as far as it can be known without privilege."""

    kernel: str
    machine: str
    distribution: str
    cpu_model: str
    cpus: int
    cpus_allowed: list[int]
    memory_bytes: int | None
    virtualization: str | None
    governor: str | None
    clocksource: str | None
    rootless: bool
    cycles: bool
    sysctls: dict[str, str]
    versions: dict[str, str]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What was negotiated on a path's connections, as one more connection of each found it (sizes in bytes)."""

    path: str
    mss: int | None = None
    local_send_buffer: int | None = None
    local_receive_buffer: int | None = None
    remote_send_buffer: int | None = None
    remote_receive_buffer: int | None = None
    congestion: str | None = None


class Copies(msgspec.Struct, frozen=True, kw_only=True):
    """What each of several got when all ran `at_once`: the copies of a path, its flows (each copy's in turn, those that
    the client sends first), or its two directions. `rates` on average over the slices that count, in `unit`; `fairness`
    is Jain's index of these (1: all the same, 1/N: one of N has all).
    """

    path: str
    at_once: Literal["copies", "flows", "directions"] = "copies"
    unit: str
    rates: list[float]
    fairness: float | None


class Receiving(msgspec.Struct, frozen=True, kw_only=True):
    """Where the receive softirqs of a path ran: of the packets that were taken up the stack in the slices that count,
    each CPU's share, those of the whole machine; empty where it is unknown.
    """

    path: str
    shares: dict[str, float]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A way that was tried for `best`: its parameters, and its goodput in bit/s; null where it does not work, and the
    reason.
    """

    parameters: dict[str, str | int | None]
    goodput: float | None
    reason: str = ""


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """What `best` came to, on all paths alike: which parameters were `asked` to be it, the way that was picked, its
    goodput over the baseline's `path` in bit/s, and all that were tried.
    """

    asked: list[str]
    path: str
    parameters: dict[str, str | int | None]
    goodput: float | None
    tried: list[Tried]


class TestRun(msgspec.Struct, frozen=True, kw_only=True):
    """How one test was run over all its paths; `seconds` is its whole time, connecting and waiting included,
    `expected_blocks` what the first look forecast that it would take, `loop_rates` what each arm's loops do with no
    network between them: bytes sent in a second, or transactions; `awake` the CPUs that were kept from sleeping.
    """

    __test__ = False  # not a pytest class

    test: str
    parameters: dict[str, str | int | bool | None]
    slice_seconds: float
    warmup_seconds: float
    ramp_seconds: float
    local_cpu: int | None
    remote_cpu: int | None
    seed: int
    blocks: int
    void_blocks: int
    looks: int
    expected_blocks: int | None = None
    stopped: str
    seconds: float = 0.0
    connections: list[Connection] = []
    loop_rates: dict[str, float] = {}
    copies: list[Copies] = []
    receiving: list[Receiving] = []
    picked: Picked | None = None
    awake: list[int] = []


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One slice, raw. Counters are differences between its edges, but those called `total` and `messages_lost`
    (datagrams that the kernel refused or that got no answer), which run from its start to the drained end. `start` is
    seconds since the run began in its lab. Latency is an HDR histogram of ns, 3 significant digits (its V2 compressed
    encoding in base64), and so is what each way took, where they were timed apart. Of copies that ran at once it is
    their sum, and `fairness` is Jain's index of what each got. `load_bytes_received` is what the stream beside the
    transactions brought over in `load_seconds`, `packets_by_cpu` how many packets the receive softirqs of each CPU of
    the machine took up the stack.
    `zerocopy_sends` is how many sends without a copy were completed, `zerocopy_copied` how many of them were copied.
    `bytes_mapped` of `total_bytes_received` came in pages that `mmap` received without a copy.
    `limited` says what of pathgauge's own limited it: its loops were near what they do with no network between them
    (`ceiling`), or kept the CPUs of an end busy (`cpu`).
    """

    test: str
    path: str
    lab: int = 0
    block: int
    position: int
    start: float
    void: str | None = None
    local_seconds: float
    remote_seconds: float
    bytes_sent: int
    bytes_received: int
    messages_sent: int
    messages_received: int
    transactions: int
    messages_lost: int = 0
    total_bytes_sent: int
    total_bytes_received: int
    cpu_local_seconds: float | None = None
    cpu_remote_seconds: float | None = None
    machine_seconds: float | None = None
    machine_busy_seconds: float | None = None
    machine_softirq_seconds: float | None = None
    machine_steal_seconds: float | None = None
    packets_by_cpu: dict[str, int] | None = None
    cycles: int | None = None
    retransmits: int | None = None
    busy_seconds: float | None = None
    receive_window_limited_seconds: float | None = None
    send_buffer_limited_seconds: float | None = None
    mss: int | None = None
    congestion_window: int | None = None
    rtt_seconds: float | None = None
    min_rtt_seconds: float | None = None
    latency: str | None = None
    request_delay: str | None = None
    response_delay: str | None = None
    fairness: float | None = None
    zerocopy_sends: int | None = None
    zerocopy_copied: int | None = None
    bytes_mapped: int | None = None
    load_bytes_received: int | None = None
    load_seconds: float | None = None
    limited: Literal["ceiling", "cpu"] | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the gap (1: all of it) with its interval; null where the data carry no end to it."""

    estimate: float
    low: float | None
    high: float | None


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Knobs turned, on top of those in `with_` that had been found to help, in `blocks` blocks.

    `changed` says what was done to the slow path, as a person would type it. `improved` is what that did to the slow
    path's metric (a ratio, above 1 is better), `baseline_improved` the same of the other path, `closed` the part of the
    gap that it closed, all with intervals that hold with `confidence` at any look. `planted`: not turned on the slow
    path, but the cause planted in the other; `improved` is then what the cause costs there.
    """

    knobs: list[str]
    with_: list[str] = msgspec.field(default_factory=list, name="with")
    changed: list[str] = []
    planted: bool = False
    outcome: Literal["confirmed", "refuted", "undecided"]
    reason: str = ""
    blocks: int = 0
    seconds: float = 0.0
    confidence: float | None = None
    improved: Share | None = None
    baseline_improved: Share | None = None
    closed: Share | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One cause: what became of it, its evidence in words, its experiments, what to do about it.

    `weight` is how strongly the evidence speaks for it, -1 to 1. `share` is the part of the gap that it explains.
    """

    cause: str
    summary: str
    status: Literal["confirmed", "suspected", "refuted", "untested"]
    weight: float
    share: Share | None = None
    evidence: list[str] = []
    experiments: list[Experiment] = []
    remedy: list[str] = []
    references: list[str] = []


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One of the slices of evidence on a path, `start` seconds after the first of all began, and `seconds` long.

    `counters` are those that rose, and by how much; `gauges` are levels at its end.
    """

    path: str
    start: float
    seconds: float
    bytes: int
    transactions: int
    counters: dict[str, int]
    gauges: dict[str, int]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What was explained: why `slow` is worse than `fast` by `metric`, or what limits `slow` (`fast` is then null).

    `gap` is their ratio, `slow` over `fast`. `unexplained` is the part of it that no confirmed cause accounts for.
    `differences` is what is set differently on the two paths, seen before anything was timed. `timeline` is the
    evidence, slice by slice, where that was asked for.
    """

    test: str
    metric: str
    slow: str
    fast: str | None
    gap: float | None
    unexplained: float | None
    differences: list[str] = []
    evidence_seconds: float = 0.0
    timeline: list[Moment] = []


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `pathgauge compare` or `pathgauge explain`, whole: whoever has it can redo the statistics.

    Of `explain`, `explained` says what was asked, `explanations` what was found, the likeliest cause first, and
    `top_cause` names it where it is confirmed or suspected.

    `wire` says how each wire was made: rate in bit/s (null: unshaped), burst and limit in bytes, loss as a share,
    what is set in each namespace. `ended` is `complete`, `interrupted`, or `stopped: ` with the error's sentence.
    """

    schema: Literal["pathgauge.result/1"] = SCHEMA
    created: str
    command: list[str]
    ended: str
    labs: int = 1
    environment: Environment
    paths: list[PathDescription]
    wire: dict[str, str | int | float | None]
    tests: list[TestRun]
    comparisons: list[Comparison]
    warnings: list[str] = []
    explained: Explained | None = None
    explanations: list[Explanation] = []
    top_cause: str | None = None
    slices: list[Slice] = []
