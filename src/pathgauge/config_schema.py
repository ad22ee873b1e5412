"""The JSON Schema of a comparison's TOML file, from the table of options. Editors check a file by it."""

from typing import Any

import msgspec

from pathgauge.config import NOT_IN_A_FILE
from pathgauge.option_values import LAB_KEYS, WIRE_KEYS
from pathgauge.options import OPTIONS, TABLES, Option
from pathgauge.paths.types import SWITCHES
from pathgauge.results.schema import DIALECT
from pathgauge.traffic.metrics import METRICS

NAME = "pathgauge.config/1"

Schema = dict[str, Any]

_SWITCH: Schema = {"enum": [True, False, "on", "off"]}
_QUANTITY: Schema = {"type": ["string", "number"]}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}


def schema() -> Schema:
    """The schema, as JSON Schema 2020-12. It demands names as they are listed; pathgauge takes `send_size`, too."""
    options = {name: _described(option) for name, option in OPTIONS.items() if name not in NOT_IN_A_FILE}
    paths = {**_TEXTS, "description": "The path arguments: the first is the baseline. [NAME=]KIND[:key=value,...]"}
    return {
        "$schema": DIALECT,
        "$id": NAME,
        "title": "A comparison of pathgauge: pathgauge compare --config FILE",
        "type": "object",
        "properties": {"paths": paths, **options},
        "additionalProperties": False,
    }


def schema_text() -> str:
    """The schema as the text that `pathgauge schema --config` prints and docs/reference/config.schema.json holds."""
    return msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode() + "\n"


def _described(option: Option) -> Schema:
    words = f"{option.help[0].upper()}{option.help[1:]} [{option.default}]"
    if option.metavar:
        words += f". As on the command line: {option.metavar}"
    one = _value(option)
    forms = [one]
    if option.repeatable:
        forms.append({"type": "array", "items": one})
    if option.name in TABLES:
        forms.append(_table(option.name))
    return {"description": words, **(one if len(forms) == 1 else {"anyOf": forms})}


def _value(option: Option) -> Schema:
    if option.flag:
        return _SWITCH
    if option.choices is not None:
        return {"enum": list(option.choices())}
    return _QUANTITY


def _table(name: str) -> Schema:
    """What may stand for an option's text as a table."""
    parameters = {option.name: _value(option) for option in OPTIONS.values() if option.parameter}
    lab = {key: _SWITCH if key in SWITCHES else _QUANTITY for key in LAB_KEYS}
    return {
        "path": {"type": "object", "additionalProperties": {"type": "string"}},
        "address": {"type": "object", "additionalProperties": {"type": "string"}},
        "wire": _object(dict.fromkeys(WIRE_KEYS, _QUANTITY)) | {"minProperties": 1},
        "margin": _object(dict.fromkeys(METRICS, _QUANTITY)),
        "set": {"type": "object", "additionalProperties": _object(parameters | lab)},
        "vary": _object(
            {key: {"type": "array", "items": value, "minItems": 2} for key, value in (lab | parameters).items()}
        )
        | {"minProperties": 1, "maxProperties": 1},
    }[name]


def _object(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}
