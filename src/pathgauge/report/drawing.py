"""A path drawn on one line, from its description."""

from collections.abc import Sequence
from itertools import groupby

from pathgauge.results.document import Device, PathDescription


def drawing(path: PathDescription) -> str:
    """Its devices by namespace, from the container's or the client's end: `[ web: eth0 ] ── [ local: veth3 ]`.

    In round brackets what passes them on without counting; `── ? ──` where it is not known what lies between.
    """
    before = len(path.devices) if path.gap is None else path.gap.before
    text = " ── ? ── ".join(
        part for part in (_joined(path, path.devices[:before]), _joined(path, path.devices[before:])) if part
    )
    if path.gap is None:
        return text
    end = "" if path.devices[before:] else f" ── ? ── [ {path.server_namespace} ]"
    return f"{text}{end}; {path.gap.reason}"


def _joined(path: PathDescription, devices: Sequence[Device]) -> str:
    groups = [(space, list(found)) for space, found in groupby(devices, lambda each: each.namespace)]
    near, _, far = path.wire.partition("-")
    text = ""
    for number, (space, found) in enumerate(groups):
        if number:
            wired = path.wire and (groups[number - 1][1][-1].name, found[0].name) == (near, far)
            text += " ──wire── " if wired else " ── "
        names = [f"({each.name})" if each.role == "passed" else each.name for each in found]
        text += f"[ {space}: {' '.join(names)} ]"
    return text
