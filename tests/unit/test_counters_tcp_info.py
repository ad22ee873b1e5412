"""struct tcp_info of any length."""

import dataclasses
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.counters.tcp_info import LAYOUT, TcpInfo, _bits, decode

FIELDS = [field.name for field in dataclasses.fields(TcpInfo)]
# Lengths that kernels return, by the version that brought them, with the last field each has.
LENGTHS = {
    104: "total_retrans",  # 2.6
    120: "max_pacing_rate",  # 3.15
    136: "bytes_received",  # 4.1
    144: "segs_in",  # 4.2
    160: "data_segs_out",  # 4.6
    168: "delivery_rate",  # 4.9
    192: "sndbuf_limited",  # 4.10
    200: "delivered_ce",  # 4.18
    224: "reord_seen",  # 4.19
    232: "snd_wnd",  # 5.4
    240: "rehash",  # 6.2
    248: "total_rto_time",  # 6.7
    276: "received_ce_bytes",  # 6.18, before the word that is not decoded
}


def end(name: str) -> int:
    offset, code = LAYOUT[name]
    return offset + struct.calcsize(code)


@given(st.binary(max_size=400))
def test_any_bytes_decode_or_leave_none(raw: bytes) -> None:
    info = decode(raw)
    for name in set(FIELDS) & set(LAYOUT):
        value = getattr(info, name)
        assert (value is None) == (end(name) > len(raw)), name
    for name in set(FIELDS) - set(LAYOUT):
        value = getattr(info, name)
        assert value is None or 0 <= value < 16, name


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_what_a_newer_kernel_appends_changes_no_field_known_before(raw: bytes, appended: bytes) -> None:
    short, longer = decode(raw), decode(raw + appended)
    for name in FIELDS:
        assert getattr(short, name) in (None, getattr(longer, name))


@given(st.data())
def test_every_field_keeps_its_value(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(set(FIELDS) & set(LAYOUT))))
    offset, code = LAYOUT[name]
    value = data.draw(st.integers(0, 2 ** (8 * struct.calcsize(code)) - 1))
    raw = bytearray(280)
    struct.pack_into(code, raw, offset, value)
    info = decode(bytes(raw))
    assert getattr(info, name) == value
    others = set(FIELDS) - {name}
    assert all(getattr(info, other) == 0 for other in others)


@pytest.mark.parametrize(("length", "last"), LENGTHS.items())
def test_each_kernels_length_ends_with_a_whole_field(length: int, last: str) -> None:
    assert end(last) == length
    assert getattr(decode(bytes(length)), last) == 0
    assert getattr(decode(bytes(length - 1)), last) is None


def test_fields_lie_on_their_natural_boundaries() -> None:
    assert all(offset % struct.calcsize(code) == 0 for offset, code in LAYOUT.values())


def test_dataclass_and_layout_name_the_same_fields() -> None:
    packed = {"snd_wscale", "rcv_wscale", "delivery_rate_app_limited", "fastopen_client_fail"}
    assert set(FIELDS) - packed == set(LAYOUT) - {"_wscale", "_flags"}


def test_bit_fields_of_both_byte_orders() -> None:
    assert (_bits(0xA7, 0, 4, "little"), _bits(0xA7, 4, 4, "little")) == (7, 10)
    assert (_bits(0x7A, 0, 4, "big"), _bits(0x7A, 4, 4, "big")) == (7, 10)
    assert (_bits(0b101, 0, 1, "little"), _bits(0b101, 1, 2, "little")) == (1, 2)
    assert (_bits(0b11000000, 0, 1, "big"), _bits(0b11000000, 1, 2, "big")) == (1, 2)


def test_flags_of_a_kernel_that_had_padding_there_are_unknown() -> None:
    before = decode(bytes(160))
    assert (before.delivery_rate_app_limited, before.fastopen_client_fail) == (None, None)
    between = decode(bytes(168))
    assert (between.delivery_rate_app_limited, between.fastopen_client_fail) == (0, None)
    assert decode(bytes(232)).fastopen_client_fail == 0
