"""The controller's hold on a lab's keeper: start it, order it, end it or let it stand."""

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from pathgauge import errors
from pathgauge.child import Child, raised
from pathgauge.paths import messages
from pathgauge.paths.room import OF_COPY, make_room
from pathgauge.paths.turning import Turn

ANSWER_SECONDS = 10.0
COPY_SECONDS = 0.05  # how much longer each copy of a path may take


@dataclass(slots=True)
class KeeperProcess:
    """A keeper. It dies with the thread that started it, unless it is released."""

    child: Child
    channel: socket.socket
    turned: bool = False

    @classmethod
    def start(cls) -> "KeeperProcess":
        """Start a keeper, in a session of its own."""
        ours, theirs = messages.pair()
        ours.settimeout(ANSWER_SECONDS)
        try:
            with theirs:
                number = theirs.fileno()
                child = Child.start(
                    "the lab's keeper", "pathgauge.paths.keeper", (number, os.getpid()), keep=(number,), session=True
                )
        except BaseException:
            ours.close()
            raise
        return cls(child, ours)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process itself."""
        return self.child.process

    def order(self, order: messages.Order) -> messages.Received:
        """Give an order and wait for the reply. Raises what the keeper raised; EndDied where it is gone or silent."""
        try:
            messages.send(self.channel, order)
        except OSError as error:
            raise self._last_words() from error
        return self._reply()

    def build(self, order: messages.Build) -> tuple[messages.Built, list[int]]:
        """Have a lab built: what stands, and the descriptors that messages.Built tells of. Raises as `order`."""
        copies = sum(spec.copies for spec in order.paths)
        make_room(OF_COPY * copies, f"{copies} copies", "ask for fewer copies")
        self.channel.settimeout(ANSWER_SECONDS + COPY_SECONDS * copies)
        received = self.order(order)
        descriptors = list(received.descriptors)
        try:
            whole = _built(received)
            while whole.more:
                received = self._reply()
                descriptors += received.descriptors
                part = _built(received)
                whole = msgspec.structs.replace(
                    part, spaces=(*whole.spaces, *part.spaces), paths=(*whole.paths, *part.paths)
                )
            if len(descriptors) != 2 * len(whole.spaces) + (whole.user_namespace is not None):
                raise errors.InternalError("the lab's keeper did not pass on all that it holds")
        except BaseException:
            for number in descriptors:
                os.close(number)
            raise
        self.channel.settimeout(ANSWER_SECONDS)
        return whole, descriptors

    def _reply(self) -> messages.Received:
        try:
            received = self._receive()
        except OSError as error:  # a time-out is one, too
            raise self.child.death(ANSWER_SECONDS) from error
        if received is None:
            raise self.child.death(ANSWER_SECONDS)
        if isinstance(received.reply, messages.Failed):
            failed = received.reply
            raise raised(failed.error, failed.message, failed.hint)
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
        return self.child.death(ANSWER_SECONDS)

    def release(self, record: str) -> None:
        """Let the keeper outlive this process, as long as the journal's file `record` is there."""
        self.order(messages.Release(record=record))
        self.channel.close()
        self.child.complaints.close()
        self.process.returncode = 0  # else Popen would complain, at its end, of a child that still runs

    def turn(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """Turn things of the lab's namespaces; the turns that undo it. Raises what the keeper raised."""
        self.turned = True
        reply = self.order(messages.TurnAll(turns=tuple(turns))).reply
        if not isinstance(reply, messages.Turned):
            raise errors.InternalError("the lab's keeper answered a turn with something else")
        return reply.undo

    def close(self) -> None:
        """End the keeper, and with it the lab. What it turned elsewhere it turns back first."""
        self.channel.close()
        if self.turned:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(ANSWER_SECONDS)
        self.process.kill()
        self.process.wait()
        self.child.complaints.close()


def _built(received: messages.Received) -> messages.Built:
    if not isinstance(received.reply, messages.Built):
        raise errors.InternalError("the lab's keeper answered with something else than a lab")
    return received.reply
