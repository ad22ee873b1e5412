"""What the controller and an end say to each other survives the wire; the rest is refused."""

import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathgauge.endpoints import messages
from pathgauge.endpoints.messages import (
    Accept,
    Close,
    Connect,
    Describe,
    Done,
    Facts,
    Failed,
    Keys,
    Prepare,
    SocketOptions,
    Work,
)

WORK = Work(loop="send", first_size=65536, second_size=0, deadline_ns=2**60, cpu=1)
ORDERS: list[messages.Order] = [
    Prepare(key=1, namespace=7, transport="udp", ipv6=True, address="fd00::1", options=SocketOptions(dscp=46)),
    Connect(
        slot=2,
        namespace=7,
        transport="tcp",
        ipv6=False,
        address="198.18.0.2",
        peer_address="198.18.0.1",
        peer_port=4711,
        options=SocketOptions(buffer=131072, nodelay=True, congestion="cubic"),
        work=WORK,
    ),
    Accept(
        slot=3,
        key=1,
        peer_address="198.18.0.2",
        peer_ports=[4712],
        work=WORK,
        keys=Keys(cipher="aes-128-gcm", to_server=b"\0" * 28, to_client=b"\xff" * 28),
    ),
    Describe(slot=2),
    Close(slots=[2, 3]),
]
REPLIES: list[messages.Reply] = [
    Done(ports=[4711]),
    Facts(send_buffer=1, receive_buffer=2, congestion="bbr", tcp_info=b"\1\2"),
    Failed(error="UserError", message="no", hint="yes"),
]


def pair() -> tuple[socket.socket, socket.socket]:
    one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    two.settimeout(2)
    return one, two


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_orders_arrive_as_they_were_sent(order: messages.Order) -> None:
    one, two = pair()
    with one, two:
        messages.send(one, order)
        assert messages.receive_order(two) == order


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_replies_arrive_as_they_were_sent(reply: messages.Reply) -> None:
    one, two = pair()
    with one, two:
        messages.send(one, reply)
        assert messages.receive_reply(two) == reply


def test_a_side_that_went_away_is_none() -> None:
    one, two = pair()
    one.close()
    with two:
        assert messages.receive_order(two) is None


@given(st.binary(min_size=1, max_size=200))
def test_anything_else_is_refused_by_the_decoder(data: bytes) -> None:
    one, two = pair()
    with one, two:
        one.send(data)
        try:
            order = messages.receive_order(two)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return
        assert isinstance(order, (Prepare, Connect, Accept, Describe, Close))
