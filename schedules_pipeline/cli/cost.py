"""``schedules-pipeline cost``: what an installation of a given size needs and costs. It connects to nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, table
from schedules_pipeline.cli.arguments import INPUT_FILE, reading
from schedules_pipeline.cli.session import Session
from schedules_pipeline.sizing.cost import Bill, cost_of
from schedules_pipeline.sizing.hardware import Use
from schedules_pipeline.sizing.memory import ITEMS_OF_A_SCHEDULE, Installation
from schedules_pipeline.sizing.prices import Prices, built_in_prices, read_prices

_COUNT = click.IntRange(min=1)
_AMOUNT = click.FloatRange(min=0, min_open=True)


@click.command("cost")
@click.option("--services", type=_COUNT, required=True, help="Number of services.")
@click.option("--days", type=_COUNT, required=True, help="Days of schedules, past and to come.")
@click.option(
    "--changes", type=_AMOUNT, default=5.0, help="New versions of a schedule in a day, on average (5)."
)
@click.option("--partners", type=_COUNT, default=50, help="Number of partners (50).")
@click.option("--items", type=_COUNT, help="Different catalogue items (6 for each schedule).")
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=1.0,
    help="Share of all schedules that a partner reads (1).",
)
@click.option("--polls", type=_AMOUNT, default=1.0, help="Polls of a partner in a minute (1).")
@click.option(
    "--peak", type=_AMOUNT, default=20.0, help="The busiest minute, as a multiple of the average (20)."
)
@click.option("--prices", "prices_file", type=INPUT_FILE, help="Prices in place of the built-in ones.")
@answering
def command(session: Session, prices_file: Path | None, **size: Any) -> Answer:
    """Compute the machines, storage and requests of an installation, and dollars a month on AWS.

    A price that is an assumption has a star; give yours with --prices.
    """
    prices = _read(prices_file) if prices_file else built_in_prices()
    installation, use = _size(**size)
    bill = cost_of(installation, use, prices)
    return Answer(_document(bill, prices), _shown(bill, prices))


def _read(path: Path) -> Prices:
    with reading(path):
        return read_prices(path)


def _size(services: int, days: int, items: int | None, **others: float) -> tuple[Installation, Use]:
    use = Use(share=others["share"], polls=others["polls"], peak=others["peak"])
    known = items or services * days * ITEMS_OF_A_SCHEDULE
    installation = Installation(services, days, known, others["changes"], int(others["partners"]))
    return installation, use


def _document(bill: Bill, prices: Prices) -> Any:
    hardware = bill.hardware
    return {
        "region": prices.region,
        "schedules": bill.installation.schedules,
        "redis_bytes": round(hardware.redis_bytes),
        "lines": [
            {
                "part": line.part,
                "what": line.what,
                "price": line.price,
                "unit": prices.of[line.price].unit,
                "quantity": round(line.quantity, 3),
                "dollars": round(line.dollars, 2),
                "priced_on": prices.of[line.price].date.isoformat(),
                "source": prices.of[line.price].source,
            }
            for line in bill.lines
        ],
        "dollars": round(bill.dollars, 2),
    }


def _shown(bill: Bill, prices: Prices) -> Iterator[Shown]:
    yield f"{bill.installation.schedules:,} schedules; Redis holds {bill.hardware.redis_bytes / 1e6:,.0f} MB"
    rows = [
        [
            line.part,
            line.what,
            f"{line.quantity:,.2f}",
            prices.of[line.price].unit,
            _dollars(line.dollars, line),
        ]
        for line in bill.lines
    ]
    yield table(["part", "what", "a month", "unit", "dollars"], rows)
    yield f"{bill.dollars:,.0f} dollars a month in {prices.region}, on demand, without tax"
    if any(line.is_assumed for line in bill.lines):
        yield "* the price is an assumption: replace it with --prices"


def _dollars(dollars: float, line: Any) -> str:
    return f"{dollars:,.2f}{'*' if line.is_assumed else ' '}"
