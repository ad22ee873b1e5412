"""The catalogue as the page docs/reference/causes.md."""

import inspect
import sys
from itertools import groupby

from pathgauge.explain.cause import Cause, causes

MARK = "<!-- Below this line: made from the causes themselves. -->"
REACH = {
    "here": "",
    "partly": "; one machine can reproduce it in part",
    "not here": "; no single machine can reproduce it",
}


def reference_markdown() -> str:
    """What stands below the mark: each family with what its file says, and each cause of it."""
    lines = []
    for _, members in groupby(causes_by_file(), key=_file):
        listed = list(members)
        lines += ["", inspect.cleandoc(sys.modules[_file(listed[0])].__doc__ or ""), ""]
        for cause in listed:
            lines.append(f"- `{cause.name}` ({cause.code}): {cause.summary}. {_seen(cause)}{REACH[cause.reach]}")
    return "\n".join(lines) + "\n"


def causes_by_file() -> list[Cause]:
    """In the order of the files."""
    known = causes().values()
    files = list(dict.fromkeys(_file(cause) for cause in known))
    return sorted(known, key=lambda cause: (files.index(_file(cause)), cause.code[0], int(cause.code[1:])))


def _file(cause: Cause) -> str:
    return cause.signature.__module__


def _seen(cause: Cause) -> str:
    """What its signature looks for, in the words of the function itself."""
    words = inspect.cleandoc(cause.signature.__doc__ or "").rstrip(".")
    return f"Looked for: {words[0].lower()}{words[1:]}" if words else ""
