"""`best` instead of a method's name: which parameters may be it, what is then tried, and what it does not go with."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from pathgauge.errors import UserError
from pathgauge.traffic.methods import BEST, RECEIVE_METHODS, SEND_METHODS

if TYPE_CHECKING:
    from pathgauge.traffic.kind import TestKind
    from pathgauge.traffic.parameters import Parameters

METHODS = {"send_method": SEND_METHODS, "receive_method": RECEIVE_METHODS}
LOW_WATER = 256 << 10  # bytes, the mark that is tried; the kernel wakes a receiver earlier whose buffer is smaller

Way = dict[str, str | int | None]  # parameters by field


def asked(variants: "Sequence[Parameters]", kind: "TestKind | None" = None) -> list[str]:
    """The parameters that are `best` on any path, or with any value compared; of those that the test heeds."""
    return [
        field
        for field in METHODS
        if any(getattr(parameters, field) == BEST for parameters in variants)
        and (kind is None or field in kind.parameters)
    ]


def ways(kind: "TestKind", variants: "Sequence[Parameters]", varied: str | None) -> list[Way]:
    """All that is to be tried, the plain way first. A mark of low water is tried with the methods of receiving, where
    nothing is asked of it, and no comparison of them would then compare marks.
    """
    fields = asked(variants, kind)
    choices: dict[str, Sequence[str | int | None]] = {field: METHODS[field][kind.transport] for field in fields}
    free = all(parameters.low_water is None and parameters.wait != "spin" for parameters in variants)
    if "receive_method" in fields and varied != "receive_method" and "low_water" in kind.parameters and free:
        choices["low_water"] = (None, LOW_WATER)
    return [dict(zip(choices, chosen, strict=True)) for chosen in product(*choices.values())]


def check(
    variants: "Sequence[Parameters]", settings: Mapping[str, Mapping[str, object]], *, elsewhere: bool, explained: bool
) -> None:
    """UserError where `best` is asked of one path alone, of a netserver, or of an explanation."""
    fields = asked(variants)
    for path, own in settings.items():
        for field, option in ((field, field.replace("_", "-")) for field in METHODS if field in own):
            if own[field] == BEST or field in fields:
                raise UserError(
                    f"the best {option} is one for all paths, and {path} is to have its own",
                    hint=f"--{option} best, and no --set {path}.{option}",
                )
    if fields and elsewhere:
        raise UserError(
            "the best method is tried out between pathgauge's own ends, and a netserver has only its one way",
            hint=f"leave out --{fields[0].replace('_', '-')}",
        )
    if fields and explained:
        raise UserError("explain looks into one method, and best is any", hint="name the method that best came to")
