"""The world of the soak: its days, what changes in them, and what is measured at their ends."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import dagster as dg
import orjson

from benchmarks.harness import WrongResult
from benchmarks.soak_system import A_DAY, AHEAD, Plan, System, fetch
from benchmarks.world import write_catalogue
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.maintenance.reconcile import Share
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.publishing.ports.counters import Counter
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_ROUNDS = 6
"""In a day, between which the partner and the subscriber read."""
_SCRAPES = 3
"""In a round. The monitoring process reaches its size after some 200."""
_QUIETLY = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class World:
    def __init__(self, plan: Plan, system: System) -> None:
        self._plan, self._system = plan, system
        self._pipeline, self._clock, self._sources = system.pipeline, system.clock, system.sources
        self._settings = Settings(dagster_runs_kept_days=1)
        self._random, self._number = Random(0), 0

    # What is measured

    def sizes(self) -> dict[str, int]:
        """Bytes."""
        memory: dict[str, Any] = self._system.redis.info("memory")
        return {
            "Redis": int(memory["used_memory"]),
            "publisher": _resident(os.getpid()),
            **{name: _resident_of_group(server.pid) for name, server in self._system.servers.items()},
            "Dagster's storage": _size_of(self._system.storage),
        }

    def count_schedules(self) -> int:
        return sum(not head.is_removal for head in self._pipeline.store.feed.heads().values())

    def count_keys(self) -> int:
        return int(self._system.redis.dbsize())

    def must_be_consistent(self) -> None:
        """Raises WrongResult unless the partner holds the published versions."""
        heads = self._pipeline.store.feed.heads().values()
        published = {str(head.key): head.seq for head in heads if not head.is_removal}
        if self._system.partner.held != published:
            raise WrongResult(
                f"the partner holds {len(self._system.partner.held)} of {len(published)} schedules"
            )

    # One day

    def play_day(self) -> int:
        """Returns the number of published versions."""
        before = self._published()
        self._announce(self._open_day())
        for _ in range(_ROUNDS):
            self._announce([*self._change_schedules(), *self._change_items(), *self._spoil()])
            self._system.partner.catch_up()
            self._scrape()
        self._run_passes()
        self._system.partner.catch_up()
        self._clock.end_day()
        return self._published() - before

    def _open_day(self) -> list[Message]:
        """New days appear in the source, and old ones disappear from it."""
        sources, today = self._sources.documents, self._clock.today
        old = [key for key in sources if key.date < today - A_DAY * 2]
        for key in old:
            del sources[key]
        new = {k: d for k, d in self._sources.sample.items() if today <= k.date <= today + A_DAY * AHEAD}
        added = [key for key in new if key not in sources]
        sources |= {key: new[key] for key in added}
        return [
            *(self._schedule_message(key, "ObjectRemoved:Delete") for key in old),
            *map(self._schedule_message, added),
        ]

    def _change_schedules(self) -> list[Message]:
        """Two broadcasts exchange their episodes."""
        chosen = self._random.choices(self._coming(), k=self._plan.changes // _ROUNDS)
        for key in chosen:
            document = orjson.loads(self._sources.sample[key])
            broadcasts = document["broadcasts"]
            one, other = self._random.sample(range(len(broadcasts)), 2)
            pids = broadcasts[one]["episode_pid"], broadcasts[other]["episode_pid"]
            broadcasts[other]["episode_pid"], broadcasts[one]["episode_pid"] = pids
            self._sources.documents[key] = orjson.dumps(document)
        return list(map(self._schedule_message, chosen))

    def _change_items(self) -> list[Message]:
        items = self._random.choices(self._sources.items, k=self._plan.changes // _ROUNDS)
        changed = [{**item, "title": f"{item['title']} {self._random.randrange(10)}"} for item in items]
        write_catalogue(self._system.redis, changed)
        return [self._catalogue_message(item) for item in changed]

    def _spoil(self) -> list[Message]:
        """Messages that cannot be read, that name what does not exist, a document without form, and one of a day that
        lost nearly everything.
        """
        torn, emptied = self._random.sample(self._coming(), 2)
        self._sources.documents[torn] = b"<html>"
        document = orjson.loads(self._sources.sample[emptied])
        self._sources.documents[emptied] = orjson.dumps(
            {**document, "broadcasts": document["broadcasts"][:1]}
        )
        unreadable = [self._message({"TopicArn": "schedule-events", "Message": "{" * 500})]
        named = ScheduleKey.parse(f"invented_{self._number}/{self._clock.today}")
        pid = {"pid": f"b{self._number:09}".translate(str.maketrans("aeiou", "bcdfg")), "type": "episode"}
        return [
            *unreadable * (self._plan.garbage // _ROUNDS),
            *(self._schedule_message(key) for key in (torn, emptied, named)),
            self._catalogue_message(pid),
        ]

    def _announce(self, messages: Sequence[Message]) -> None:
        """Ingest the messages, and publish until nothing is pending."""
        numbered = [replace(message, message_id=f"message-{self._next_number()}") for message in messages]
        for start in range(0, len(numbered), 10):
            batch = numbered[start : start + 10]
            for handle, name in (
                (self._pipeline.schedule_intake.handle, "schedule-events"),
                (self._pipeline.catalogue_intake.handle, "catalogue-events"),
            ):
                if own := [message for message in batch if name in message.body]:
                    handle(own)
        while self._pipeline.publisher.publish_next(300) is not None:
            pass

    def _run_passes(self) -> None:
        pipeline, store = self._pipeline, self._pipeline.store

        def record(context: dg.OpExecutionContext) -> None:
            recorder = Recorder(pipeline, self._settings, self._system.instance, OwnRunWriter(context))
            recorder.record_all_published()
            recorder.record_rejections()
            recorder.record_holds()

        def prune(context: dg.OpExecutionContext) -> None:
            before = self._clock.real(self._clock.now() - A_DAY * self._plan.kept_days)
            pruning = Pipeline(store, pipeline.upstreams, pipeline.calendar, lambda: before + A_DAY)
            RecordPruner(pruning, self._settings, self._system.instance, OwnRunWriter(context)).prune()

        self._run("publish_affected", record)
        self._run("prune_records", prune)
        pipeline.reconciler.reconcile(Share(self._random.randrange(4) + 1, 4))
        pipeline.collector.collect()
        while pipeline.publisher.publish_next(300) is not None:
            pass

    def _run(self, job: str, body: Callable[[dg.OpExecutionContext], None]) -> None:
        @dg.op(name=job)
        def op(context: dg.OpExecutionContext) -> None:
            body(context)

        @dg.job(name=job, executor_def=dg.in_process_executor)
        def made() -> None:
            op()

        made.execute_in_process(run_config=_QUIETLY, instance=self._system.instance)

    def _scrape(self) -> None:
        for _ in range(_SCRAPES):
            fetch(self._system.servers["monitoring"].port, "/metrics", {})

    # Messages

    def _coming(self) -> list[ScheduleKey]:
        return sorted(key for key in self._sources.documents if key.date >= self._clock.today)

    def _published(self) -> int:
        return self._pipeline.store.counters.all().get(Counter.SCHEDULES_PUBLISHED, 0)

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _schedule_message(self, key: ScheduleKey, event: str = "ObjectCreated:Put") -> Message:
        record = {"eventName": event, "s3": {"object": {"key": f"schedules/{key}.json"}}}
        return self._message({"TopicArn": "schedule-events", "Message": _text({"Records": [record]})})

    def _catalogue_message(self, item: Mapping[str, Any]) -> Message:
        said = {"action": "UPDATE", "type": item["type"], "pid": item["pid"]}
        return self._message({"TopicArn": "catalogue-events", "Message": _text(said)})

    def _message(self, body: Mapping[str, Any]) -> Message:
        return Message("", _text(body), self._clock.now(), "", 1)


def _text(fields: Mapping[str, Any]) -> str:
    return orjson.dumps(fields).decode()


def _resident(pid: int) -> int:
    """The resident memory of a process in bytes; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0][1]) * 1024 if lines else 0


def _resident_of_group(group: int) -> int:
    """The resident memory of a process and its children, which share its group."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return sum(_resident(pid) for pid in pids if _group_of(pid) == group)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
