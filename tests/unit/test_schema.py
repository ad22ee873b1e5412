from pathlib import Path
from typing import Any

import msgspec

from builders import result
from pathgauge.results import store
from pathgauge.results.schema import schema, schema_text

ROOT = Path(__file__).parents[2]


def test_the_committed_schema_is_that_of_the_types() -> None:
    assert (ROOT / "docs/reference/result.schema.json").read_text() == schema_text(), (
        "write it again: pathgauge schema > docs/reference/result.schema.json"
    )


def test_the_schema_names_itself_and_demands_its_name() -> None:
    body = schema()
    assert body["$id"] == "pathgauge.result/1"
    assert "schema" in body["$defs"]["Result"]["required"]


def follow(body: dict[str, Any], reference: str) -> dict[str, Any]:
    found: dict[str, Any] = body["$defs"][reference.removeprefix("#/$defs/")]
    return found


def test_what_is_written_has_the_fields_of_the_schema() -> None:
    body = schema()
    document = msgspec.json.decode(store.encode(result()))
    assert set(document) == set(follow(body, body["$ref"])["properties"])
    assert set(document["comparisons"][0]) == set(follow(body, "#/$defs/Comparison")["properties"])
    assert set(document["slices"][0]) == set(follow(body, "#/$defs/Slice")["properties"])


def test_every_field_is_on_the_page_about_the_document() -> None:
    page = (ROOT / "docs/reference/result.md").read_text()
    missing = [
        f"{name}.{field}"
        for name, definition in schema()["$defs"].items()
        for field in definition["properties"]
        if f"`{field}`" not in page
    ]
    assert not missing
