"""The command line of the demonstration: options, the scenario that they choose, and how the process ends."""

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType

from demo.console import input_file, say, utc_now
from demo.demonstration import DELIVERY_PORT, WEB_PORT, Demonstration, Placement
from demo.scenarios import Scenario, imported, invented, recorded
from schedules_pipeline.errors import PipelineError

REPOSITORY = Path(__file__).parents[1]

_DESCRIPTION = """
Run the whole pipeline on this machine: Redis, an AWS emulator, Dagster, the old system, and a partner. The sample of
an invented broadcaster is loaded, built by a coldstart, and then changed all the time. Ctrl-C stops everything.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The chosen scenario's parameters; at most one of ``replay`` and ``xmltv`` is set."""

    replay: Path | None
    xmltv: Path | None
    speed: float
    changes_per_minute: float
    placement: Placement

    def scenario(self, now: datetime) -> Scenario:
        if self.replay is not None:
            return recorded(self.replay, self.speed, now)
        if self.xmltv is not None:
            return imported(self.xmltv, now)
        return invented(now, self.changes_per_minute)


def main(words: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM. Returns 0, or 1 after one line about a server that could not start."""
    options = parse_options(words)
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        scenario = options.scenario(utc_now())
        with ExitStack() as stack:
            try:
                Demonstration(scenario, options.placement, stack).run()
            finally:
                say("stopping everything that was started")
    except KeyboardInterrupt:
        say("stopped")
        return 0
    except (PipelineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse_options(words: Sequence[str] | None) -> Options:
    """Read the command line; ends the process with a usage message if it is wrong."""
    parser = argparse.ArgumentParser(prog="demo", description=_DESCRIPTION)
    _add_scenario(parser)
    _add_placement(parser)
    found = parser.parse_args(words)
    placement = Placement(
        directory=found.directory.resolve(),
        emulator=found.emulator,
        ports={name: getattr(found, name) for name in ("web", "delivery", "redis", "aws")},
        refresh_seconds=found.refresh_seconds,
        opens_browser=not found.no_open,
        storage=found.storage,
    )
    return Options(found.replay, found.xmltv, found.speed, found.changes_per_minute, placement)


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    number, sample = float, parser.add_mutually_exclusive_group()
    sample.add_argument(
        "--replay", type=input_file, help="a recorded history, gzipped JSON lines, instead of the sample"
    )
    sample.add_argument(
        "--xmltv", type=input_file, help="an XMLTV guide, gzipped or not, instead of the sample"
    )
    parser.add_argument(
        "--speed", type=number, default=600.0, help="how many times as fast a history is replayed"
    )
    parser.add_argument("--changes-per-minute", type=number, default=20.0, help="of the invented broadcaster")
    parser.add_argument(
        "--refresh-seconds", type=number, default=20.0, help="pause between the old system's passes"
    )


def _add_placement(parser: argparse.ArgumentParser) -> None:
    port, emulator = int, REPOSITORY / ".venv-emulator/bin/ministack"
    parser.add_argument(
        "--web-port", dest="web", type=port, help=f"Dagster's page; {WEB_PORT} or any free port"
    )
    parser.add_argument(
        "--delivery-port", dest="delivery", type=port, help=f"delivery; {DELIVERY_PORT} or any free port"
    )
    parser.add_argument("--redis-port", dest="redis", type=port, help="Redis; any free port if left out")
    parser.add_argument(
        "--aws-port", dest="aws", type=port, help="the AWS emulator; any free port if left out"
    )
    parser.add_argument(
        "--storage",
        choices=["postgres", "sqlite"],
        default="postgres",
        help="where Dagster keeps its records; a Postgres server is started for them",
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the guide in a browser")
    parser.add_argument(
        "--directory", type=Path, default=REPOSITORY / ".run", help="for logs and Dagster's records"
    )
    parser.add_argument("--emulator", type=Path, default=emulator, help="the emulator's program")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
