"""What stays open from one reading to the next."""

import os
from types import TracebackType
from typing import Self


class Held:
    """Something open, until `close`. Usable in `with`."""

    def close(self) -> None:
        """May be called more than once."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HeldFile(Held):
    """A file open for reading."""

    def __init__(self, path: str) -> None:
        """Raises OSError if it cannot be opened."""
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """May be called more than once; a reading after it fails."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
