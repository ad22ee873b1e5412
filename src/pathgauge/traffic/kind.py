"""What every kind of test has."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from pathgauge.traffic.parameters import Parameters

End = Literal["local", "remote"]


@dataclass(frozen=True, slots=True)
class TestKind:
    """One of netperf's tests.

    `active` is the end that acts on orders: it sends the stream, or the requests. `parameters` names the fields of
    Parameters that the test heeds. `complete` fills what was left open, given the least MTU of the paths. `connects`:
    each transaction is a connection of its own. `duplex`: the other end sends, too, over connections of its own.
    """

    __test__ = False  # not a pytest class

    name: str
    summary: str
    transport: Literal["tcp", "udp"]
    pattern: Literal["stream", "transactions"]
    active: End
    primary: str
    metrics: tuple[str, ...]
    parameters: frozenset[str]
    complete: Callable[[Parameters, int], Parameters]
    connects: bool = False
    duplex: bool = False

    @property
    def passive(self) -> End:
        """The end that receives the stream, or answers."""
        return "remote" if self.active == "local" else "local"

    def of_many(self) -> "TestKind":
        """The same test for connections that run at once: how evenly they share is a metric, too."""
        return self if FAIRNESS in self.metrics else replace(self, metrics=(*self.metrics, FAIRNESS))

    def beside_load(self) -> "TestKind":
        """The same test with a stream beside it: CPU time is then no longer that of the transactions alone."""
        return replace(self, metrics=(*(name for name in self.metrics if name not in OF_ALL), LOAD))

    def of_ways(self) -> "TestKind":
        """The same test with each way of a transaction timed apart."""
        return replace(self, metrics=(*self.metrics, *WAY_METRICS))

    @property
    def every_metric(self) -> tuple[str, ...]:
        """Those of the test in all its forms: alone, of many connections, with a stream beside it, each way apart."""
        load = (LOAD,) if "beside" in self.parameters else ()
        return (*self.of_many().metrics, *load, *(WAY_METRICS if "one_way" in self.parameters else ()))

    def reversed(self) -> "TestKind":
        """The same test with the other end active."""
        return replace(self, active=self.passive)


FAIRNESS = "fairness"
LOAD = "load_goodput"
CPU_METRICS = ("cpu_local", "cpu_remote", "cpu_machine", "cpu_softirq", "cpu_steal")
DEMAND_METRICS = ("service_demand_local", "service_demand_remote", "service_demand_machine")
OF_ALL = (*DEMAND_METRICS, "cycles_per_transaction")  # in which a load beside has its part
WAY_METRICS = ("delay_request_p50", "delay_request_p99", "delay_response_p50", "delay_response_p99")
LATENCY_METRICS = (
    "latency_mean",
    "latency_p50",
    "latency_p90",
    "latency_p99",
    "latency_p999",
    "latency_max",
)

PLACEMENT = frozenset(
    {
        "local_buffer",
        "remote_buffer",
        "dscp",
        "local_cpu",
        "remote_cpu",
        "local_quota",
        "remote_quota",
        "ipv6",
        "rate",
        "busy_poll",
        "realtime",
    }
)
FLOWS = frozenset({"flows", "threads"})
CONNECTIONS = PLACEMENT | FLOWS
STREAM = PLACEMENT | {"send_size", "receive_size", "send_method", "receive_method", "wait"}
TCP_STREAM = STREAM | FLOWS | {"nodelay", "congestion", "low_water", "mptcp", "tls"}
TRANSACTIONS = PLACEMENT | {"request_size", "response_size", "wait", "burst", "beside", "beside_rate", "one_way"}
TCP_TRANSACTIONS = TRANSACTIONS | FLOWS | {"nodelay", "congestion", "mptcp", "tls"}


def udp_payload(mtu: int, *, ipv6: bool) -> int:
    """The largest datagram payload in bytes that a device of this MTU carries unfragmented."""
    headers = 40 + 8 if ipv6 else 20 + 8
    return max(1, mtu - headers)
