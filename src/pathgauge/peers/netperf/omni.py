"""The outputs made of selectors: keyval (-k), CSV (-o), human (-O) and one JSON object."""

import json
import math
from collections.abc import Iterator

from pathgauge.peers.netperf.record import Record
from pathgauge.peers.netperf.selection import Blocks, blocks
from pathgauge.peers.netperf.selectors import HEADING_LINES, Selector, Value

SCHEMA = "pathgauge.netperf/1"
UNKNOWN = -1


def lines(record: Record) -> Iterator[str]:
    """The run's values in the style of `settings.output`; OMNI, which has no classic layout, in human style."""
    chosen = blocks(record.settings)
    flat = [selector for block in chosen for selector in block]
    match record.settings.output:
        case "keyval":
            yield from _keyval(record, flat)
        case "csv":
            yield from _csv(record, flat)
        case "json":
            yield _json(record, flat)
        case _:
            yield from _human(record, chosen)


def _keyval(record: Record, selectors: list[Selector]) -> Iterator[str]:
    for selector in selectors:
        text = selector.text(record)
        if text is not None:
            yield f"{selector.name}={text}"


def _csv(record: Record, selectors: list[Selector]) -> Iterator[str]:
    if record.settings.banner:
        yield ",".join(" ".join(selector.heading) for selector in selectors)
    yield ",".join(selector.text(record) or "" for selector in selectors)


def _human(record: Record, chosen: Blocks) -> Iterator[str]:
    for number, block in enumerate(chosen):
        if number:
            yield ""
        yield from _table(record, block)


def _table(record: Record, block: list[Selector]) -> Iterator[str]:
    """One block: a column is a blank wider than its heading, and two than its value."""
    headings = [selector.heading for selector in block]
    texts = [selector.text(record) or "" for selector in block]
    widths = [
        1 + max([len(text) + bool(text), *map(len, heading)]) for heading, text in zip(headings, texts, strict=True)
    ]
    if record.settings.banner:
        for row in range(HEADING_LINES):
            words = [heading[row] if row < len(heading) else "" for heading in headings]
            yield "".join(f"{word:<{width}}" for word, width in zip(words, widths, strict=True))
    yield "".join(f"{text:<{width}}" for text, width in zip(texts, widths, strict=True))


def _json(record: Record, selectors: list[Selector]) -> str:
    """All on one line. What is not known is null; what netperf no longer says is left out."""
    values = {selector.name: _typed(selector.value(record)) for selector in selectors if _has_value(selector)}
    return json.dumps({"schema": SCHEMA, **values})


def _has_value(selector: Selector) -> bool:
    return bool(selector.name) and selector.fixed is None


def _typed(value: Value) -> Value:
    if isinstance(value, int | float) and (value == UNKNOWN or not math.isfinite(value)):
        return None
    return value
