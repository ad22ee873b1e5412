"""netperf's units of output (-f): their letters and labels, what is printed in them, and service demand."""

from dataclasses import dataclass

from pathgauge.peers.netperf.settings import Settings

MICRO = 1e6  # us in a second
KIB = 1024.0
TRANSACTIONS, MICROSECONDS, MEGABITS = "x", "u", "m"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of rates: what it is called, and how many bytes/s one of it is (0.0 where it does not count bytes)."""

    label: str
    bytes_per_second: float


UNITS = {
    "G": Unit("GBytes", 2.0**30),
    "M": Unit("MBytes", 2.0**20),
    "K": Unit("KBytes", 2.0**10),
    "B": Unit("Bytes", 1.0),
    "g": Unit("10^9bits", 1e9 / 8),
    "m": Unit("10^6bits", 1e6 / 8),
    "k": Unit("10^3bits", 1e3 / 8),
    "b": Unit("10^0bits", 1 / 8),
    TRANSACTIONS: Unit("Trans", 0.0),
    MICROSECONDS: Unit("Usec", 0.0),
}


def unit_for(settings: Settings) -> str:
    """The letter of the unit that a run's throughput is printed in."""
    if settings.test == "TCP_CC":  # it moves no bytes
        return TRANSACTIONS
    usual = TRANSACTIONS if settings.transactions else MEGABITS
    wanted = settings.units or usual
    return wanted if settings.transactions or UNITS[wanted].bytes_per_second else MEGABITS


def label(letter: str) -> str:
    """What a unit is called: `10^6bits`, without what it is taken over."""
    return UNITS[letter].label


def rate_label(letter: str, seconds: str = "s") -> str:
    """The unit of a rate in full: `10^6bits/s`; that of `u` is the time of a transaction, and no rate."""
    return "Usec/Tran" if letter == MICROSECONDS else f"{label(letter)}/{seconds}"


def figure(letter: str, bytes_per_second: float, transactions_per_second: float = 0.0) -> float:
    """A rate as it is printed in a unit; `u` is the time of one transaction in us (0.0 where there was none)."""
    if letter == TRANSACTIONS:
        return transactions_per_second
    if letter == MICROSECONDS:
        return MICRO / transactions_per_second if transactions_per_second else 0.0
    return bytes_per_second / UNITS[letter].bytes_per_second


def demand(percent: float, cpus: int, elapsed: float, units: float) -> float:
    """Service demand: us of CPU for each of `units` (transactions, or KiB) that `elapsed` seconds brought.

    `percent` is of all `cpus` together. -1.0 where the use was not measured or nothing was moved.
    """
    if percent < 0 or units <= 0:
        return -1.0
    return percent / 100 * cpus * elapsed * MICRO / units


def demand_word(settings: Settings, transaction: str = "Tr") -> str:
    """What service demand is counted for: KB (of 1024 bytes), or a transaction by the word given for it."""
    return transaction if unit_for(settings) == TRANSACTIONS else "KB"
