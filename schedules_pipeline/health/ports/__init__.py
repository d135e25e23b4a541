"""The store that health needs: incidents, failing checks, polls of queues."""

from dataclasses import dataclass

from schedules_pipeline.health.ports.failing_checks import FailingCheckStore
from schedules_pipeline.health.ports.incidents import IncidentStore
from schedules_pipeline.health.ports.queue_polls import QueuePollStore
from schedules_pipeline.push.ports import PushStore


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStore(PushStore):
    failing_checks: FailingCheckStore
    incidents: IncidentStore
    queue_polls: QueuePollStore
