"""``python -m benchmarks [NAME...]``: run all benchmarks, or the named ones."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.harness import (
    Bench,
    Result,
    machine,
    render_goals,
    render_table,
    source_digest,
    write_results,
)

NAMES = (
    "batch_rebuild",
    "hot_slots",
    "catalogue_size",
    "memory",
    "sizing",
    "scale",
    "coldstart",
    "latency",
    "handover",
    "full_passes",
    "dagster_records",
    "references_home",
    "delivery",
    "waiting",
    "fairness",
    "webhook_lag",
    "guide",
)
_REPOSITORY = Path(__file__).parents[1]


def _run(name: str, options: argparse.Namespace) -> Result:
    """Run one benchmark in a temporary directory."""
    benchmark: Callable[[Bench], Result] = import_module(f"benchmarks.{name}").run
    load_before, began = os.getloadavg()[0], time.monotonic()
    with TemporaryDirectory(prefix=f"bench-{name}-") as directory:
        bench = Bench(
            Path(directory),
            options.emulator,
            options.quick,
            lambda text: _say(f"{name}: {text}"),
            options.storage,
        )
        result = benchmark(bench)
    _say(f"{name}: done in {time.monotonic() - began:.0f} s")
    return replace(result, facts={**result.facts, "load average before": load_before})


def _print(facts: Mapping[str, Any], results: Mapping[str, Result], *, quick: bool) -> None:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    print(f"\n{facts['cores']} cores, Python {facts['python']}, {versions}")
    for name, result in results.items():
        print(f"{name}: " + ", ".join(f"{what}: {_shown(value)}" for what, value in result.facts.items()))
    if facts["sources_changed_during_run"]:
        print("the package was changed during the run, so these figures are of several versions")
    if quick:
        print("small sizes: these figures are not measurements")
    print(f"\n{render_table(results)}\n\n{render_goals(results)}", flush=True)


def _shown(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if left out")
    parser.add_argument("--quick", action="store_true", help="small sizes, to test the benchmarks themselves")
    parser.add_argument(
        "--output", type=Path, default=_REPOSITORY / ".bench/results.json", help="the file of figures"
    )
    parser.add_argument(
        "--emulator",
        type=Path,
        default=_REPOSITORY / ".venv-emulator/bin/ministack",
        help="the AWS emulator's program",
    )
    parser.add_argument(
        "--storage",
        choices=["Postgres", "SQLite"],
        default="Postgres",
        help="of Dagster's records, in the benchmark of the latency; coldstart and dagster_records measure both",
    )
    options = parser.parse_args(words)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return options


def main(words: Sequence[str] | None = None) -> int:
    options = _parse_arguments(words)
    facts = machine()
    results: dict[str, Result] = {}
    for name in options.names or NAMES:
        results[name] = _run(name, options)
        facts["sources_changed_during_run"] = source_digest() != facts["sources"]
        write_results(options.output, facts, results)
    _print(facts, results, quick=options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
