"""What a comparison is asked to do, checked and typed, from the command line, a file or Python alike."""

import msgspec

from pathgauge.paths.types import Attachment, PathSpec, WireSpec
from pathgauge.traffic import flows, ways
from pathgauge.traffic.kind import TestKind
from pathgauge.traffic.parameters import Parameters
from pathgauge.traffic.registry import TESTS


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. The first path (or the first value of `vary`) is the baseline.

    `settings` maps a path's name to parameters of its own (`--set NAME.KEY=VALUE`), already parsed; `vary` is a
    parameter's field name with its values, parsed and as typed. `margins` maps a metric's name to a fraction (0.02 for
    2 %).
    Where the paths have copies, `parallel` measures all of them at once, else one at a time. `awake` keeps the CPUs of
    the ends from going to sleep.
    With an `attachment` the paths lead to a netserver at `server_port` elsewhere. `blocks` is their number in each lab
    where it is fixed beforehand; `labs` is how often the lab is built, and `max_time` what a test may take in all of
    them together. Times in seconds; None leaves the choice to the pilot.
    """

    paths: tuple[PathSpec, ...]
    tests: tuple[str, ...]
    parameters: Parameters = Parameters()
    parallel: bool = False
    awake: bool = False
    settings: dict[str, dict[str, object]] = {}
    vary: tuple[str, tuple[tuple[object, str], ...]] | None = None
    wire: WireSpec = WireSpec()
    attachment: Attachment | None = None
    server_port: int = 0
    metrics: tuple[str, ...] = ()
    confidence: float = 0.95
    margins: dict[str, float] = {}
    max_time: float = 10.0
    blocks: int | None = None
    labs: int = 1
    slice: float | None = None
    warmup: float | None = None
    seed: int | None = None
    command: tuple[str, ...] = ()

    @property
    def variants(self) -> list[Parameters]:
        """The test parameters of each path, or with each value that is varied, as far as they were given."""
        if self.vary is None:
            return [msgspec.structs.replace(self.parameters, **self.settings.get(spec.name, {})) for spec in self.paths]
        field, values = self.vary
        fixed = self.settings.get(self.paths[0].name, {})
        return [msgspec.structs.replace(self.parameters, **{**fixed, field: value}) for value, _ in values]

    def kind(self, place: int) -> TestKind:
        """The test at that place, with the metrics of what was asked of it: of a stream beside, of each way, of how
        evenly several connections share.
        """
        found = TESTS[self.tests[place]]
        if "beside" in found.parameters and any(variant.beside for variant in self.variants):
            found = found.beside_load()
        if any(ways.timed_apart(found, variant) for variant in self.variants):
            found = found.of_ways()
        several = self.parallel or any(flows.several(found, variant) for variant in self.variants)
        return found.of_many() if several else found

    @property
    def against_netserver(self) -> bool:
        """Whether the servers are netservers, which answer for themselves; all of them are or none."""
        return self.attachment is not None or any(spec.to_netserver for spec in self.paths)
