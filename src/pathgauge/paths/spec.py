"""Path arguments, `[NAME=]KIND[:key=value,...]`: parsed, checked against the registered kinds, and named.

A key is an option of the kind, or what `--set NAME.key=value` changes of every path's devices: its MTU, say.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from pathgauge.errors import UserError
from pathgauge.option_values import LAB_KEYS
from pathgauge.paths.registry import Kind, kinds
from pathgauge.paths.types import PERCENTS, SWITCHES, TIMES, PathSpec, Value
from pathgauge.quantities import quoted

MAX_PATHS = 64

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


def parse_paths(arguments: Sequence[str]) -> tuple[PathSpec, ...]:
    """Parse path arguments; the same kind twice without names is named `host`, `host.2`, ... Raises UserError."""
    if not arguments:
        raise UserError("no path was given", hint=f"name at least one: {_listed(kinds())}")
    if len(arguments) > MAX_PATHS:
        raise UserError(f"{len(arguments)} paths are more than the {MAX_PATHS} a lab can hold", hint="name fewer paths")
    parsed = [_parse(argument) for argument in arguments]
    given = [name for name, _ in parsed if name is not None]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two paths are named {quoted(twice)}", hint="give each a name of its own: a=KIND b=KIND")
    taken = set(given)
    specs: list[PathSpec] = []
    for name, spec in parsed:
        unique = name if name is not None else _free_name(spec.kind, taken)
        taken.add(unique)
        specs.append(replace(spec, name=unique))
    return tuple(specs)


def written(spec: PathSpec) -> str:
    """The argument that gives `spec`, its name always written."""
    rate = {} if spec.rate is None else {"rate": spec.rate}
    options = ",".join(f"{key}={value}" for key, value in {**spec.options, **rate, **device_changes(spec)}.items())
    return f"{spec.name}={spec.kind}" + (f":{options}" if options else "")


def device_changes(spec: PathSpec) -> dict[str, str]:
    """What is changed of the path's lab, as it is typed."""
    return {key: _typed(key, value) for key, value in spec.changes.items()}


def changed(spec: PathSpec, changes: Mapping[str, object]) -> PathSpec:
    """The path with other values of LAB_KEYS. Raises UserError where it has one of these keys already."""
    twice = next((key for key in changes if key in spec.changes or (key == "rate" and spec.rate is not None)), None)
    if twice is not None:
        raise UserError(f"{twice} of the path {spec.name} is given twice", hint=f"leave out --set {spec.name}.{twice}")
    own = {
        key: int(value) if isinstance(value, bool) else cast("Value", value)
        for key, value in changes.items()
        if key != "rate"
    }
    rate = cast("int | None", changes.get("rate", spec.rate))
    return replace(spec, rate=rate, changes=spec.changes | own)


def _typed(key: str, value: Value) -> str:
    if key in SWITCHES:
        return "on" if value else "off"
    if key in TIMES:
        return f"{1000 * float(value):.10g}ms"
    return f"{100 * float(value):.10g}%" if key in PERCENTS else str(value)


def _parse(argument: str) -> tuple[str | None, PathSpec]:
    """The name or None, and the path without it, every option of the kind in it."""
    head, colon, tail = argument.partition(":")
    name, equals, kind_name = head.rpartition("=")
    if equals and not NAME.fullmatch(name):
        raise UserError(
            f"{quoted(name)} cannot name a path: a name has 1 to 32 letters, digits or any of _.-, no sign first",
            hint="type for example a=host",
        )
    if not kind_name:
        raise UserError(f"{quoted(argument)} names no kind of path", hint=f"the kinds are {_listed(kinds())}")
    kind = kinds().get(kind_name)
    if kind is None:
        raise UserError(f"there is no kind of path {quoted(kind_name)}", hint=_nearest(kind_name, kinds()))
    if colon and not tail:
        raise UserError(f"{quoted(argument)} has no option after the colon", hint=f"type {head}, or {head}:key=value")
    said = _parse_options(kind, tail)
    options = {option.name: said.get(option.name, option.default) for option in kind.options}
    changes = {key: LAB_KEYS[key](value) for key, value in said.items() if key not in options}
    return (name if equals else None), changed(PathSpec("", kind_name, options), changes)


def _parse_options(kind: Kind, text: str) -> dict[str, str]:
    """What is said, by key; the values of LAB_KEYS are not looked at yet."""
    known = {option.name: option for option in kind.options}
    every = [*known, *LAB_KEYS]
    said: dict[str, str] = {}
    for item in text.split(",") if text else ():
        key, equals, value = item.partition("=")
        if key not in every:
            raise UserError(
                f"the kind {kind.name} has no option {quoted(key)}", hint=_nearest(key, every, f"{kind.name}:", "=...")
            )
        values = known[key].values if key in known else ()
        if not equals or (values and value not in values):
            lack = f"has no value {quoted(value)}" if equals else "needs a value"
            raise UserError(
                f"the option {key} of {kind.name} {lack}",
                hint=_nearest(value, values, f"{kind.name}:{key}=") if values else f"type {kind.name}:{key}=...",
            )
        if key in said:
            raise UserError(f"the option {key} of {kind.name} is given twice", hint=f"type {kind.name}:{key}={value}")
        said[key] = value
    return said


def _free_name(kind: str, taken: set[str]) -> str:
    name, number = kind, 2
    while name in taken:
        name, number = f"{kind}.{number}", number + 1
    return name


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _nearest(wrong: str, names: Iterable[str], before: str = "", after: str = "") -> str:
    choices = list(names)
    near = difflib.get_close_matches(wrong, choices, n=1, cutoff=0.5)
    if near:
        return f"did you mean {before}{near[0]}{after}? There are: {_listed(choices)}"
    return f"there are: {', '.join(before + choice + after for choice in choices)}"
