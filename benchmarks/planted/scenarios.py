"""The table of planted causes: each with what is done to the bad path, what is asked, and what may be answered.

`{c}`, `{m}` and `{s}` are the client's, the middle's and the server's namespaces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.planted.topology import Make, Plan

HELPERS = str(Path(__file__).with_name("helpers.py"))
TBF = "tc -n {space} qdisc add dev {device} root tbf rate {rate} burst {burst} limit {limit}"


DIRECTLY = "netns:{c},netns:{s},{address}"


@dataclass(frozen=True)
class Scenario:
    """`causes` are the acceptable answers of a single cause; of two at once, each a set of its own.

    `beside` are commands that run beside the bad path as long as the question does; `bad_make`, `good_path` and
    `bad_path` are for paths of different make (see Plan). `sort` is single, pair, decoy or none.
    """

    name: str
    causes: tuple[frozenset[str], ...]
    make: Make = "direct"
    both: Sequence[str] = ()
    bad: Sequence[str] = ()
    good: Sequence[str] = ()
    options: Sequence[str] = ()
    beside: Sequence[str] = ()
    sort: str = "single"
    test: str = "TCP_STREAM"
    bad_make: Make | None = None
    good_path: str = DIRECTLY
    bad_path: str = DIRECTLY

    def plans(self) -> tuple[Plan, Plan]:
        """The good path's, and the bad one's."""
        return (
            Plan(self.make, [*self.both, *self.good], (), self.good_path),
            Plan(self.bad_make or self.make, [*self.both, *self.bad], self.beside, self.bad_path),
        )


def one(*names: str) -> tuple[frozenset[str], ...]:
    return (frozenset(names),)


def shaped(rate: str, burst: str = "256kb", limit: str = "3mb") -> list[str]:
    """Both directions of a direct path or one with a middle."""
    ends = [("{c}", "eth0"), ("{s}", "eth0")]
    return [
        TBF.replace("{space}", space).replace("{device}", device).replace("{rate}", rate).replace("{burst}", burst)
        .replace("{limit}", limit)
        for space, device in ends
    ]  # fmt: skip


def middle(rate: str, limit: str) -> str:
    """Towards the server, at a device in the middle: the sender's host does not see that queue."""
    return f"tc -n {{m}} qdisc add dev s0 root tbf rate {rate} burst 128kb limit {limit}"


def sysctl(space: str, name: str, value: str) -> str:
    return f"ip netns exec {{{space}}} sysctl -qw {name}={value!r}"


def rules(count: int, hook: str = "output") -> str:
    """A table of rules that match nothing."""
    body = "".join(
        f" ip saddr 203.0.113.{number % 250} tcp dport {number % 60000 + 1} drop;" for number in range(count)
    )
    return f"chain x {{{{ type filter hook {hook} priority 0;{body} }}}}"


def nft(space: str, text: str) -> str:
    return f"ip netns exec {{{space}}} nft 'table inet planted {{{{ {text}; }}}}'"


def every() -> Iterator[Scenario]:
    yield from _windows()
    yield from _sends()
    yield from _transport()
    yield from _offloads()
    yield from _queues()
    yield from _processors()
    yield from _work()
    yield from _pairs()
    yield from _decoys()


def _windows() -> Iterator[Scenario]:
    for size in ("8K", "32K"):
        yield Scenario(f"receive-window-{size}", one("receive-window"), options=[f"--set=bad.remote-buffer={size}"])
    for most in (16384, 65536):
        command = sysctl("s", "net.ipv4.tcp_rmem", f"4096 {most} {most}")
        yield Scenario(f"receive-window-rmem-{most}", one("receive-window"), bad=[command])
    for size in ("8K", "16K"):
        yield Scenario(f"send-buffer-{size}", one("send-buffer"), options=[f"--set=bad.local-buffer={size}"])
    command = sysctl("c", "net.ipv4.tcp_wmem", "4096 8192 8192")
    yield Scenario("send-buffer-wmem-8192", one("send-buffer"), bad=[command])
    for read in (256, 1024):
        yield Scenario(f"slow-reader-{read}", one("slow-reader"), options=[f"--set=bad.receive-size={read}"])
    both = [sysctl("s", "net.ipv4.tcp_rmem", "4096 16384 6291456")]
    scaling = sysctl("s", "net.ipv4.tcp_window_scaling", "0")
    yield Scenario("receive-window-unscaled", one("receive-window"), bad=[scaling])
    command = sysctl("s", "net.ipv4.tcp_moderate_rcvbuf", "0")
    yield Scenario("receive-autotuning-16K", one("receive-autotuning"), both=both, bad=[command])


def _sends() -> Iterator[Scenario]:
    for small in ("100", "1400", "4K"):
        yield Scenario(f"small-sends-{small}", one("small-sends"), options=[f"--set=bad.send-size={small}"])
    for size in ("100", "400"):
        yield Scenario(f"tinygrams-{size}", one("tinygrams"),
                       options=["--send-size", size, "--set=bad.nodelay=on"])  # fmt: skip
    yield Scenario("nagle-1000", one("nagle"), both=shaped("1gbit"),
                   options=["--send-size", "1000", "--set=good.nodelay=on", "--metric", "rtt"])  # fmt: skip


def _transport() -> Iterator[Scenario]:
    for limit in ("10kb", "40kb"):
        yield Scenario(f"shallow-queue-{limit}", one("shallow-queue", "swallowed-congestion-signal"), make="routed",
                       good=[middle("500mbit", "1mb")], bad=[middle("500mbit", limit)],
                       options=["--congestion", "cubic", "--metric", "retransmits"])  # fmt: skip
    for burst in ("1600", "5000"):
        yield Scenario(f"shaper-burst-{burst}", one("shaper-burst"), good=shaped("1gbit"),
                       bad=shaped("1gbit", burst))  # fmt: skip
    lossy = nft("s", "chain x {{ type filter hook input priority 0; numgen random mod 50 0 drop; }}")
    for algorithm in ("cubic", "reno"):
        yield Scenario(f"congestion-control-{algorithm}", one("congestion-control"), both=[lossy],
                       options=["--set=good.congestion=bbr", f"--set=bad.congestion={algorithm}"])  # fmt: skip
    for one_in in (50, 100):
        drop = nft("s", f"chain x {{{{ type filter hook input priority 0; numgen random mod {one_in} 0 drop; }}}}")
        yield Scenario(f"random-loss-{one_in}", one("random-loss"), bad=[drop], options=["--congestion", "cubic"])
    for rate in ("64kbit", "256kbit"):
        yield Scenario(f"ack-path-{rate}", one("ack-path"),
                       bad=[f"tc -n {{s}} qdisc add dev eth0 root tbf rate {rate} burst 4kb limit 100kb"])  # fmt: skip
    for mtu in ("600", "1000"):
        both = [f"ip netns exec {{{end}}} ethtool -K eth0 tso off gso off" for end in "cs"]
        yield Scenario(f"mtu-{mtu}", one("mtu"), both=both,
                       bad=[f"ip -n {{{end}}} link set eth0 mtu {mtu}" for end in "cs"])  # fmt: skip
    for rate in ("2mb", "10mb"):
        yield Scenario(f"standing-queue-{rate}", one("standing-queue", "lost-back-pressure"), make="routed",
                       good=[middle("500mbit", "400kb")], bad=[middle("500mbit", rate)],
                       options=["--congestion", "cubic", "--warmup", "300ms", "--metric", "rtt"])  # fmt: skip


def _offloads() -> Iterator[Scenario]:
    yield Scenario("segmentation-off-tso", one("segmentation-offload-off"),
                   bad=["ip netns exec {c} ethtool -K eth0 tso off"])  # fmt: skip
    yield Scenario("segmentation-off-tso-gso", one("segmentation-offload-off"),
                   bad=["ip netns exec {c} ethtool -K eth0 tso off gso off"])  # fmt: skip
    yield Scenario("segmentation-off-middle", one("segmentation-offload-off"), make="bridge",
                   bad=["ip netns exec {m} ethtool -K s0 tso off"])  # fmt: skip
    both = [f"ip netns exec {{{end}}} ethtool -K eth0 tso off" for end in "c"]
    yield Scenario("receive-coalescing-off", one("receive-coalescing-off"), both=both,
                   good=["ip netns exec {s} ethtool -K eth0 gro on"])  # fmt: skip
    for segments in (1, 4):
        yield Scenario(f"gso-limit-{segments}", one("gso-limit"),
                       bad=[f"ip -n {{c}} link set eth0 gso_max_segs {segments}"])  # fmt: skip
    yield Scenario("checksum-in-software", one("checksum-in-software"),
                   bad=["ip netns exec {c} ethtool -K eth0 tx off"])  # fmt: skip
    yield Scenario("scatter-gather-off", one("scatter-gather-off"),
                   bad=["ip netns exec {c} ethtool -K eth0 sg off"])  # fmt: skip


def _queues() -> Iterator[Scenario]:
    calls = [sysctl("m", "net.bridge.bridge-nf-call-iptables", "1")]
    quiet = [sysctl("m", "net.bridge.bridge-nf-call-iptables", "0")]
    wire = [middle("1gbit", "3mb")]
    for size in ("64K", "16K"):
        yield Scenario(f"lost-back-pressure-{size}", one("lost-back-pressure"), make="bridge", both=wire, good=quiet,
                       bad=calls, options=["--send-size", size, "--congestion", "cubic"])  # fmt: skip
    for rate in ("200mbit", "1gbit"):
        yield Scenario(f"rate-limit-{rate}", one("rate-limit"), bad=shaped(rate)[:1])
    for size in ("3K", "4K"):
        yield Scenario(f"udp-receive-overflow-{size}", one("udp-receive-overflow"), test="UDP_STREAM",
                       options=[f"--set=bad.remote-buffer={size}"])  # fmt: skip
    for ports in (12, 24):
        extra = [
            command
            for number in range(ports)
            for command in (
                f"ip -n {{m}} link add d{number} type veth peer name e{number}",
                f"ip -n {{m}} link set e{number} up",
                f"ip -n {{m}} link set d{number} master br0 up",
            )
        ]
        yield Scenario(f"flooding-{ports}", one("flooding"), make="bridge", both=extra,
                       bad=["ip -n {m} link set br0 type bridge ageing_time 0"])  # fmt: skip
    for rate in ("30", "60"):
        wire = [middle("100mbit", "500kb")]
        beside = ["ip netns exec {c} {python} " + f"{HELPERS} send {{address}} {rate}"]
        yield Scenario(f"cross-traffic-{rate}", one("cross-traffic"), make="routed", both=wire,
                       beside=beside, options=["--congestion", "cubic"])  # fmt: skip


def _processors() -> Iterator[Scenario]:
    for quota in ("0.1", "0.3"):
        yield Scenario(f"cpu-quota-local-{quota}", one("cpu-quota"), options=[f"--set=bad.local-quota={quota}"])
    yield Scenario("cpu-quota-remote-0.1", one("cpu-quota"), options=["--set=bad.remote-quota=0.1"])
    for cpu in ("0", "1"):
        yield Scenario(f"cpu-placement-{cpu}", one("cpu-placement"), test="TCP_STREAM",
                       options=["--local-cpu", cpu, f"--set=good.remote-cpu={1 - int(cpu)}",
                                f"--set=bad.remote-cpu={cpu}"])  # fmt: skip


def _work() -> Iterator[Scenario]:
    for count, test in ((300, "TCP_STREAM"), (1000, "TCP_RR"), (2000, "TCP_STREAM")):
        yield Scenario(f"firewall-rules-{count}", one("firewall-rules"), bad=[nft("c", rules(count))], test=test)
    masquerade = "chain x {{ type nat hook postrouting priority 100; oifname s0 masquerade; }}"
    yield Scenario("nat-masquerade", one("nat"), make="routed", bad=[nft("m", masquerade)], test="UDP_STREAM",
                   options=["--send-size", "64"])  # fmt: skip
    for count in (300, 2000):
        filters = [
            f"tc -n {{c}} filter add dev eth0 egress protocol ip prio {10 + number} u32 "
            f"match ip dst 203.0.113.{number % 250} flowid 1:1" for number in range(count // 10)
        ]  # fmt: skip
        yield Scenario(f"tc-filters-{count // 10}", one("tc-filters"), test="UDP_STREAM", options=["--send-size", "64"],
                       bad=["tc -n {c} qdisc add dev eth0 clsact", *filters])  # fmt: skip
    taps = ["ip netns exec {c} {python} " + HELPERS + " tap eth0"]
    for count in (1, 3):
        yield Scenario(f"packet-tap-{count}", one("packet-tap"), beside=taps * count, test="UDP_STREAM",
                       options=["--send-size", "64"])  # fmt: skip
    yield Scenario("extra-hops-routed", one("extra-hops"), bad_make="routed", test="TCP_RR")
    yield Scenario("extra-hops-bridge", one("extra-hops"), bad_make="bridge", test="TCP_RR")
    yield Scenario("same-host-shortcut", one("same-host-shortcut"), good_path="netns:{c},netns:{c},{own}",
                   bad_make="routed", test="TCP_RR")  # fmt: skip
    for number, test in enumerate(("TCP_STREAM", "TCP_RR")):
        tunnel = [
            command
            for space, own in (("c", 1), ("s", 2))
            for command in (
                f"ip -n {{{space}}} link add vx0 type vxlan id 7 remote 198.18.20.{3 - own} dev eth0 dstport 4789",
                f"ip -n {{{space}}} addr add 198.18.99.{own}/24 dev vx0",
                f"ip -n {{{space}}} link set vx0 up",
            )
        ]  # fmt: skip
        yield Scenario(f"encapsulation-{number}", one("encapsulation"), bad=tunnel, test=test,
                       bad_path="netns:{c},netns:{s},198.18.99.2")  # fmt: skip
    relay = [
        command
        for space, own in (("c", 1), ("s", 2))
        for command in (
            f"ip -n {{{space}}} tuntap add tun0 mode tun",
            f"ip -n {{{space}}} addr add 198.18.99.{own}/24 dev tun0",
            f"ip -n {{{space}}} link set tun0 mtu 1400 up",
        )
    ]  # fmt: skip
    beside = [
        f"ip netns exec {{{space}}} {{python}} {HELPERS} relay tun0 198.18.20.{own} 198.18.20.{3 - own}"
        for space, own in (("c", 1), ("s", 2))
    ]
    for number, test in enumerate(("TCP_STREAM", "TCP_RR")):
        yield Scenario(f"userspace-relay-{number}", one("userspace-relay"), bad=relay, beside=beside, test=test,
                       bad_path="netns:{c},netns:{s},198.18.99.2")  # fmt: skip
    calls = sysctl("m", "net.bridge.bridge-nf-call-iptables", "1")
    quiet = sysctl("m", "net.bridge.bridge-nf-call-iptables", "0")
    yield Scenario("bridge-netfilter", one("bridge-netfilter"), make="bridge", good=[quiet],
                   bad=[calls, nft("m", "chain x {{ type filter hook forward priority 0; ct state new counter; }}")],
                   test="UDP_STREAM", options=["--send-size", "64"])  # fmt: skip


def _pairs() -> Iterator[Scenario]:
    yield Scenario("small-sends-and-window", (frozenset({"small-sends"}), frozenset({"receive-window"})), sort="pair",
                   options=["--set=bad.send-size=1400", "--set=bad.remote-buffer=8K"])  # fmt: skip
    yield Scenario("small-sends-and-send-buffer", (frozenset({"small-sends"}), frozenset({"send-buffer"})), sort="pair",
                   options=["--set=bad.send-size=1400", "--set=bad.local-buffer=16K"])  # fmt: skip
    yield Scenario("segmentation-and-rules",
                   (frozenset({"segmentation-offload-off"}), frozenset({"firewall-rules"})), sort="pair",
                   bad=["ip netns exec {c} ethtool -K eth0 tso off", nft("c", rules(300))])  # fmt: skip
    smaller = [f"ip -n {{{end}}} link set eth0 mtu 1000" for end in "cs"]
    plain = [f"ip netns exec {{{end}}} ethtool -K eth0 tso off gso off" for end in "cs"]
    yield Scenario("mtu-and-window", (frozenset({"mtu"}), frozenset({"receive-window"})), sort="pair", both=plain,
                   bad=smaller, options=["--set=bad.remote-buffer=8K"])  # fmt: skip
    yield Scenario("small-sends-and-rules", (frozenset({"small-sends"}), frozenset({"firewall-rules"})), sort="pair",
                   bad=[nft("c", rules(2000))], options=["--set=bad.send-size=1400"])  # fmt: skip
    yield Scenario("segmentation-and-send-buffer",
                   (frozenset({"segmentation-offload-off"}), frozenset({"send-buffer"})), sort="pair",
                   bad=["ip netns exec {c} ethtool -K eth0 tso off"],
                   options=["--set=bad.local-buffer=8K"])  # fmt: skip
    yield Scenario("quota-and-small-sends", (frozenset({"cpu-quota"}), frozenset({"small-sends"})), sort="pair",
                   options=["--set=bad.local-quota=0.3", "--set=bad.send-size=400"])  # fmt: skip
    yield Scenario("window-and-placement", (frozenset({"receive-window"}), frozenset({"cpu-placement"})), sort="pair",
                   options=["--local-cpu", "0", "--set=bad.remote-buffer=8K", "--set=bad.remote-cpu=0"])  # fmt: skip


def _decoys() -> Iterator[Scenario]:
    yield Scenario("none-direct", (), sort="none")
    yield Scenario("none-bridge", (), make="bridge", sort="none")
    yield Scenario("none-rr", (), test="TCP_RR", sort="none")
    yield Scenario("decoy-txqueuelen", (), sort="decoy", bad=["ip -n {c} link set eth0 txqueuelen 50"])
    yield Scenario("decoy-few-rules", (), sort="decoy", bad=[nft("c", rules(3))])
    yield Scenario("decoy-wmem", (), sort="decoy", bad=[sysctl("c", "net.ipv4.tcp_wmem", "4096 16384 8388608")])
    yield Scenario("decoy-mtu", (), sort="decoy", bad=["ip -n {c} link set eth0 mtu 1490"])
    yield Scenario("decoy-buffer", (), sort="decoy", both=shaped("200mbit"),
                   options=["--set=bad.remote-buffer=1M"])  # fmt: skip
