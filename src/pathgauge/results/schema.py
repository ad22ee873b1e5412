"""The JSON Schema of the results document, from its types."""

from typing import Any

import msgspec

from pathgauge.results.document import SCHEMA, Result

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema, as JSON Schema 2020-12. `schema` itself is required: a document without it is not read."""
    body = msgspec.json.schema(Result)
    body["$defs"]["Result"]["required"].insert(0, "schema")
    return {"$schema": DIALECT, "$id": SCHEMA, "title": SCHEMA, **body}


def schema_text() -> str:
    """The schema as the text that `pathgauge schema` prints and docs/reference/result.schema.json holds."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"
