"""The controller's hold on the process of one end: start it, order it, end it."""

import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pathgauge import errors
from pathgauge.child import GOODBYE_SECONDS, Child, raised
from pathgauge.endpoints import messages
from pathgauge.endpoints.messages import Done, Facts, Failed, NetperfDone, NetperfRun

ANSWER_SECONDS = 15.0
NETPERF_SECONDS = 200.0


@dataclass(slots=True)
class EndProcess:
    """One end, `local` or `remote`; a context manager that leaves no process behind."""

    child: Child
    channel: socket.socket

    @classmethod
    def start(
        cls, name: str, *, board: int, slots: int, flows: int, user_namespace: int | None, namespaces: Sequence[int]
    ) -> "EndProcess":
        """Start an end; all descriptors named stay open in it under the same numbers."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(ANSWER_SECONDS)
        userns = -1 if user_namespace is None else user_namespace
        keep = {theirs.fileno(), board, *namespaces} | ({userns} - {-1})
        numbers = (theirs.fileno(), board, slots, flows, userns, os.getpid())
        try:
            with theirs:
                child = Child.start(f"the {name} end", "pathgauge.endpoints.end", numbers, keep=keep, session=False)
        except BaseException:
            ours.close()
            raise
        return cls(child, ours)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process itself."""
        return self.child.process

    def order(self, order: messages.Order) -> Done | Facts | NetperfDone:
        """Give an order and wait until it is done. Raises what the end raised; EndDied where it is gone or silent."""
        try:
            # A run of netperf lasts as long as it was told to, and waits for its server.
            self.channel.settimeout(NETPERF_SECONDS if isinstance(order, NetperfRun) else ANSWER_SECONDS)
            messages.send(self.channel, order)
            reply = messages.receive_reply(self.channel)
        except OSError as error:  # a time-out is one, too
            raise self.death() from error
        if reply is None:
            raise self.death()
        if isinstance(reply, Failed):
            raise raised(reply.error, reply.message, reply.hint)
        return reply

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def death(self) -> errors.PathgaugeError:
        """The error that says how this end died."""
        return self.child.death(ANSWER_SECONDS)

    def close(self) -> None:
        """Let the end go; it is killed if it does not."""
        self.channel.close()
        try:
            self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.child.complaints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
