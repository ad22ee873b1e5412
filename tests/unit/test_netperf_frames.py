"""netperf's control messages: whatever bytes come, they are read, and asked is only what the limits allow."""

import math
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.errors import InternalError
from pathgauge.peers.netperf import answers, frames, plan, serving
from pathgauge.peers.netperf.frames import Flag, Frame, Kind, Layout, Value
from pathgauge.peers.netperf.plan import Limits, Plan, Refused

LAYOUTS = {name: value for name, value in vars(frames).items() if isinstance(value, Layout)}
LIMITS = Limits(max_length=100.0, max_buffer=1 << 20, max_size=1 << 16)
RING_BYTES = plan.WIDTH_BYTES + 2 * plan.MOST_ALIGNMENT + LIMITS.max_size
WORDS = frames.PAYLOAD_BYTES // 4

payloads = st.binary(min_size=frames.PAYLOAD_BYTES, max_size=frames.PAYLOAD_BYTES)
raws = st.binary(min_size=frames.FRAME_BYTES, max_size=frames.FRAME_BYTES)
int32 = st.integers(min_value=-(2**31), max_value=2**31 - 1)
uint32 = st.integers(min_value=0, max_value=2**32 - 1)
texts = st.text(st.characters(codec="ascii", exclude_characters="\0"))


def values_of(code: str, name: str) -> st.SearchStrategy[Value]:
    """What a field with this code can hold."""
    if name.endswith("_ip"):
        return st.binary(min_size=frames.ADDRESS_BYTES, max_size=frames.ADDRESS_BYTES)
    if code.endswith("s"):
        return texts.map(lambda text: text[: int(code[:-1])])
    numbers: dict[str, st.SearchStrategy[Value]] = {
        "": int32,
        "I": uint32,
        "Q": st.integers(min_value=0, max_value=2**64 - 1),
        "f": st.floats(width=32, allow_nan=False),
        "d": st.floats(allow_nan=False),
    }
    return numbers[code]


def fields_of(layout: Layout) -> st.SearchStrategy[dict[str, Value]]:
    return st.fixed_dictionaries({name: values_of(layout._codes[name], name) for name in layout.names})


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
def test_what_is_packed_is_unpacked(name: str, data: st.DataObject) -> None:
    layout = LAYOUTS[name]
    fields = data.draw(fields_of(layout))
    assert layout.unpack(layout.pack(fields).ljust(frames.PAYLOAD_BYTES, b"\0")) == fields


@pytest.mark.parametrize("name", LAYOUTS)
@given(payload=payloads)
def test_any_payload_is_unpacked_and_can_be_packed_again(name: str, payload: bytes) -> None:
    layout = LAYOUTS[name]
    fields = layout.unpack(payload)
    again = layout.unpack(layout.pack(fields).ljust(frames.PAYLOAD_BYTES, b"\0"))
    for field, value in fields.items():
        if isinstance(value, float) and math.isnan(value):
            assert math.isnan(float(again[field]))
        elif isinstance(value, str) and "\ufffd" in value:
            assert "\ufffd" in str(again[field]) or len(str(again[field])) < len(value)
        else:
            assert again[field] == value


@given(number=st.integers(min_value=-(2**70), max_value=2**70))
def test_a_number_that_does_not_fit_wraps(number: int) -> None:
    layout = Layout("signed unsigned:I long:Q")
    (signed, unsigned, long) = struct.unpack(">iIQ", layout.pack(dict.fromkeys(layout.names, number)))
    assert unsigned == signed % 2**32 == number % 2**32
    assert long == number % 2**64


@given(raw=raws)
def test_any_message_is_read_and_written_again(raw: bytes) -> None:
    frame = Frame.unpack(raw)
    assert frame.pack() == raw
    assert -(2**31) <= frame.kind < 2**31


@given(st.binary(max_size=2 * frames.FRAME_BYTES).filter(lambda raw: len(raw) != frames.FRAME_BYTES))
def test_a_message_of_another_length_is_a_defect_of_ours(raw: bytes) -> None:
    with pytest.raises(InternalError):
        Frame.unpack(raw)


def test_a_layout_that_no_payload_holds_is_a_defect_of_ours() -> None:
    with pytest.raises(InternalError):
        Layout("much:649s")


@given(st.ip_addresses(v=4).filter(int), st.ip_addresses(v=6).filter(int))
def test_addresses_come_back(four: IPv4Address, six: IPv6Address) -> None:
    assert frames.unpack_address(frames.pack_address(str(four)), frames.IPV4) == str(four)
    assert frames.unpack_address(frames.pack_address(str(six)), frames.IPV6) == str(six)
    assert frames.unpack_address(frames.pack_address(""), frames.IPV6) == ""


def test_an_address_of_ipv6_lies_as_the_usual_client_sends_it() -> None:
    assert frames.pack_address("::1") == bytes(12) + b"\1\0\0\0"
    assert frames.pack_address("127.0.0.3") == b"\x7f\0\0\3" + bytes(12)


# --- what is asked ----------------------------------------------------------------------------------------------------

Reader = Callable[[bytes], Plan]
READERS: dict[str, Reader] = {
    "omni": lambda payload: plan.of_omni(payload, LIMITS),
    "datagrams": lambda payload: plan.of_datagrams(payload, LIMITS),
    **{
        kind.name: lambda payload, kind=kind: plan.of_stream(payload, LIMITS, kind)  # type: ignore[misc]  # by loop
        for kind in answers.STREAMS
    },
    **{
        kind.name: lambda payload, kind=kind: plan.of_transactions(payload, LIMITS, kind)  # type: ignore[misc]  # by loop
        for kind in answers.TRANSACTIONS
    },
}

# Words that requests are made of, and some that nobody should ask for: random ones alone are all refused.
telling = st.sampled_from(
    [-(2**31), -65536, -2, -1, 0, 1, 2, 3, 4, 6, 8, 17, 24, 80, 4096, 65536, 65537, 2**20, 2**31 - 1]
)
wordy = st.lists(telling, min_size=WORDS, max_size=WORDS).map(lambda words: struct.pack(f">{WORDS}i", *words))


def within(found: Plan) -> None:
    """Assert that a plan keeps to the limits."""
    assert found.length <= LIMITS.max_length
    assert 0 < found.seconds <= LIMITS.max_length + plan.PAD_SECONDS
    assert max(found.send_buffer, found.receive_buffer) <= LIMITS.max_buffer
    sizes = (found.send_size, found.receive_size, found.request_size, found.response_size)
    assert max(sizes) <= LIMITS.max_size
    assert 0 <= found.port <= plan.LAST_PORT
    assert found.limit >= 0
    assert found.receives or found.sends or found.connection


def ring_bytes(size: int, width: int, align: int, offset: int) -> int:
    """What a ring takes, as the native core reckons it."""
    step = serving._power(align)
    return offset + -(-size // step) * step * width


@pytest.mark.parametrize("name", READERS)
@given(payload=st.one_of(payloads, wordy))
def test_a_request_is_within_the_limits_or_refused(name: str, payload: bytes) -> None:
    try:
        found = READERS[name](payload)
    except Refused as error:
        refused = error
    else:
        within(found)
        return
    assert refused.number > 0
    assert str(refused)


def omni(changed: dict[str, Value]) -> bytes:
    """The payload of an omni request such as netperf sends for TCP_STREAM, but for what is changed."""
    usual: dict[str, Value] = {
        "send_buffer": -1,
        "send_size": -1,
        "send_align": 8,
        "request_size": -1,
        "receive_buffer": -1,
        "receive_size": -1,
        "receive_align": 8,
        "response_size": -1,
        "flags": Flag.ROUTING,
        "length": 1,
        "family": frames.IPV4,
        "socket_type": frames.STREAM,
        "protocol": 6,
        "direction": frames.RECEIVE,
        "priority": -1,
        "tos": -1,
    }
    return frames.OMNI_REQUEST.pack(usual | changed).ljust(frames.PAYLOAD_BYTES, b"\0")


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            name: values_of(frames.OMNI_REQUEST._codes[name], name)
            for name in frames.OMNI_REQUEST.names
            if name not in ("fill_file", "socket_type", "protocol", "direction", "family")
        },
    ),
    direction=st.sampled_from([frames.RECEIVE, frames.TRANSMIT, frames.RECEIVE | frames.TRANSMIT]),
    alignment=st.integers(min_value=0, max_value=plan.MOST_ALIGNMENT),
    buffers=st.integers(min_value=0, max_value=1 << 31),
)
def test_no_request_takes_more_memory_than_that(
    fields: dict[str, Value], direction: int, alignment: int, buffers: int
) -> None:
    aligned = {"send_align": alignment, "receive_align": alignment, "direction": direction}
    try:
        found = plan.of_omni(omni(fields | aligned), LIMITS)
    except Refused:
        return
    within(found)
    sized = serving._sized(found, buffers, buffers)
    if sized.sends:
        assert 0 < ring_bytes(sized.send_size, sized.send_width, sized.send_align, sized.send_offset) <= RING_BYTES
    if sized.receives:
        ring = (sized.receive_size, sized.receive_width, sized.receive_align, sized.receive_offset)
        assert 0 < ring_bytes(*ring) <= RING_BYTES


def test_one_byte_on_a_wide_alignment_is_not_two_gigabytes() -> None:
    asked = omni({"receive_size": 1, "receive_width": 2047, "receive_align": 1 << 20})
    sized = serving._sized(plan.of_omni(asked, LIMITS), 0, 0)
    assert (sized.receive_width, sized.receive_align) == (16, 1 << 20)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"length": 101}, "--max-length allows 100"),
        ({"receive_buffer": 2**20 + 1}, "--max-buffer allows 1048576"),
        ({"receive_size": 65537}, "--max-size allows 65536"),
        ({"direction": 6, "request_size": 65537, "response_size": 1}, "--max-size allows 65536"),
        ({"direction": 6, "request_size": 0, "response_size": 1}, "a request of 0"),
        ({"direction": 6, "request_size": 1, "response_size": -5}, "a response of -5"),
        ({"direction": 0}, "direction 0"),
        ({"direction": 8}, "direction 8"),
        ({"protocol": 132}, "protocol 132"),
        ({"protocol": 17}, "protocol 17 with socket type 1"),
        ({"protocol": 17, "socket_type": 2, "flags": Flag.CONNECTION}, "connections over UDP"),
        ({"family": 7}, "address family 7"),
        ({"fill_file": "/etc/shadow"}, "no file is opened"),
        ({"port": 65536}, "port 65536"),
        ({"receive_align": 2**32 - 1}, "receive_align 4294967295"),
        ({"receive_offset": 2**20 + 1}, "receive_offset 1048577"),
    ],
)
def test_what_is_too_much_is_refused_with_a_reason(changed: dict[str, Value], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        plan.of_omni(omni(changed), LIMITS)


@pytest.mark.parametrize("length", [0, -1, -(2**31)])
def test_a_test_without_a_time_ends_with_the_longest_one(length: int) -> None:
    assert plan.of_omni(omni({"length": length}), LIMITS).seconds == LIMITS.max_length


def test_types_are_as_the_protocol_has_them() -> None:
    assert {kind: int(kind) for kind in (*answers.STREAMS, *answers.TRANSACTIONS)} == {
        Kind.TCP_STREAM: 10,
        Kind.TCP_MAERTS: 94,
        Kind.TCP_RR: 13,
        Kind.UDP_RR: 19,
        Kind.TCP_CRR: 34,
        Kind.TCP_CC: 300,
    }
