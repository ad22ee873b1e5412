"""From option values to a checked Request: every check that needs no machine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import msgspec

from pathgauge import attaching
from pathgauge.errors import UserError
from pathgauge.measuring.request import Request
from pathgauge.option_values import LAB_KEYS, MOST_PARALLEL
from pathgauge.options import DEFAULT_PATHS, OPTIONS, lab_keys_varied
from pathgauge.paths.endpoint import EXISTING, parse_server
from pathgauge.paths.types import PathSpec, WireSpec
from pathgauge.paths.validity import check, check_wire
from pathgauge.quantities import nearest, quoted
from pathgauge.traffic import beside, best, flows, load, methods, tls, ways
from pathgauge.traffic.kind import FAIRNESS, LOAD, WAY_METRICS, TestKind
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import DEFAULT_TESTS, TESTS

EXPLAINED = "TCP_STREAM"  # where no test is named
EXPLAIN_MAX_TIME = 60.0
SERVER_MAX_TIME = 60.0  # slices against a netserver last a second, and a verdict needs some
RATE_METRICS = ("goodput", "transaction_rate", "send_rate")
LARGEST_UDP = {False: 65507, True: 65527}  # payload of the largest datagram over IPv4 and over IPv6

Vary = tuple[str, tuple[tuple[object, str], ...]]
Settings = dict[str, dict[str, object]]


def build(
    paths: Sequence[str], values: Mapping[str, object], command: Sequence[str], *, explaining: bool = False
) -> Request:
    """The request; raises UserError. `values` is what `options.parse_values` returned. Where it is for `explaining`,
    one path will do, and one test is asked about.
    """
    from pathgauge.paths.spec import parse_paths

    vary = cast("Vary | None", values.get("vary"))
    specs = _existing(paths, values) or parse_paths(tuple(paths) or (DEFAULT_PATHS[:1] if vary else DEFAULT_PATHS))
    if explaining:
        values = {"test": (EXPLAINED,), **values}
        _check_explained(specs, values)
    parallel = _parallel(values)
    tests = _tests(values)
    if not explaining or vary is not None:
        _check_shape(specs, tests, vary, named="test" in values)
    given = {option.field: values[name] for name, option in OPTIONS.items() if option.parameter and name in values}
    settings = _settings(values, specs, vary)
    specs = tuple(replace(spec, copies=_copies(values)) for spec in specs)
    if vary is not None and vary[0] in lab_keys_varied():
        specs, settings = _varied(specs[0], settings, vary)
        vary = None
    specs = _changed(specs, settings, elsewhere="server" in values or "path" in values)
    _check_heeded(given, settings, vary, tests)
    plain = {
        name.replace("-", "_"): values[name]
        for name in ("confidence", "max-time", "blocks", "labs", "slice", "warmup", "seed")
        if name in values
    }
    if ("server" in values or any(spec.to_netserver for spec in specs)) and "max-time" not in values:
        plain["max_time"] = SERVER_MAX_TIME
    if explaining and "max-time" not in values:
        plain["max_time"] = EXPLAIN_MAX_TIME
    request = Request(
        paths=specs,
        tests=tuple(kind.name for kind in tests),
        parameters=Parameters(**cast("dict[str, Any]", given)),
        settings=settings,
        vary=vary,
        wire=wire(values),
        attachment=attaching.build(values, specs),
        server_port=cast("tuple[str, int]", values.get("server", ("", 0)))[1],
        parallel=parallel,
        awake=bool(values.get("awake", False)),
        margins=_margins(values),
        command=tuple(command),
        **cast("dict[str, Any]", plain),
    )
    tests = [request.kind(number) for number in range(len(tests))]
    request = msgspec.structs.replace(request, metrics=_metrics(values, tests))
    if explaining and any(kind.duplex or flows.several(kind, each) for kind in tests for each in request.variants):
        raise UserError(
            "explain looks into one connection at a time, and here are several",
            hint="leave out --flows; --test TCP_STREAM",
        )
    if request.slice is not None and request.slice > request.max_time:
        raise UserError(
            f"a slice of {request.slice:g} s is longer than the whole time of a test, {request.max_time:g} s",
            hint=f"--slice {request.max_time / 40:g}s, or a longer --max-time",
        )
    if values.get("explain") and request.attachment is not None:
        raise UserError("--explain turns knobs at both ends, and a --server is elsewhere", hint="leave one out")
    if request.labs > 1 and request.attachment is not None:
        raise UserError("--labs builds labs of ours, and a --server is elsewhere", hint="leave one out")
    _check_variants(request, tests)
    explained = explaining or bool(values.get("explain"))
    best.check(request.variants, request.settings, elsewhere=request.against_netserver, explained=explained)
    check(request.paths, request.wire)
    return request


def _check_explained(specs: Sequence[PathSpec], values: Mapping[str, object]) -> None:
    """One test, and one path or two."""
    if len(cast("Sequence[str]", values["test"])) > 1:
        raise UserError("explain looks into one test at a time", hint="--test TCP_STREAM")
    if len(specs) > 2:  # noqa: PLR2004 - a baseline and a candidate
        names = " ".join(spec.name for spec in specs)
        raise UserError(f"explain looks into one path or two, and {len(specs)} were given: {names}",
                        hint=f"pathgauge explain {specs[0].name} {specs[1].name}")  # fmt: skip
    for option in ("server", "labs", "blocks", "slice"):
        if option in values:
            raise UserError(f"--{option} is for compare: explain chooses it", hint="leave it out")
    if values.get("awake"):
        raise UserError("explain looks at what CPUs do, and --awake keeps them busy", hint="leave it out")
    if values.get("parallel"):
        raise UserError("explain looks into one connection at a time, and --parallel into many", hint="leave it out")


def _existing(paths: Sequence[str], values: Mapping[str, object]) -> tuple[PathSpec, ...]:
    """The paths that exist already; they are not compared with those of a lab, whose wire they do not share."""
    found = cast("tuple[PathSpec, ...]", values.get("path", ()))
    if not found:
        return ()
    if paths:
        raise UserError(
            f"{paths[0]} is built in a lab, and {found[0].name} exists already: they share no wire",
            hint="compare paths of one sort: --path a=FROM,TO --path b=FROM,TO",
        )
    for option in ("wire", "link-rate", "rps", "copies", "server", "labs"):
        if option in values:
            raise UserError(
                f"--{option} is for paths of a lab, and those of --path exist already", hint="leave one out"
            )
    names = [spec.name for spec in found]
    if len(set(names)) < len(names):
        raise UserError("two paths have the same name", hint="--path a=FROM,TO --path b=FROM,TO")
    ours = [spec.name for spec in found if not spec.to_netserver]
    if 0 < len(ours) < len(found):
        raise UserError(
            f"{ours[0]} ends at a server of ours, and others at a netserver: what they measure is not the same",
            hint="compare paths to netservers with each other: --path a=FROM,netperf://HOST --path b=FROM,netperf://HOST",
        )
    return found if ours else tuple(_resolved(spec, ipv6=bool(values.get("ipv6"))) for spec in found)


def _resolved(spec: PathSpec, *, ipv6: bool) -> PathSpec:
    """A path to a netserver, with its address."""
    address, _ = attaching.resolved(parse_server(spec.options["to"])[0], ipv6=ipv6)
    return replace(spec, options={**spec.options, "address": address})


def _copies(values: Mapping[str, object]) -> int:
    if "copies" in values and "server" in values:
        raise UserError("--copies are built in a lab of ours, and a --server is elsewhere", hint="leave one out")
    return cast("int", values.get("copies", 1))


def _parallel(values: Mapping[str, object]) -> bool:
    copies = _copies(values)
    if not values.get("parallel", False):
        return False
    if copies == 1:
        raise UserError("--parallel measures copies at once, and there is one of each path", hint="--copies 10")
    if copies > MOST_PARALLEL:
        raise UserError(
            f"{copies} copies are more than the {MOST_PARALLEL} that can be measured at once",
            hint=f"--copies {MOST_PARALLEL}, or without --parallel: one at a time",
        )
    return True


def _varied(spec: PathSpec, settings: Settings, vary: Vary) -> tuple[tuple[PathSpec, ...], Settings]:
    """A path for each value of something of the lab, which is built once and holds them all, side by side."""
    key, values = vary
    if key in spec.changes:
        raise UserError(f"{key} is both varied and set", hint=f"leave {key} out of the path, or --vary")
    own = settings.get(spec.name, {})
    names = {f"{key}={typed}": value for value, typed in values}
    return tuple(replace(spec, name=name) for name in names), {
        name: {**own, key: value} for name, value in names.items()
    }


def _changed(specs: Sequence[PathSpec], settings: Settings, *, elsewhere: bool) -> tuple[PathSpec, ...]:
    """The paths with what `--set` changes of their lab, which is taken out of the settings."""
    from pathgauge.paths.spec import changed

    found = []
    for spec in specs:
        own = settings.get(spec.name, {})
        new = changed(spec, {key: own.pop(key) for key in LAB_KEYS if key in own})
        keys = [*(["rate"] if new.rate is not None else []), *new.changes]
        if keys and elsewhere:
            raise UserError(f"{spec.name}.{keys[0]} changes a lab of ours, and this path is in none",
                            hint="leave it out")  # fmt: skip
        found.append(new)
    return tuple(found)


def _tests(values: Mapping[str, object]) -> list[TestKind]:
    names = cast("Sequence[str]", values.get("test") or DEFAULT_TESTS)
    return [TESTS[name] for name in dict.fromkeys(names)]


def _check_shape(specs: Sequence[PathSpec], tests: Sequence[TestKind], vary: Vary | None, *, named: bool) -> None:
    """Two paths or more; but with --vary one path and one test."""
    if vary is None:
        if len(specs) == 1:
            name = specs[0].name
            another = f"pathgauge compare host {name}"
            if specs[0].kind == EXISTING:
                another = "another --path NAME=FROM,TO"
            raise UserError(
                f"a comparison needs two paths, and {quoted(name)} is one",
                hint=f"{another}, or --vary KEY=V1,V2 to compare settings of one path",
            )
        return
    if len(specs) != 1:
        names = " ".join(spec.name for spec in specs)
        raise UserError(
            f"--vary compares settings of one path, and {len(specs)} were given: {names}", hint="name one path"
        )
    if len(tests) != 1 or not named:
        raise UserError("--vary needs exactly one test", hint="--test TCP_STREAM")


def _settings(values: Mapping[str, object], specs: Sequence[PathSpec], vary: Vary | None) -> Settings:
    names = [spec.name for spec in specs]
    settings: Settings = {}
    for path, field, value in cast("Sequence[tuple[str, str, object]]", values.get("set", ())):
        if path not in names:
            raise UserError(
                f"--set: there is no path {quoted(path)} in this comparison; {nearest(path, names)}",
                hint=f"--set {names[-1]}.{field.replace('_', '-')}=VALUE",
            )
        if vary is not None and field == vary[0]:
            raise UserError(f"{field.replace('_', '-')} is both varied and set", hint="leave out --set or --vary")
        settings.setdefault(path, {})[field] = value
    return settings


def _check_heeded(
    given: Mapping[str, object], settings: Settings, vary: Vary | None, tests: Sequence[TestKind]
) -> None:
    """A parameter that no test asked for heeds would be dropped in silence."""
    fields = [*given, *(field for own in settings.values() for field in own), *([vary[0]] if vary else [])]
    for field in fields:
        if not any(field in kind.parameters for kind in tests):
            heeding = [kind.name for kind in TESTS.values() if field in kind.parameters]
            asked = " nor ".join(kind.name for kind in tests)
            raise UserError(f"{asked} does not heed {field.replace('_', '-')}", hint=f"these do: {', '.join(heeding)}")


def _check_variants(request: Request, tests: Sequence[TestKind]) -> None:
    """Each test can be run with the parameters of each path, or with each value that is varied."""
    for kind in tests:
        beside.check(kind, request.variants, parallel=request.parallel)
        for parameters in request.variants:
            methods.check(kind, parameters)
            load.check(kind, parameters)
            flows.check(kind, parameters)
            ways.check(kind, parameters)
            tls.check(kind, parameters)
            if kind.transport == "udp":
                _check_datagrams(kind, parameters)


def _check_datagrams(kind: TestKind, parameters: Parameters) -> None:
    """No UDP message is larger than a datagram."""
    largest = LARGEST_UDP[parameters.ipv6]
    for name in ("send_size", "request_size", "response_size"):
        size = getattr(parameters, name) if name in kind.parameters else None
        if size is not None and size > largest:
            raise UserError(
                f"{name.replace('_', '-')} {size} does not fit one datagram of {kind.name}: at most {largest} bytes do",
                hint=f"a smaller one, or name the tests without {kind.name}: --test TCP_STREAM",
            )


def wire(values: Mapping[str, object]) -> WireSpec:
    """The wire that `--wire` and `--link-rate` ask for. Raises UserError where they contradict each other."""
    asked = dict(cast("dict[str, Any]", values.get("wire", {})))
    rate = cast("int | None", values.get("link-rate"))
    if rate is not None and asked.get("rate", rate) != rate:
        raise UserError("--wire and --link-rate name different rates", hint="give one of them")
    asked |= {"rate": rate} if rate is not None else {}
    rps = values.get("rps")
    if rps is not None and asked.get("rps", rps) != rps:
        raise UserError("--wire and --rps name different CPUs", hint="give one of them")
    asked |= {"rps": rps} if rps is not None else {}
    spec = WireSpec(**asked)
    check_wire(spec)
    return spec


_METRICS_OF_MORE = {
    FAIRNESS: ("fairness is among connections that run at once", "--flows 10, or --copies 10 --parallel"),
    LOAD: ("load_goodput is that of a stream beside transactions", "--test TCP_RR --beside TCP_STREAM"),
    **dict.fromkeys(WAY_METRICS, ("each way of a transaction is timed where that is asked", "--test TCP_RR --one-way")),
}


def _metrics(values: Mapping[str, object], tests: Sequence[TestKind]) -> tuple[str, ...]:
    metrics = tuple(dict.fromkeys(cast("Sequence[str]", values.get("metric", ()))))
    for metric in metrics:
        if not any(metric in kind.metrics for kind in tests):
            if metric in _METRICS_OF_MORE:
                why, hint = _METRICS_OF_MORE[metric]
                raise UserError(why, hint=hint)
            having = [kind.name for kind in TESTS.values() if metric in kind.metrics]
            raise UserError(
                f"{' nor '.join(kind.name for kind in tests)} has no metric {metric}",
                hint=f"these have it: {', '.join(having)}",
            )
    return metrics


def _margins(values: Mapping[str, object]) -> dict[str, float]:
    """By metric; one without a metric is for the rates, and gives way to one with."""
    pairs = cast("Sequence[tuple[str | None, float]]", values.get("margin", ()))
    margins = {metric: fraction for name, fraction in pairs if name is None for metric in RATE_METRICS}
    return margins | {name: fraction for name, fraction in pairs if name is not None}
