"""The loops of TCP_CRR and TCP_CC, which make a connection for each transaction.

A first connection is made and held all the same: what was negotiated on it holds for the others.
"""

import os
import socket

from pathgauge import _native
from pathgauge.endpoints import methods
from pathgauge.endpoints.messages import Connect, SocketOptions, Work
from pathgauge.endpoints.sockets import SO_BUSY_POLL

IPV6_TCLASS = 67  # missing from Python's socket module on some systems
NO_SOCKET = -1


def ask(board: _native.Board, order: Connect) -> None:
    """Connect, ask and await the server's close, again and again. The thread is in the client's namespace."""
    plan = _native.ConnectPlan(
        local=order.address,
        remote=order.peer_address,
        port=order.peer_port,
        options=_options(order.options, ipv6=order.ipv6),
    )
    transfer, buffers = _transfer(NO_SOCKET, order.work), _buffers(order.work)
    if order.work.at_once == 1:
        _native.connect_transact(board, order.slot, transfer, plan, *buffers)
    else:
        places = _native.Places(board, order.slot, order.work.at_once)
        _native.connect_many(board, order.slot, transfer, plan, places, *buffers)


def answer(board: _native.Board, slot: int, listener: socket.socket, work: Work) -> None:
    """Accept, answer and close, again and again."""
    transfer, buffers = _transfer(listener.fileno(), work), _buffers(work)
    os.set_blocking(listener.fileno(), work.at_once == 1)
    if work.at_once == 1:
        _native.accept_transact(board, slot, transfer, *buffers)
    else:
        _native.accept_many(board, slot, transfer, _native.Places(board, slot, work.at_once), *buffers)


def _transfer(descriptor: int, work: Work) -> _native.Transfer:
    return _native.Transfer(
        fd=descriptor, datagrams=False, deadline_ns=work.deadline_ns, period_ns=methods.period_ns(work)
    )


def _buffers(work: Work) -> list[_native.Buffers]:
    """For the question and the answer; none where nothing is sent."""
    return [_native.Buffers(size) for size in (work.first_size, work.second_size)] if work.first_size else []


def _options(options: SocketOptions, *, ipv6: bool) -> list[tuple[int, int, int]]:
    """As the native loop sets them on each socket; those that are accepted have the listener's."""
    made = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(options.nodelay))]
    if options.buffer is not None:
        made += [(socket.SOL_SOCKET, name, options.buffer) for name in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
    if options.busy_poll is not None:
        made.append((socket.SOL_SOCKET, SO_BUSY_POLL, options.busy_poll))
    if options.dscp is not None:
        level, name = (socket.IPPROTO_IPV6, IPV6_TCLASS) if ipv6 else (socket.IPPROTO_IP, socket.IP_TOS)
        made.append((level, name, options.dscp << 2))
    return made
