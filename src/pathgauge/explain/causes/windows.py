"""Who waits: windows and buffers that are too small, and applications that do not keep up.

TCP keeps a window of data under way. It is as large as the receiver's buffer allows, the sender's buffer holds and the
congestion window permits; the rate is the window over the round-trip time. The kernel's own clocks (TCP_INFO's
busy_time, rwnd_limited, sndbuf_limited) say which of them it waited for.
"""

from collections.abc import Sequence

from pathgauge.explain import knobs
from pathgauge.explain.case import Case, Facts
from pathgauge.explain.cause import Cause, Knob, Sign, no_knobs
from pathgauge.explain.knobs import Place

DEFAULT_RMEM, DEFAULT_WMEM = "4096 131072 6291456", "4096 16384 4194304"
SCALING = "net/ipv4/tcp_window_scaling"
MUCH, SOME = 0.5, 0.2  # of the time
SMALL_BUFFER = 131072  # bytes
BUSY = 0.9  # of a CPU
IDLE = 0.7
LARGE_RECEIVE = 131072


def _buffer(facts: Facts, place: Place) -> int | None:
    """What the user asked for at an end."""
    size = getattr(facts.parameters, knobs.buffer_field(facts, place))
    return size if isinstance(size, int) else None


def _most(facts: Facts, place: Place, name: str) -> int | None:
    """The last of a sysctl's three numbers."""
    space = facts.sender if place == "sender" else facts.receiver
    words = (facts.sysctl(space, name) or "").split()
    return int(words[-1]) if words and words[-1].isdigit() else None


def _buffer_signs(case: Case, place: Place, sysctl: str, default: str) -> list[Sign]:
    """A buffer that was asked for, or a limit of the kernel's below its default; and what the other path has."""
    facts, signs = case.slow, []
    asked, limit = _buffer(facts, place), _most(facts, place, sysctl)
    if asked is not None and asked <= 4 * SMALL_BUFFER:
        signs.append(Sign(0.4, f"the {place}'s buffer was set to {asked} bytes, so the kernel does not tune it"))
    elif asked is None and limit is not None and limit < int(default.rsplit(maxsplit=1)[-1]):
        signs.append(Sign(0.35, f"{sysctl.replace('/', '.')} lets the {place}'s buffer grow to {limit} bytes only"))
    if case.fast is not None and signs:
        same = _buffer(case.fast, place) == asked and _most(case.fast, place, sysctl) == limit
        signs.append(Sign(-0.3, "so it is on the other path") if same else Sign(0.3, f"on {case.fast.name} it is not"))
    return signs


def receive_window(case: Case) -> Sequence[Sign]:
    """Limited by the window that the receiver offers."""
    if case.kind.transport != "tcp" or case.kind.pattern != "stream":
        return ()
    facts = case.slow
    signs = _buffer_signs(case, "receiver", "net/ipv4/tcp_rmem", DEFAULT_RMEM)
    signs += _unscaled(case)
    limited = facts.limited("rwnd_limited")
    if limited is not None:
        told = f"{100 * limited:.0f} % of its busy time TCP waited for the receiver's window (rwnd_limited)"
        # The kernel's clock ticks in ms: where the window is known to be small, shorter waits say nothing against it.
        against = 0.0 if signs else -0.25
        signs.append(Sign(0.6 if limited > MUCH else 0.3 if limited > SOME else against, told))
    if (window := facts.last("snd_wnd")) is not None and limited is not None and limited > SOME:
        signs.append(Sign(0.1, f"the window offered is {window:.0f} bytes"))
    zero = facts.counted("tcpext.TCPToZeroWindowAdv")
    if zero and zero > facts.seconds:
        signs.append(Sign(-0.2, f"the window was closed {zero:.0f} times: the reader is slow"))
    return signs


def _unscaled(case: Case) -> list[Sign]:
    """An end that does not scale windows: none is larger than 64 KiB, whatever the buffers hold."""
    facts = case.slow
    ends = [space for space in (facts.sender, facts.receiver) if facts.sysctl(space, SCALING) == "0"]
    if not ends:
        return []
    signs = [Sign(0.4, f"net.ipv4.tcp_window_scaling is 0 in {ends[0]}: the window is 64 KiB at most")]
    if case.fast is not None:
        fast = case.fast
        alike = any(fast.sysctl(space, SCALING) == "0" for space in (fast.sender, fast.receiver))
        signs.append(Sign(-0.4, f"so it is on {fast.name}") if alike else Sign(0.3, f"on {fast.name} it is not"))
    return signs


def _receive_knobs(case: Case) -> Sequence[Knob]:
    if _unscaled(case):
        return (knobs.sysctl("ends", SCALING, "1", plant="0"),)
    if _buffer(case.slow, "receiver") is not None:
        return (knobs.buffer_of("receiver", None, plant=8192),)
    return (knobs.sysctl("receiver", "net/ipv4/tcp_rmem", DEFAULT_RMEM, plant="4096 8192 8192"),)


def _receive_advice(case: Case) -> Sequence[str]:
    if _unscaled(case):
        return ("sysctl -w net.ipv4.tcp_window_scaling=1 at both ends",)
    if _buffer(case.slow, "receiver") is not None:
        return ("do not set SO_RCVBUF: the kernel tunes the window by itself (or set twice rate x round-trip time)",)
    return (f"sysctl -w net.ipv4.tcp_rmem='{DEFAULT_RMEM}' at the receiver",)


def send_buffer(case: Case) -> Sequence[Sign]:
    """The sender's buffer holds less than should be under way."""
    if case.kind.transport != "tcp" or case.kind.pattern != "stream":
        return ()
    facts = case.slow
    signs = _buffer_signs(case, "sender", "net/ipv4/tcp_wmem", DEFAULT_WMEM)
    limited = facts.limited("sndbuf_limited")
    if limited is not None and limited > SOME:
        told = f"{100 * limited:.0f} % of its busy time TCP waited for the send buffer (sndbuf_limited)"
        signs.append(Sign(0.5 if limited > MUCH else 0.3, told))
    busy = facts.limited("busy_time")
    if signs and busy is not None and busy < IDLE:
        signs.append(Sign(0.15, f"TCP had something to send for {100 * busy:.0f} % of the time only"))
    return signs


def _send_knobs(case: Case) -> Sequence[Knob]:
    if _buffer(case.slow, "sender") is not None:
        return (knobs.buffer_of("sender", None, plant=8192),)
    return (knobs.sysctl("sender", "net/ipv4/tcp_wmem", DEFAULT_WMEM, plant="4096 8192 8192"),)


def _send_advice(case: Case) -> Sequence[str]:
    if _buffer(case.slow, "sender") is not None:
        return ("do not set SO_SNDBUF: the kernel tunes it by itself (or set twice rate x round-trip time)",)
    return (f"sysctl -w net.ipv4.tcp_wmem='{DEFAULT_WMEM}' at the sender",)


def slow_reader(case: Case) -> Sequence[Sign]:
    """The receiving application does not keep up."""
    if not case.streams:
        return ()
    facts, signs = case.slow, []
    size = facts.parameters.receive_size
    if size is not None and size < LARGE_RECEIVE // 8:
        signs.append(Sign(0.3, f"the reader takes {size} bytes at a time"))
        if case.fast is not None:
            other = case.fast.parameters.receive_size
            signs.append(Sign(-0.3, "so it does on the other path") if other == size else
                         Sign(0.3, f"on {case.fast.name} it takes {other}"))  # fmt: skip
    if (cpu := facts.receiver_cpu) is not None and cpu > BUSY:
        signs.append(Sign(0.3, f"the receiver's CPU is busy: {cpu:.2f} CPU"))
    zero, limited = facts.counted("tcpext.TCPToZeroWindowAdv"), facts.limited("rwnd_limited")
    if zero and zero > facts.seconds and limited is not None and limited > SOME:
        signs.append(Sign(0.4, f"the reader let the window close {zero:.0f} times"))
    return signs


def sender_limited(case: Case) -> Sequence[Sign]:
    """The sending application does not keep TCP busy."""
    if not case.streams:
        return ()
    facts = case.slow
    busy, cpu = facts.limited("busy_time"), facts.sender_cpu
    if busy is None or busy > IDLE or cpu is None or cpu > IDLE:
        return ()
    return [Sign(0.3, f"TCP had something to send for {100 * busy:.0f} % of the time, the sender used {cpu:.2f} CPU")]


def autotuning(case: Case) -> Sequence[Sign]:
    """The receive buffer does not grow by itself."""
    if not case.streams or _buffer(case.slow, "receiver") is not None:
        return ()
    facts, name = case.slow, "net/ipv4/tcp_moderate_rcvbuf"
    if facts.sysctl(facts.receiver, name) != "0":
        return ()
    signs = [Sign(0.45, "net.ipv4.tcp_moderate_rcvbuf is 0 at the receiver: its buffer stays as it starts")]
    if case.fast is not None and case.fast.sysctl(case.fast.receiver, name) == "0":
        signs.append(Sign(-0.6, "so it is on the other path"))
    limited = facts.limited("rwnd_limited")
    if limited is not None and limited > SOME:
        signs.append(Sign(0.4, f"{100 * limited:.0f} % of its busy time TCP waited for the receiver's window"))
    return signs


def memory_pressure(case: Case) -> Sequence[Sign]:
    """The kernel was short of memory for sockets."""
    names = ("TCPMemoryPressures", "PruneCalled", "OfoPruned", "TCPAbortOnMemory")
    grown = {name: case.slow.counted(f"tcpext.{name}") for name in names}
    return [Sign(0.35, f"{name} grew by {count:.0f}") for name, count in grown.items() if count]


CAUSES: tuple[Cause, ...] = (
    Cause(
        "receive-window", "A1", 2, "the receiver's window is too small for the path",
        receive_window, _receive_knobs, _receive_advice, references=("R2", "R38"),
    ),
    Cause(
        "send-buffer", "A2", 2, "the sender's buffer holds less than has to be under way",
        send_buffer, _send_knobs, _send_advice, references=("R2", "R31"),
    ),
    Cause(
        "slow-reader", "A3", 2, "the receiving application reads too slowly",
        slow_reader, lambda _case: (knobs.parameter("receive-size", LARGE_RECEIVE, plant=512),),
        lambda _case: ("read 128 KiB at a time, and read on until nothing is left",), references=("R19", "R38"),
    ),
    Cause(
        "sender-app-limited", "A4", 2, "the sending application does not keep TCP busy",
        sender_limited, no_knobs, lambda _case: ("see what the sender waits for: strace -c, perf trace",),
        references=("R38",),
    ),
    Cause(
        "receive-autotuning", "A11", 2, "the receiver's buffer does not grow by itself",
        autotuning, lambda _case: (knobs.sysctl("receiver", "net/ipv4/tcp_moderate_rcvbuf", "1", plant="0"),),
        lambda _case: ("sysctl -w net.ipv4.tcp_moderate_rcvbuf=1 at the receiver",),
    ),
    Cause(
        "tcp-memory-pressure", "A12", 2, "the kernel was short of memory for sockets",
        memory_pressure, no_knobs,
        lambda _case: ("raise net.ipv4.tcp_mem (of the whole machine), or the memory limit of the container",),
        reach="partly", references=("R19",),
    ),
)  # fmt: skip
