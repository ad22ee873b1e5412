"""The controller's hold on a lab's keeper: start it, order it, end it or let it stand."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import IO

from pathgauge import errors
from pathgauge.paths import messages

ANSWER_SECONDS = 10.0
GOODBYE_SECONDS = 2.0


@dataclass(slots=True)
class KeeperProcess:
    """A keeper. It dies with the thread that started it, unless it is released."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    complaints: IO[bytes]

    @classmethod
    def start(cls) -> "KeeperProcess":
        """Start a keeper by exec, in a session of its own: a Ctrl-C at the terminal is the controller's to handle."""
        ours, theirs = messages.pair()
        ours.settimeout(ANSWER_SECONDS)
        complaints = os.fdopen(os.memfd_create("pathgauge"), "w+b")  # no temporary folder is needed
        try:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "pathgauge.paths.keeper", str(theirs.fileno()), str(os.getpid())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=complaints,
                    stderr=complaints,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            complaints.close()
            raise
        return cls(process, ours, complaints)

    def order(self, order: messages.Order) -> messages.Received:
        """Give an order and wait for the reply. Raises what the keeper raised; EndDied where it is gone or silent."""
        try:
            messages.send(self.channel, order)
        except OSError as error:
            raise self._last_words() from error
        return self._reply()

    def _reply(self) -> messages.Received:
        try:
            received = self._receive()
        except OSError as error:  # a time-out is one, too
            raise self._death() from error
        if received is None:
            raise self._death()
        if isinstance(received.reply, messages.Failed):
            raise _raised(received.reply)
        return received

    def _receive(self) -> messages.Received | None:
        try:
            return messages.receive_reply(self.channel)
        except ConnectionResetError:
            # A keeper may refuse and go before it reads the order; what it said is in the queue behind that error.
            return messages.receive_reply(self.channel)

    def _last_words(self) -> errors.PathgaugeError:
        """The error a keeper left in the channel before it went: it may refuse before it is asked."""
        try:
            self._reply()
        except errors.PathgaugeError as error:
            return error
        return self._death()

    def release(self, record: str) -> None:
        """Let the keeper outlive this process, as long as the journal's file `record` is there."""
        self.order(messages.Release(record=record))
        self.channel.close()
        self.complaints.close()
        self.process.returncode = 0  # else Popen would complain, at its end, of a child that still runs

    def close(self) -> None:
        """End the keeper, and with it the lab. There is nothing it would have to put in order first."""
        self.channel.close()
        self.process.kill()
        self.process.wait()
        self.complaints.close()

    def _death(self) -> errors.PathgaugeError:
        try:
            code = self.process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            return errors.EndDied(f"the lab's keeper gave no answer for {ANSWER_SECONDS:.0f} s", hint="run it again")
        if code < 0:
            name = signal.Signals(-code).name
            return errors.EndDied(
                f"the lab's keeper was killed by {name}",
                hint="see dmesg for an out-of-memory kill; otherwise run it again",
            )
        self.complaints.seek(0)
        last = self.complaints.read().decode(errors="replace").strip().splitlines()[-1:]
        return errors.InternalError(f"the lab's keeper stopped with status {code}: {''.join(last)}")


def _raised(failed: messages.Failed) -> errors.PathgaugeError:
    kind = getattr(errors, failed.error, None)
    if isinstance(kind, type) and issubclass(kind, errors.PathgaugeError):
        return kind(failed.message, hint=failed.hint)
    return errors.InternalError(failed.message, hint=failed.hint)
