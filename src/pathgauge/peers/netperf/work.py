"""One end's loop at work: a thread of this process that runs a native loop over a socket, and hears orders."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from pathgauge import _native

RUN, QUIT = 1, 2
ENDED = 3
NUDGE_SECONDS = 0.002
END_SECONDS = 5.0

Loop = Callable[..., int]


class Work:
    """A loop over a socket; a context manager that ends it. `made` is shut down to wake it, and closed at the end."""

    def __init__(self, made: socket.socket) -> None:
        self.made = made
        self._memory = os.memfd_create("pathgauge")
        os.ftruncate(self._memory, _native.Board.bytes(1))
        self.board = _native.Board(self._memory, 1)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
        self.made.close()
        os.close(self._memory)

    def start(self, loop: Loop, transfer: _native.Transfer, *rest: object, run: bool = True) -> None:
        """Start the loop; `run` orders it to run at once."""
        _native.hear_nudges()
        if run:
            self.board.order(0, RUN)
        self._thread = threading.Thread(target=self._body, args=(loop, transfer, *rest), daemon=True)
        self._thread.start()

    def _body(self, loop: Loop, *arguments: object) -> None:
        try:
            loop(self.board, 0, *arguments)
        except Exception as error:  # noqa: BLE001 - who waits for the loop must hear of it
            self._failure = error
            self.board.fail(0, errno.EINVAL)

    def ended(self, seconds: float) -> bool:
        """Whether the loop has ended by itself, after waiting for at most so long."""
        return self.board.wait_state(0, ENDED, max(0.0, seconds))

    def end(self) -> None:
        """Tell the loop to end, and wait until it has. Raises what made it fail to begin."""
        if self._thread is None:
            return
        self.board.order(0, QUIT)
        limit = time.monotonic() + END_SECONDS
        while self._thread.is_alive() and time.monotonic() < limit:
            self.board.nudge(0)
            self._thread.join(NUDGE_SECONDS)
        if self._thread.is_alive():  # it sleeps where no signal wakes it
            with suppress(OSError):
                self.made.shutdown(socket.SHUT_RDWR)
            self._thread.join(END_SECONDS)
        self._thread = None
        if self._failure is not None:
            raise self._failure

    @property
    def error(self) -> int:
        """The errno that ended the loop; 0 for none."""
        return self.board.error(0)

    @property
    def live(self) -> tuple[int, int, int, int, int, int]:
        """Bytes sent and received, messages sent and received, transactions, messages lost."""
        return self.board.live(0)

    def histogram(self) -> bytes:
        """The times of its operations, as the native core counts them."""
        return self.board.histogram(0)


def deadline(seconds: float) -> int:
    """So many seconds from now, as loops take it."""
    return time.monotonic_ns() + int(seconds * 1e9)
