"""The tables of docs/explanation/cost.md: the cost of three sizes by the model, and the prices that it takes."""

from collections.abc import Iterator

from schedules_pipeline.sizing.cost import Bill, cost_of
from schedules_pipeline.sizing.hardware import Use
from schedules_pipeline.sizing.memory import ITEMS_OF_A_SCHEDULE, Installation
from schedules_pipeline.sizing.prices import Price, built_in_prices

_DAYS = 40
_SIZES = (10_000, 100_000, 1_000_000)
_CHANGES = 5
_PARTNERS = 50


def cost_table() -> Iterator[str]:
    bills = [_bill(schedules) for schedules in _SIZES]
    yield f"| | {' | '.join(f'{size:,} schedules' for size in _SIZES)} |"
    yield "|---|" + "--:|" * len(bills)
    for name, cells in _machines(bills):
        yield f"| {name} | {' | '.join(cells)} |"
    parts = list(dict.fromkeys(line.part for line in bills[0].lines))
    for part in parts:
        cells = [_of_part(bill, part) for bill in bills]
        yield f"| {part}, dollars a month | {' | '.join(cells)} |"
    yield f"| **dollars a month** | {' | '.join(f'**{bill.dollars:,.0f}**' for bill in bills)} |"


def _of_part(bill: Bill, part: str) -> str:
    lines = [line for line in bill.lines if line.part == part]
    return f"{sum(line.dollars for line in lines):,.0f}{'*' * any(line.is_assumed for line in lines)}"


def _bill(schedules: int) -> Bill:
    installation = Installation(
        schedules // _DAYS, _DAYS, schedules * ITEMS_OF_A_SCHEDULE, _CHANGES, _PARTNERS
    )
    return cost_of(installation, Use(), built_in_prices())


def _machines(bills: list[Bill]) -> Iterator[tuple[str, list[str]]]:
    of = [bill.installation for bill in bills]
    hardware = [bill.hardware for bill in bills]
    yield "services × days", [f"{each.services:,} × {each.days}" for each in of]
    yield "changes a second, on average", [f"{each.schedules * each.changes / 86_400:.1f}" for each in of]
    yield "memory of Redis", [f"{each.redis_bytes / 1e9:.1f} GB" for each in hardware]
    yield "shards × 3 nodes", [f"{each.redis_shards} × {each.redis_node}" for each in hardware]
    yield "publishers in the busiest minute", [f"{each.publishers}" for each in hardware]
    yield (
        "tasks of delivery",
        [
            f"{each.delivery.count} × {each.delivery.cpus:g} CPU, {each.delivery.gigabytes:g} GB"
            for each in hardware
        ],
    )
    yield "Postgres", [f"{each.database}, {each.database_gigabytes:,} GB" for each in hardware]


def prices_table() -> Iterator[str]:
    prices = built_in_prices()
    yield "| price | unit | dollars | on | from |"
    yield "|---|---|---|---|---|"
    for name, price in prices.of.items():
        source = f"[source]({price.source})" if price.source else "**assumption**"
        yield f"| `{name}` | {price.unit} | {_dollars(price)} | {price.date} | {source} |"


def _dollars(price: Price) -> str:
    return ", ".join(
        f"{dollars:g}" if size is None else f"{dollars:g} for the first or next {size:,.0f}"
        for size, dollars in price.tiers
    )
