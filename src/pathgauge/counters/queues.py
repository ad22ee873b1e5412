"""What sysfs says of a device: which CPUs serve its queues (RPS, XPS, RFS), its NAPI settings, its interrupts' CPUs."""

import os
from pathlib import Path

from pathgauge.counters.text import read_line

_DEVICE = ("threaded", "gro_flush_timeout", "napi_defer_hard_irqs")
_RECEIVE = ("rps_cpus", "rps_flow_cnt")
_SEND = ("xps_cpus", "xps_rxqs", "tx_maxrate", "byte_queue_limits/limit_max", "byte_queue_limits/hold_time")
_MOST_QUEUES = 256


def queue_settings(device: str, root: Path = Path("/")) -> dict[str, str]:
    """`queue.rx-0.rps_cpus` (the kernel's mask), `queue.tx-0.xps_cpus`, `napi.threaded`, `irq.0.cpus` and so on.

    /sys/class/net shows the devices of the namespace that this /sys was mounted in.
    """
    folder = root / "sys/class/net" / device
    wanted = {f"napi.{name}": folder / name for name in _DEVICE}
    for queue in _listed(folder / "queues"):
        names = _RECEIVE if queue.startswith("rx-") else _SEND
        wanted |= {f"queue.{queue}.{name.rpartition('/')[2]}": folder / "queues" / queue / name for name in names}
    for order, number in enumerate(sorted(_listed(folder / "device/msi_irqs"), key=lambda name: (len(name), name))):
        wanted[f"irq.{order}.cpus"] = root / "proc/irq" / number / "smp_affinity_list"
    found = {name: read_line(path) for name, path in wanted.items()}
    return {name: text for name, text in found.items() if text is not None}


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:_MOST_QUEUES]
    except OSError:
        return []
