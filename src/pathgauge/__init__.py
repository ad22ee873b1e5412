"""pathgauge: is one network path slower than another, is that real, and why.

Importing this does nothing but define names; what they need is imported when they are first used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathgauge.errors import InternalError, MachineError, PathgaugeError, UserError
    from pathgauge.results.document import Comparison, Result

__version__ = "0.1.0"
__all__ = [
    "Comparison",
    "InternalError",
    "MachineError",
    "PathgaugeError",
    "Result",
    "UserError",
    "__version__",
    "compare",
]

_HOMES = {
    "Comparison": "pathgauge.results.document",
    "InternalError": "pathgauge.errors",
    "MachineError": "pathgauge.errors",
    "PathgaugeError": "pathgauge.errors",
    "Result": "pathgauge.results.document",
    "UserError": "pathgauge.errors",
}


def compare(*paths: str, **options: object) -> "Result":
    """Compare paths and return the results document, as `pathgauge compare` would write it.

    The first path is the baseline; without any it is `host` against `macvlan`. Options are those of the command line
    with `_` for `-`, as text (`link_rate="1gbit"`) or typed (`send_size=1400`, `test=["TCP_STREAM"]`). Raises UserError
    and MachineError. What ends a run after its first block, an interrupt included, bears what was measured until then
    as its attribute `result`.
    """
    from pathgauge.measuring.observer import Silent
    from pathgauge.measuring.run import Stopped, compare_request
    from pathgauge.options import request_from_python

    request = request_from_python(paths, options)
    try:
        return compare_request(request, Silent())
    except Stopped as early:
        early.cause.result = early.result  # type: ignore[attr-defined]  # it is no class of ours alone
        raise early.cause from None


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
