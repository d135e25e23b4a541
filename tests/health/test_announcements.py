"""What the watch reads of how the sources announce changes."""

from datetime import timedelta

import pytest

from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.health.probes.announcements import AnnouncementReader
from schedules_pipeline.health.probes.ports import Announcement, Subscription
from schedules_pipeline.publishing.ports.upstream import QueueAttributes


class Denied:
    """An arrangement that answers every question with this error."""

    def __init__(self, error: ServiceError) -> None:
        self.error = error

    def queue(self, name: str) -> QueueAttributes | None:
        raise self.error

    def subscriptions(self, topic_arn: str) -> list[Subscription]:
        raise self.error

    def announcements(self) -> list[Announcement]:
        raise self.error

    def confirm(self, topic_arn: str, token: str) -> None:
        raise self.error


@pytest.mark.parametrize("error", [NotPermitted("bucket x: AccessDenied"), ServiceError("timed out")])
def test_what_cannot_be_read_is_no_condition(error: ServiceError) -> None:
    """A role without the permission, and an AWS that does not answer, say nothing about subscriptions."""
    reader = AnnouncementReader(Denied(error), "schedule-events", "catalogue-events", "schedule-source")

    assert reader.find_unheard() == {}


class Failing(Denied):
    """A bucket that announces nothing, until AWS does not answer any more."""

    answers = True

    def queue(self, name: str) -> QueueAttributes | None:
        if not self.answers:
            raise self.error
        return QueueAttributes(f"arn:aws:sqs:eu-west-1:1:{name}", timedelta(minutes=1), timedelta(days=4))

    def announcements(self) -> list[Announcement]:
        return []


def test_an_outage_of_aws_clears_no_alarm() -> None:
    """What the latest answer lacked is still missing until AWS answers again."""
    arrangement = Failing(ServiceError("timed out"))
    reader = AnnouncementReader(arrangement, "schedule-events", "catalogue-events", "schedule-source")

    found = reader.find_unheard()
    arrangement.answers = False

    assert "schedule-source" in found
    assert reader.find_unheard() == found
