"""The controller's hold on the process of one end: start it, order it, end it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from pathgauge import errors
from pathgauge.endpoints import messages
from pathgauge.endpoints.messages import Done, Facts, Failed, NetperfDone, NetperfRun

ANSWER_SECONDS = 15.0
NETPERF_SECONDS = 200.0
GOODBYE_SECONDS = 2.0


@dataclass(slots=True)
class EndProcess:
    """One end, `local` or `remote`; a context manager that leaves no process behind."""

    name: str
    process: subprocess.Popen[bytes]
    channel: socket.socket
    complaints: IO[bytes]

    @classmethod
    def start(
        cls, name: str, *, board: int, slots: int, user_namespace: int | None, namespaces: Sequence[int]
    ) -> "EndProcess":
        """Start an end by exec; all descriptors named stay open in it under the same numbers."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(ANSWER_SECONDS)
        userns = -1 if user_namespace is None else user_namespace
        descriptors = {theirs.fileno(), board, *namespaces} | ({userns} - {-1})
        complaints = os.fdopen(os.memfd_create("pathgauge"), "w+b")  # no temporary folder is needed
        numbers = (theirs.fileno(), board, slots, userns, os.getpid())
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "pathgauge.endpoints.end", *map(str, numbers)],
                pass_fds=sorted(descriptors),
                stdin=subprocess.DEVNULL,
                stdout=complaints,
                stderr=complaints,
                process_group=0,  # a Ctrl-C at the terminal is the controller's to handle
            )
        return cls(name, process, ours, complaints)

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
            kind = getattr(errors, reply.error, errors.InternalError)
            raise kind(reply.message, hint=reply.hint)
        return reply

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def death(self) -> errors.PathgaugeError:
        """The error that says how this end died: killed from outside, or by a defect of ours."""
        try:
            code = self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            return errors.EndDied(f"the {self.name} end gave no answer for {ANSWER_SECONDS:.0f} s", hint="run it again")
        if code < 0:
            name = signal.Signals(-code).name
            return errors.EndDied(
                f"the {self.name} end was killed by {name} in the middle of the run",
                hint="see dmesg for an out-of-memory kill; otherwise run it again",
            )
        self.complaints.seek(0)
        last = self.complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return errors.InternalError(f"the {self.name} end stopped with status {code}: {''.join(last)}")

    def close(self) -> None:
        """Let the end go; it is killed if it does not."""
        self.channel.close()
        try:
            self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.complaints.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
