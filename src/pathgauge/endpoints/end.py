"""The process of one end: it makes sockets on order and runs loops over them, a thread each.

Started by exec with its descriptors on the command line:
`python -P -m pathgauge.endpoints.end CHANNEL BOARD SLOTS FLOWS USERNS PARENT` (FLOWS is the most that a slot may have,
USERNS -1 where the lab needs no user namespace, PARENT the controller's pid). It ends when the controller's side of the
channel closes.
"""

import errno
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pathgauge import _native
from pathgauge.child import told
from pathgauge.endpoints import connections, messages, methods, realtime, sockets, tls
from pathgauge.endpoints.messages import (
    Accept,
    Close,
    Connect,
    Describe,
    Done,
    Failed,
    Greet,
    NetperfRun,
    Prepare,
    Reply,
    Work,
)
from pathgauge.endpoints.quota import Quotas
from pathgauge.paths.namespaces import CLONE_NEWUSER, die_with_parent, setns

QUIT = 2
NUDGE_SECONDS = 0.002


@dataclass(slots=True)
class Job:
    """Sockets with their loop at work; `sleeps` in calls that no shutdown of these ends."""

    made: list[socket.socket]
    transport: sockets.Transport
    thread: threading.Thread
    sleeps: bool


@dataclass(slots=True)
class End:
    """All that one end holds: listening or bound sockets by key, jobs and flows that gather for one by slot."""

    board: _native.Board
    waiting: dict[int, tuple[socket.socket, sockets.Transport]] = field(default_factory=dict)
    gathered: dict[int, list[socket.socket]] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    quotas: Quotas = field(default_factory=Quotas)

    def carry_out(self, order: messages.Order) -> Reply:
        """Do what is ordered; raises PathgaugeError or OSError."""
        if isinstance(order, Prepare):
            return self._prepare(order)
        if isinstance(order, Connect):
            return self._connect(order)
        if isinstance(order, Accept):
            return self._accept(order)
        if isinstance(order, Greet):
            self.jobs[order.slot].made[0].send(order.greeting)
            return Done()
        if isinstance(order, NetperfRun):
            from pathgauge.endpoints import netperf

            return netperf.run(order)
        if isinstance(order, Describe):
            job = self.jobs[order.slot]
            return sockets.facts(job.made[0], job.transport)
        return self._close(order)

    def _prepare(self, order: Prepare) -> Done:
        made = sockets.make(order.namespace, order.transport, ipv6=order.ipv6, options=order.options)
        made.bind((order.address, 0))
        if order.transport == "tcp":
            sockets.listen(made, order.at_once)
        self.waiting[order.key] = made, order.transport
        return Done(ports=_ports([made]))

    def _connect(self, order: Connect) -> Done:
        made: list[socket.socket] = []
        room = 0
        try:
            for _ in range(order.flows):
                each = sockets.make(order.namespace, order.transport, ipv6=order.ipv6, options=order.options)
                made.append(each)
                room = _send_room(each)
                peer = order.peer_address, order.peer_port
                sockets.connect(each, order.address, peer, many=order.gather or order.flows > 1)
                if order.options.mptcp:
                    sockets.require_multipath(each)
                if order.greeting:
                    each.send(order.greeting)
                if order.keys is not None:
                    tls.encrypt(each, order.keys, "local")
        except BaseException:
            for each in made:
                each.close()
            raise
        ports = _ports(made)
        if order.work.loop == "connect":
            self._start(order.slot, made, order.transport, order.work, lambda: connections.ask(self.board, order))
        else:
            self._move(order.slot, made, order.transport, order.work, room, gather=order.gather)
        return Done(ports=ports)

    def _accept(self, order: Accept) -> Done:
        waiting, transport = self.waiting[order.key]
        room = _send_room(waiting)
        if transport == "udp":
            (port,) = order.peer_ports
            peer = sockets.greeted(waiting, order.greeting) if order.greeting else (order.peer_address, port)
            if peer is None:
                return Done(ports=[0])
            made = [self.waiting.pop(order.key)[0]]
            made[0].connect(peer)
            sockets.drain(made[0])
        else:
            made = _accept_from(waiting, order)
        ports = _ports(made)
        if order.work.loop == "accept":
            loop = partial(connections.answer, self.board, order.slot, waiting, order.work)
            self._start(order.slot, made, transport, order.work, loop, listener=waiting)
        else:
            self._move(order.slot, made, transport, order.work, room, gather=order.gather)
        return Done(ports=ports)

    def _move(
        self,
        slot: int,
        made: list[socket.socket],
        transport: sockets.Transport,
        work: Work,
        room: int,
        *,
        gather: bool,
    ) -> None:
        """Start a loop over the sockets themselves, if no more are to come; `room` is a send buffer in bytes."""
        gathered = self.gathered.setdefault(slot, [])
        gathered += made
        if gather:
            return
        del self.gathered[slot]
        methods.require(work, room)
        self._start(slot, gathered, transport, work, lambda: methods.run(self.board, slot, gathered, work, room))

    def _start(
        self,
        slot: int,
        made: list[socket.socket],
        transport: sockets.Transport,
        work: Work,
        loop: Callable[[], None],
        *,
        listener: socket.socket | None = None,
    ) -> None:
        for each in made:
            each.settimeout(None)
            methods.prepare(each, work)
            if transport == "udp" and work.loop == "request":
                sockets.limit_wait(each)
        if work.realtime is not None:
            realtime.require(work.realtime)
        group = None if work.quota is None else self.quotas.make(slot, work.quota)

        used = [each.fileno() for each in (*made, listener) if each is not None]

        def run() -> None:
            try:
                if group is not None:
                    self.quotas.join(group)
                if work.cpu is not None:
                    os.sched_setaffinity(0, {work.cpu})
                if work.realtime is not None:
                    realtime.enter(work.realtime)
                _native.keep_descriptors(used)
                loop()
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits for the slot must hear of it
                number = error.errno if isinstance(error, OSError) else None
                self.board.fail(slot, number or (errno.ENOMEM if isinstance(error, MemoryError) else errno.EINVAL))

        thread = threading.Thread(target=run, daemon=True)
        sleeps = work.loop in ("connect", "accept") or len(made) > 1
        self.jobs[slot] = Job(made, transport, thread, sleeps)
        thread.start()

    def _close(self, order: Close) -> Done:
        jobs = [(slot, self.jobs.pop(slot)) for slot in order.slots if slot in self.jobs]  # else it did not begin
        for slot, job in jobs:
            self.board.order(slot, QUIT)
            if len(job.made) > 1:
                continue  # they are closed at once, so that no port of thousands is kept for a minute
            try:
                job.made[0].shutdown(socket.SHUT_RDWR)
            except OSError as error:
                if error.errno not in (errno.ENOTCONN, errno.ECONNRESET):
                    raise
        for slot, job in jobs:
            while job.sleeps and job.thread.is_alive():
                self.board.nudge(slot)
                job.thread.join(NUDGE_SECONDS)
            job.thread.join()
            for made in job.made:
                if len(job.made) > 1:
                    sockets.close_at_once(made)
                made.close()
            self.quotas.remove(slot)
        return Done()


def _ports(made: list[socket.socket]) -> list[int]:
    return [each.getsockname()[1] for each in made]


def _accept_from(listener: socket.socket, order: Accept) -> list[socket.socket]:
    """The connections that come from the ports, or as many that say the greeting; any others are closed."""
    listener.settimeout(sockets.CONNECT_SECONDS)
    wanted = set(order.peer_ports)
    taken: list[socket.socket] = []
    try:
        while len(taken) < len(order.peer_ports):
            made, peer = listener.accept()
            if sockets.says(made, order.greeting) if order.greeting else peer[1] in wanted:
                taken.append(made)
                if order.keys is not None:
                    tls.encrypt(made, order.keys, "remote")
            else:
                made.close()
    except BaseException:
        for made in taken:
            made.close()
        raise
    return taken


def _send_room(made: socket.socket) -> int:
    """The send buffer in bytes, as it is before a connection makes it grow."""
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def _failure(error: Exception) -> Failed:
    name, message, hint = told(error, f"an end of the test could not go on: {error}")
    return Failed(error=name, message=message, hint=hint)


def serve(channel: socket.socket, end: End) -> None:
    """Carry out orders until the controller is gone."""
    while (order := messages.receive_order(channel)) is not None:
        try:
            reply = end.carry_out(order)
        except Exception as error:  # noqa: BLE001 - every failure is the controller's to tell, not a traceback of an end
            reply = _failure(error)
        messages.send(channel, reply)


def main(arguments: list[str]) -> None:
    """Enter the lab's user namespace if there is one, then serve."""
    channel_fd, board_fd, slots, flows, user_namespace, parent = map(int, arguments)
    if user_namespace >= 0:
        setns(user_namespace, CLONE_NEWUSER)
    die_with_parent(parent)
    _native.hear_nudges()
    board = _native.Board(board_fd, slots, flows)
    with socket.socket(fileno=channel_fd) as channel:
        serve(channel, End(board))
    os._exit(0)  # loops still at work are daemons: nothing of theirs is worth waiting for


if __name__ == "__main__":
    main(sys.argv[1:])
