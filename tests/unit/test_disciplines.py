"""Queueing disciplines as bytes: what can be said of them without a kernel."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.paths import disciplines
from pathgauge.paths.shaping import HIGHEST_RATE, LOWEST_RATE, shaping
from pathgauge.paths.types import QUEUE_KINDS

HEAD = 16 + 20  # nlmsghdr and tcmsg


def attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset < len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        found[kind] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def test_every_kind_that_can_be_typed_can_be_made() -> None:
    assert tuple(disciplines.QUEUES) == QUEUE_KINDS
    for kind in QUEUE_KINDS:
        found = attributes(disciplines.queue(7, kind, None)[HEAD:])
        assert found == {1: kind.encode() + b"\0"}


@pytest.mark.parametrize(("kind", "place"), [("pfifo", 0), ("bfifo", 0), ("fq", 4), ("fq_codel", 4), ("sfq", 8)])
def test_a_limit_is_where_the_kind_has_it(kind: str, place: int) -> None:
    options = attributes(disciplines.queue(7, kind, 1234)[HEAD:])[2]
    assert struct.unpack_from("=I", options, place) == (1234,)


@given(rate=st.integers(LOWEST_RATE, HIGHEST_RATE), netem=st.booleans())
def test_a_shaper_says_its_length_and_its_rate(rate: int, *, netem: bool) -> None:
    form = shaping(rate)
    for requests in (disciplines.tbf(3, form, under_netem=netem), disciplines.htb(3, form, under_netem=netem)):
        for request in requests:
            assert struct.unpack_from("=I", request) == (len(request),)
        assert struct.pack("=I", form.rate) in b"".join(requests)
        assert struct.pack("=I", form.limit) in b"".join(requests)
        (parent,) = struct.unpack_from("=I", requests[0], 16 + 12)
        assert (parent == 0xFFFFFFFF) is not netem


def test_netem_has_times_in_ticks_and_chances_in_parts_of_a_whole() -> None:
    request = disciplines.netem(3, delay=0.005, jitter=0.001, loss=0.5, reorder=0.25, limit=1000)
    options = attributes(request[HEAD:])[2]
    delay, limit, loss, gap, duplicate, jitter = struct.unpack_from("=IIIIII", options)
    assert (delay, jitter) == (78_125, 15_625)
    assert (limit, gap, duplicate) == (1000, 1, 0)
    assert loss == pytest.approx(2**31, abs=1)
    reorder = attributes(options[24:])[3]
    assert struct.unpack("=II", reorder)[0] == pytest.approx(2**30, abs=1)
    plain = disciplines.netem(3, delay=0.005, jitter=0.0, loss=0.0, reorder=0.0, limit=1000)
    assert len(attributes(plain[HEAD:])[2]) == 24
