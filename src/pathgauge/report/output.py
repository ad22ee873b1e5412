"""Printing that can fail: a reader who went away, a full disk behind `>`."""

from typing import TextIO

from pathgauge.errors import MachineError


def say(stream: TextIO, *lines: str) -> None:
    """Print lines and flush. BrokenPipeError where nobody reads any more, MachineError where they cannot be written."""
    try:
        stream.writelines(f"{line}\n" for line in lines)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError(f"the output could not be written: {error.strerror}") from None
