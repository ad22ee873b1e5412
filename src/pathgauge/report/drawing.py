"""A path drawn on one line, from its description."""

from itertools import groupby

from pathgauge.results.document import PathDescription


def drawing(path: PathDescription) -> str:
    """Its devices by namespace, from the container's or the client's end: `[ web: eth0 ] ── [ local: veth3 ]`."""
    groups = [
        (space, [device.name for device in found])
        for space, found in groupby(path.devices, lambda each: each.namespace)
    ]
    near, _, far = path.wire.partition("-")
    text = ""
    for number, (space, names) in enumerate(groups):
        if number:
            before = groups[number - 1][1][-1]
            text += " ──wire── " if (before, names[0]) == (near, far) and path.wire else " ── "
        text += f"[ {space}: {' '.join(names)} ]"
    return text
