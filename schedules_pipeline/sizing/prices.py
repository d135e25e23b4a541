"""Prices as dated inputs: ``prices.json`` beside this module, or a file of the same form."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from schedules_pipeline.errors import ContentError


class InvalidPrices(ContentError):
    """A file is no list of prices, or has one that no line of a bill uses."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a unit. ``tiers``: how many units cost how much, in order; the last number is None.

    A price without a ``source`` is an assumption.
    """

    unit: str
    tiers: tuple[tuple[float | None, float], ...]
    date: date
    source: str | None

    def of(self, quantity: float) -> float:
        """The dollars of this many units."""
        dollars, left = 0.0, quantity
        for size, price in self.tiers:
            part = left if size is None else min(left, size)
            dollars, left = dollars + part * price, left - part
        return dollars


@dataclass(frozen=True, slots=True)
class Prices:
    region: str
    of: Mapping[str, Price]


def built_in_prices() -> Prices:
    return parse_prices(files(__package__).joinpath("prices.json").read_bytes(), "prices.json")


def read_prices(path: Path) -> Prices:
    """The built-in prices with those of the file in their place, in the file's region.

    Raises InvalidPrices if the file cannot be understood, or names a price that no line uses.
    """
    own, built_in = parse_prices(path.read_bytes(), str(path)), built_in_prices()
    if unknown := sorted(own.of.keys() - built_in.of.keys()):
        raise InvalidPrices(f"{path} has prices that the model does not know: {', '.join(unknown)}")
    return Prices(own.region, {**built_in.of, **own.of})


def parse_prices(content: bytes, name: str) -> Prices:
    """Raises InvalidPrices if the content is not of this form."""
    try:
        read = json.loads(content)
        return Prices(str(read["region"]), {key: _price(each) for key, each in read["prices"].items()})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        form = '{"region": …, "prices": {NAME: {"unit", "dollars" or "tiers", "date", "source"}}}'
        raise InvalidPrices(f"{name} is no list of prices ({error}); expected {form}") from error


def _price(read: Mapping[str, Any]) -> Price:
    tiers = read.get("tiers") or [[None, read["dollars"]]]
    return Price(
        str(read["unit"]),
        tuple((None if size is None else float(size), float(price)) for size, price in tiers),
        date.fromisoformat(read["date"]),
        read.get("source"),
    )
