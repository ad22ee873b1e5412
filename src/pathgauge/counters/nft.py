"""A namespace's nftables rules as `nft -j -t list ruleset` prints them: how many, where they hook in, their counters.

Rules of the older iptables (ip_tables, not iptables-nft) do not show here: `iptables_legacy` of the configuration
names their tables.
"""

from collections.abc import Iterator

import msgspec

from pathgauge.counters.reading import Counters, part

LARGEST = 16 << 20

Item = dict[str, object]

# What a rule does -> the words of its expressions that say so; of every rule where there are none.
_VERDICTS: dict[str, frozenset[str]] = {
    "rules": frozenset(),
    "drops": frozenset({"drop", "reject"}),
    "limits": frozenset({"limit"}),
    "nat": frozenset({"masquerade", "snat", "dnat", "redirect"}),
}


def parse_ruleset(text: bytes) -> Counters:
    """Levels `nft.tables`, `nft.chains`, `nft.base_chains`, `nft.rules`, `nft.sets`, `nft.flowtables`; and the packets
    and bytes of the counters: `nft.<family>.<table>.<chain>.packets` of a chain's rules together, `nft.drop.packets` of
    the rules that drop, `nft.named.<family>.<table>.<counter>.packets`. Raises nothing.
    """
    kinds = {"table": 0, "chain": 0, "base_chain": 0, "rule": 0, "set": 0, "flowtable": 0}
    rising: dict[str, int] = {}
    items = _items(text)
    if items is None:
        return Counters()
    for kind, item in items:
        counted = "set" if kind == "map" else kind
        if counted in kinds:
            kinds[counted] += 1
        if kind == "chain" and "hook" in item:
            kinds["base_chain"] += 1
        if kind == "rule":
            _add_rule(item, rising)
        elif kind == "counter":
            _add(rising, f"nft.named.{_place(item)}.{part(str(item.get('name', '')))}", item)
    return Counters(rising, {}, {f"nft.{kind}s": count for kind, count in kinds.items()})


def ruleset_settings(text: bytes) -> dict[str, str]:
    """`nft.hooks` (`ip filter input 0`: family, type, hook, priority of each base chain), and of each table how many
    `rules` it has, and how many of them drop, limit a rate or translate addresses: `nft.table.<family>.<table>.rules`,
    `.drops`, `.limits`, `.nat`. Raises nothing.
    """
    items = _items(text) or []
    hooks = sorted(
        " ".join(str(item.get(key)) for key in ("family", "type", "hook", "prio"))
        for kind, item in items
        if kind == "chain" and "hook" in item
    )
    counts: dict[str, int] = {}
    for kind, item in items:
        if kind == "table":
            counts |= {f"nft.table.{part(str(item.get('family')))}.{part(str(item.get('name')))}.rules": 0}
    for kind, item in items:
        if kind == "rule":
            said = {word for expression in _expressions(item) for word in expression}
            for what, words in _VERDICTS.items():
                if not words or words & said:
                    name = f"nft.table.{_place(item)}.{what}"
                    counts[name] = counts.get(name, 0) + 1
    settings = {name: str(count) for name, count in counts.items()}
    return {"nft.hooks": ", ".join(hooks), **settings} if hooks else settings


def _items(text: bytes) -> list[tuple[str, Item]] | None:
    """The objects of the ruleset with their kind; None where it is something else than nft's JSON."""
    try:
        whole = msgspec.json.decode(text[:LARGEST])
    except (msgspec.DecodeError, RecursionError):
        return None
    listed = whole.get("nftables") if isinstance(whole, dict) else None
    if not isinstance(listed, list):
        return None
    return [
        (kind, item)
        for each in listed
        if isinstance(each, dict)
        for kind, item in each.items()
        if isinstance(item, dict)
    ]


def _add_rule(rule: Item, into: dict[str, int]) -> None:
    expressions = list(_expressions(rule))
    drops = any(_VERDICTS["drops"] & each.keys() for each in expressions)
    for each in expressions:
        counter = each.get("counter")
        if isinstance(counter, dict):
            _add(into, f"nft.{_place(rule)}.{part(str(rule.get('chain', '')))}", counter)
            if drops:
                _add(into, "nft.drop", counter)


def _expressions(rule: Item) -> Iterator[Item]:
    expressions = rule.get("expr")
    for each in expressions if isinstance(expressions, list) else []:
        if isinstance(each, dict):
            yield each


def _place(item: Item) -> str:
    return f"{part(str(item.get('family', '')))}.{part(str(item.get('table', '')))}"


def _add(into: dict[str, int], name: str, counter: Item) -> None:
    for unit in ("packets", "bytes"):
        value = counter.get(unit)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 64:
            into[f"{name}.{unit}"] = into.get(f"{name}.{unit}", 0) + value
