"""Which methods move the most over the baseline's path, tried out before a test is measured.

All ways are tried for a moment each; the faster half again and for longer, and so on; the last few, and the plain way,
twice more. The highest rate of each counts, as other load only takes away. What is not clearly faster than a way that
comes before it is not chosen: they are in the order of the tables of methods, the plain first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pathgauge.errors import EndDied, MachineError, MissingFeature, MissingPrivilege, UserError
from pathgauge.measuring import arms as arms_of
from pathgauge.measuring.arms import AnyArm
from pathgauge.measuring.engine import Engine
from pathgauge.measuring.request import Request
from pathgauge.results.document import Picked, Slice, Tried
from pathgauge.traffic import best, methods, tls
from pathgauge.traffic.best import Way
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.methods import BEST
from pathgauge.traffic.metrics import METRICS

WARM_SECONDS = 0.03
RAMP_SECONDS = 0.025  # in which a shaped wire spends its burst
MOMENT_SECONDS = 0.03
FINAL_SECONDS = 0.2
SHAPED_SECONDS = 0.1  # the least on a shaped wire
FINALISTS, FINALS = 3, 2
CLEARLY = 1.02  # times


def pick(request: Request, engine: Engine, kind: TestKind) -> Picked | None:
    """What the test's `best` comes to; None where it asks for none. Raises what went wrong where no way works."""
    fields = best.asked(request.variants, kind)
    if not fields:
        return None
    ways = best.ways(kind, request.variants, None if request.vary is None else request.vary[0])
    open_to = [sum(getattr(variant, name) == BEST for name in fields) for variant in request.variants]
    chosen, tried = _Pilot(request, engine, kind, ways, open_to.index(max(open_to))).chosen()
    return Picked(
        asked=[name.replace("_", "-") for name in fields],
        path=request.paths[0].name,
        parameters=chosen.parameters,
        goodput=chosen.goodput,
        tried=tried,
    )


def settled(request: Request, picked: Picked | None) -> Request:
    """The request with what was picked in place of `best`, the same for all paths."""
    if picked is None:
        return request
    return _going(request, {option.replace("-", "_"): value for option, value in picked.parameters.items()})


def _going(request: Request, way: Way) -> Request:
    """The request with a way in place of `best`, and of a mark of low water that is not given."""
    given = {name: value for name, value in way.items() if getattr(request.parameters, name) in (BEST, None)}
    vary = request.vary
    if vary is not None and vary[0] in way:
        name, values = vary
        vary = name, tuple((way[name] if value == BEST else value, typed) for value, typed in values)
    return msgspec.structs.replace(request, parameters=msgspec.structs.replace(request.parameters, **given), vary=vary)


@dataclass(slots=True)
class _Pilot:
    """Looks at ways; `found` is the best that was seen of each. `place` is that of the arm it looks at: the baseline's,
    or, where methods are compared, the one that is to be the best.
    """

    request: Request
    engine: Engine
    kind: TestKind
    ways: Sequence[Way]
    place: int
    found: dict[int, Tried] = field(default_factory=dict)

    def chosen(self) -> tuple[Tried, list[Tried]]:
        """The way to be taken, and all that were tried."""
        left, seconds = self._look(range(len(self.ways)), MOMENT_SECONDS), MOMENT_SECONDS
        while len(left) > FINALISTS:
            seconds *= 2
            left = self._look(left, seconds)
        finalists = sorted({*list(self._rates(range(len(self.ways))))[:1], *left})
        for _ in range(FINALS):
            self._look(finalists, FINAL_SECONDS)
        rates = self._rates(finalists)
        if not rates:
            raise MachineError(
                f"{self.kind.name}: no method works here: {self.found[0].reason}", hint="--send-method copy"
            )
        place = next(place for place, rate in rates.items() if rate * CLEARLY >= max(rates.values()))
        return self.found[place], [self.found[place] for place in range(len(self.ways))]

    def _look(self, places: Sequence[int], seconds: float) -> list[int]:
        """Try each once, and say which half of those that work is the faster, the last few in any case."""
        for place in places:
            seen = (self._try(self.ways[place], seconds), self.found.get(place))
            self.found[place] = max((each for each in seen if each is not None), key=lambda tried: tried.goodput or 0.0)
        rates = self._rates(places)
        ordered = sorted(rates, key=lambda place: rates[place], reverse=True)
        return ordered[: max(FINALISTS, len(ordered) // 2)]

    def _rates(self, places: Sequence[int]) -> dict[int, float]:
        """Of those that work."""
        return {place: rate for place in places if (rate := self.found[place].goodput) is not None}

    def _try(self, way: Way, seconds: float) -> Tried:
        """One way on the baseline's path, for so long; why not, where it does not work there or go with another."""
        trial = _going(self.request, way)
        shown = {name.replace("_", "-"): value for name, value in way.items()}
        try:
            for parameters in trial.variants:
                methods.check(self.kind, parameters)
                tls.check(self.kind, parameters)
            row = _slice(arms_of.build(trial, self.engine, self.kind)[self.place], seconds)
        except (UserError, MissingFeature, MissingPrivilege, EndDied) as error:
            return Tried(parameters=shown, goodput=None, reason=str(error))
        if row.void is not None:
            return Tried(parameters=shown, goodput=None, reason=row.void)
        return Tried(parameters=shown, goodput=_goodput(row, self.kind))


def _slice(arm: AnyArm, seconds: float) -> Slice:
    """One slice on fresh connections. They are closed whatever happens, as another way is tried after it."""
    try:
        arm.open()
        arm.warm(WARM_SECONDS)
        longer = seconds if arm.path.rate is None else max(seconds, SHAPED_SECONDS)
        return arm.measure(RAMP_SECONDS, longer).row
    finally:
        arm.close()


def _goodput(row: Slice, kind: TestKind) -> float:
    terms = METRICS["goodput"].terms
    found = None if terms is None else terms(row, kind)
    return 0.0 if found is None or not found[1] else found[0] / found[1]
