"""The command line over a pipeline of fakes."""

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import click
import orjson
from click.testing import CliRunner, Result
from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from toy_world import BRANDS, BROADCASTS, EPISODES, KEYS, Change, SchedulePut, Slot

from schedules_pipeline.cli.main import main
from schedules_pipeline.cli.session import Session
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.settings import Settings


class FakeSession(Session):
    """A session over a given pipeline. ``sleep`` advances the clock and calls ``when_asleep``."""

    def __init__(self, pipeline: Pipeline, settings: Settings, clock: FakeClock) -> None:
        self.__dict__.update(pipeline=pipeline, settings=settings)
        self._clock = clock
        self.when_asleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self._clock.advance(timedelta(seconds=seconds))
        self.when_asleep()


class Stage:
    """A pipeline of fakes, its upstreams, and the command line."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)
        self.session = FakeSession(self.pipeline, Settings(), self.clock)

    def run(self, *words: object, answer: str = "") -> Result:
        """Run the command line with these words; ``answer`` is the operator's input."""
        return CliRunner().invoke(main, [str(word) for word in words], input=answer, obj=self.session)

    def run_for_json(self, *words: object, answer: str = "", exit_code: int = 0) -> Any:
        """The command's JSON document."""
        result = self.run(*words, "--json", answer=answer)
        assert result.exit_code == exit_code, result.output
        return json.loads(result.stdout)

    def happen(self, *changes: Change) -> None:
        """Apply upstream changes, ingest their notifications a second later, and build a second after that."""
        for change in changes:
            change.write(self.upstreams)
            change.announce(self.upstreams)
        self.clock.advance(timedelta(seconds=1))
        self.ingest()
        self.clock.advance(timedelta(seconds=1))
        self.pipeline.publisher.publish_all()

    def put_unusable(self, key: ScheduleKey) -> None:
        """Put the document of :func:`schedule_put` with one unusable and one mended broadcast, and build."""
        schedule_put(key).write(self.upstreams)
        found = self.upstreams.schedule_source.fetch([key])[key]
        assert isinstance(found, SourceObject)
        document = orjson.loads(found.content)
        document["broadcasts"][0]["end"] = None
        document["broadcasts"][1]["is_signed"] = "yes"
        self.upstreams.schedule_source.put(key, orjson.dumps(document))
        self.pipeline.publisher.rebuild_from_sources([key], Cause("e", Origin.OPERATOR, "x", self.clock()))

    def ingest(self) -> None:
        """Handle all messages of both queues."""
        intakes = (
            (self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle),
            (self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle),
        )
        for queue, handle in intakes:
            while ingest(queue, handle, 0).received:
                pass


KEY, TOMORROW, RADIO = KEYS
EPISODE, BRAND = EPISODES[0], BRANDS[0]


def schedule_put(key: ScheduleKey, broadcasts: int = 4) -> SchedulePut:
    """A schedule document with a number of broadcasts of one episode."""
    return SchedulePut(key, tuple(Slot(pid, EPISODE) for pid in BROADCASTS[:broadcasts]))


def all_commands(group: click.Group = main, path: str = "") -> list[tuple[str, click.Command]]:
    """Every command and subcommand, by its words."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((f"{path}{name}", command))
        if isinstance(command, click.Group):
            found += all_commands(command, f"{path}{name} ")
    return found
