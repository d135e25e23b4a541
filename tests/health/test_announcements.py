"""What the watch reads of how the sources announce changes."""

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
