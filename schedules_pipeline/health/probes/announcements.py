"""Whether changes of the sources reach the queues, as far as AWS lets it be read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.health.probes.ports import Arrangement
from schedules_pipeline.health.probes.probe import Finding, Verdict
from schedules_pipeline.health.probes.queues import judge_announcements, judge_subscriptions, topics_of
from schedules_pipeline.publishing.ports.upstream import QueueAttributes


def check_subscriptions(arrangement: Arrangement, name: str, queue: QueueAttributes) -> Iterator[Finding]:
    """Whether a queue subscribes to the topics that may send to it."""
    topics = {topic: arrangement.subscriptions(topic) for topic in topics_of(queue)}
    yield from judge_subscriptions(name, queue, topics)


def check_announcements(
    arrangement: Arrangement, bucket: str, queue: QueueAttributes | None
) -> Iterator[Finding]:
    """Whether the bucket announces its changes to a queue, or to a topic that may send to it."""
    targets = [] if queue is None else [queue.arn, *topics_of(queue)]
    yield from judge_announcements(bucket, arrangement.announcements(), targets)


@dataclass(frozen=True, slots=True)
class AnnouncementReader:
    """``schedule_queue`` hears of the bucket, ``catalogue_queue`` of a topic."""

    arrangement: Arrangement
    schedule_queue: str
    catalogue_queue: str
    bucket: str
    _latest: dict[str, str] = field(default_factory=dict, init=False)

    def find_unheard(self) -> Mapping[str, str]:
        """By queue or bucket, what is missing. What may not be read is left out.

        If AWS does not answer, the latest answer stands, so that an outage clears no alarm.
        """
        try:
            findings = list(chain.from_iterable(map(self._permitted, (self._subscriptions, self._events))))
        except ServiceError:
            return dict(self._latest)
        self._latest.clear()
        self._latest.update({f.subject: f.text for f in findings if f.verdict is Verdict.FAILED})
        return dict(self._latest)

    def _permitted(self, read: Callable[[], Iterator[Finding]]) -> list[Finding]:
        try:
            return list(read())
        except NotPermitted:
            return []

    def _subscriptions(self) -> Iterator[Finding]:
        for name in (self.schedule_queue, self.catalogue_queue):
            if queue := self.arrangement.queue(name):
                yield from check_subscriptions(self.arrangement, name, queue)

    def _events(self) -> Iterator[Finding]:
        if queue := self.arrangement.queue(self.schedule_queue):
            yield from check_announcements(self.arrangement, self.bucket, queue)
