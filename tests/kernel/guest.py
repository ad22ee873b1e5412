"""A plugin of pytest for the guest: of the contract it keeps the kinds that the guest is for, and it has patience."""

import pytest

from pathgauge.paths import process
from pathgauge.paths.types import PathSpec

KINDS = ("ipvlan", "vlan", "geneve", "gre", "ipip", "netkit", "wireguard", "openvswitch")
QUEUE_DISCIPLINES = ("netem", "fq", "fq_codel")
WIRES = ("host", "macvlan", "moved")  # kinds that are tried on a wire with netem
STAGE = "spaces"  # of a lab that is killed: one is enough here
_PATIENCE_SECONDS = 60.0


def pytest_configure() -> None:
    """An emulated machine takes its time to start a process."""
    process.ANSWER_SECONDS = _PATIENCE_SECONDS


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what every kernel has: emulated, it takes its time and shows nothing new."""
    others = [item for item in items if not _is_wanted(item)]
    for module in {item.module for item in others if isinstance(item, pytest.Function) and _is_contract(item)}:
        cases: list[PathSpec] = module.CASES
        cases[:] = [case for case in cases if case.kind in KINDS]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def _parameter(item: pytest.Item, name: str) -> object:
    return item.callspec.params.get(name) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None


def _is_contract(item: pytest.Item) -> bool:
    return item.path.parent.name == "contract"


def _is_wanted(item: pytest.Item) -> bool:
    """Whether a test of the contract is about one of the kinds, or about those in CASES as an ordinary user; or
    another is marked for the guest.
    """
    if not _is_contract(item):
        return item.path.parent.name == "kernel" or (
            item.get_closest_marker("kernel") is not None
            and _parameter(item, "stage") in (None, STAGE)
            and _parameter(item, "kind") in (None, *KINDS, *QUEUE_DISCIPLINES, *WIRES)
        )
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return "ordinary" in item.name
    case = item.callspec.params.get("lab")
    return (case.kind if isinstance(case, PathSpec) else item.callspec.params.get("kind")) in KINDS
