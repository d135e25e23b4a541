"""The process in which a publisher records, so that publishing need not share an interpreter with it.

Recording a version takes longer than publishing it. In one process of Python both would wait for each other, and a
change would wait for the records of the changes before it (docs/adr/0040).

Its task is the run of the publisher and the instance of Dagster to record into. After the order ``finish`` it records
everything that is published, and ends. It writes the lines of the run's log.
"""

import os
import threading

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import deserialize_value, serialize_value

from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.jobs.child_process import Belonging, ChildProcess, belonging
from schedules_pipeline.jobs.recording_loop import RecordingLoop
from schedules_pipeline.jobs.run_log import RunLog

_MODULE = "schedules_pipeline.jobs.recording_process"
_FINISH = "finish"
_NICENESS = 5
"""Where processors are few, publishing is first."""

_LOOKS_EVERY_SECONDS = 0.1


class RecordingProcess(ChildProcess):
    """A publisher's recording, in a process of its own that runs while there is something to keep up with."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str, log: RunLog) -> None:
        task = [run_id, serialize_value(instance.get_ref())]
        super().__init__(_MODULE, log, lambda: task, lambda line: getattr(log, line[0])(line[1]))

    def finish(self) -> None:
        self.start()
        self.order(_FINISH)
        self.wait()
        self.close()


class _LinesToPublisher:
    """The run's log, as this process has it."""

    def __init__(self, publisher: Belonging) -> None:
        self._publisher = publisher

    def info(self, msg: str) -> None:
        self._publisher.tell(["info", msg])

    def warning(self, msg: str) -> None:
        self._publisher.tell(["warning", msg])


def main() -> None:
    os.nice(_NICENESS)
    finish_first = threading.Event()
    with belonging("recorder") as publisher:
        run_id, instance_ref = publisher.task
        orders = publisher.obey(lambda _: finish_first.set())
        with dg.DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance:
            run = instance.get_run_by_id(run_id)
            if run is None:
                raise SystemExit(f"Dagster has no run {run_id}, which wants its versions recorded")
            pipeline = build_pipeline(publisher.settings)
            # What an earlier process of this publisher took.
            pipeline.store.feed.return_unrecorded(run_id)
            loop = RecordingLoop(pipeline, publisher.settings, instance, run, _LinesToPublisher(publisher))
            while not (orders.have_ended.is_set() or finish_first.is_set()):
                loop.keep_up()
                orders.have_ended.wait(_LOOKS_EVERY_SECONDS)
            if finish_first.is_set():
                loop.finish()


if __name__ == "__main__":
    main()
