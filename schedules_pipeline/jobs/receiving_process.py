"""The process in which a publisher receives, so that publishing need not share an interpreter with it (docs/adr/0053).

Its task is the run of the publisher, and the sensors that are switched off; an order names them anew. It writes what it
has received. It knows nothing of Dagster, whose import would take seconds and a hundred megabytes.
"""

from collections.abc import Collection
from contextlib import closing

from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.child_process import ChildProcess, belonging
from schedules_pipeline.jobs.quick_threads import quick_threads
from schedules_pipeline.jobs.receiving import Received
from schedules_pipeline.jobs.receiving_threads import LAST_POLL_SECONDS, ReceivingThreads, Report
from schedules_pipeline.jobs.run_log import RunLog

_MODULE = "schedules_pipeline.jobs.receiving_process"
_LAST_STEP_SECONDS = LAST_POLL_SECONDS + 1.0


class ReceivingProcess(ChildProcess):
    """Implements :class:`Receiving` in a process of its own. While it does not run, the sensors receive."""

    def __init__(self, run_id: str, log: RunLog, report: Report) -> None:
        self._off: list[str] = []
        super().__init__(_MODULE, log, lambda: [run_id, self._off], self._pass_on, _LAST_STEP_SECONDS)
        self._report = report

    def leave_off(self, sensors: Collection[str]) -> None:
        if (off := sorted(sensors)) != self._off:
            self._off = off
            self.order(off)

    def _pass_on(self, line: tuple[str, dict[str, object]]) -> None:
        queue, received = line
        self._report(QueueName(queue), Received(**received))  # type: ignore[arg-type]


def main() -> None:
    with belonging("publisher") as publisher:
        run_id, off = publisher.task
        pipeline = build_pipeline(publisher.settings)
        receiving = ReceivingThreads(pipeline, run_id, lambda *received: publisher.tell(received))
        receiving.leave_off(off)
        orders = publisher.obey(receiving.leave_off)
        with quick_threads(), closing(receiving):
            receiving.keep_up()
            orders.have_ended.wait()


if __name__ == "__main__":
    main()
