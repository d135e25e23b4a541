"""``python -m demo.replay HISTORY``: replay a recorded history, and print the figures and the regret."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from demo.console import input_file, say
from demo.replay.replaying import BATCH, Replay
from demo.replay.report import report
from demo.servers import RedisServer
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.history.recorded import read_history, read_lines


def main(words: Sequence[str] | None = None) -> int:
    """Returns 1 if a document differs at the end, or after one line about a history that cannot be read."""
    parser = argparse.ArgumentParser(prog="replay", description=__doc__)
    parser.add_argument("history", type=input_file, help="a recorded history, gzipped JSON lines")
    parser.add_argument("--batch", type=int, default=BATCH, help="how many events come at once")
    options = parser.parse_args(words)
    try:
        number = sum(1 for _ in read_history(options.history))
        say(
            f"replaying {number:,} events of {options.history}, {options.batch} at once, on a Redis of its own"
        )
        with TemporaryDirectory(prefix="replay-") as directory, RedisServer(Path(directory)) as server:
            replayed = Replay(server.url, "replay", _progress(number)).run(
                (line for _, line in read_lines(options.history)), options.batch
            )
    except (PipelineError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in report(replayed):
        say(line)
    return 1 if replayed.differing else 0


def _progress(total: int) -> Callable[[int, datetime], None]:
    """Prints a line each time another tenth is done."""
    shown = -1

    def show(done: int, at: datetime) -> None:
        nonlocal shown
        if 10 * done // total > shown:
            shown = 10 * done // total
            say(f"{at:%Y-%m-%d %H:%M}  {done:,} of {total:,} events")

    return show


if __name__ == "__main__":
    sys.exit(main())
