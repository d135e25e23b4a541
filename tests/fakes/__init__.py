"""Every port in memory: plain dicts that behave as the ports and the server-side scripts do.

Belongs here: the fakes, the clock that a test turns, and the conditions of their use. Does not belong here: when to
switch or kill a worker (``simulation``), or sample data.

Every method passes a *checkpoint* of its :class:`Conditions` before each effect, and once more before it answers.
One atomic step on Redis is one step here. A pipelined method takes a step for every command, in any order, as the
nodes of a cluster do. Each guard of a script is a small method, so that a mutant can remove it.
"""

from fakes.coldstart import FakeColdstartStore
from fakes.conditions import Conditions, F, Fake, FakeClock, P, T, answered, step
from fakes.copies import TOKEN_KEPT_FOR, FakeCatalogueSource, FakeCopyStore, FakeTokens
from fakes.feed import TAKEN_OVER_AFTER, FakeChangeFeed
from fakes.incidents import FakeIncidentStore
from fakes.losses import FakeLossStore
from fakes.partners import FakePartnerStore, FakeSubscriptionStore
from fakes.pipeline import TOY_LOSSES, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from fakes.references import EntriesBySchedule, FakeReferenceIndex
from fakes.reports import (
    MOST_PARITY_POINTS,
    FakeComparisonStore,
    FakeCounterStore,
    FakeFailingCheckStore,
    FakeParityTrendStore,
    FakePassStore,
    FakeQuarantinedBroadcastStore,
    FakeQueuePollStore,
    FakeRejectionStore,
    FakeServedSourceStore,
)
from fakes.schedules import FakeScheduleStore, FakeVersionStore
from fakes.upstream import (
    MOST_MESSAGES,
    MOST_RECEIVES,
    VISIBLE_AGAIN_AFTER,
    FakeLegacyKeyspace,
    FakeQueue,
    FakeScheduleSource,
)
from fakes.work import CAUSES_KEPT, FakeDeliveryHeartbeats, FakePublisherPresence, FakeWorkQueue

__all__ = [
    "CAUSES_KEPT",
    "MOST_MESSAGES",
    "MOST_PARITY_POINTS",
    "MOST_RECEIVES",
    "TAKEN_OVER_AFTER",
    "TOKEN_KEPT_FOR",
    "TOY_LOSSES",
    "VISIBLE_AGAIN_AFTER",
    "Conditions",
    "EntriesBySchedule",
    "F",
    "Fake",
    "FakeCatalogueSource",
    "FakeChangeFeed",
    "FakeClock",
    "FakeColdstartStore",
    "FakeComparisonStore",
    "FakeCopyStore",
    "FakeCounterStore",
    "FakeDeliveryHeartbeats",
    "FakeFailingCheckStore",
    "FakeIncidentStore",
    "FakeLegacyKeyspace",
    "FakeLossStore",
    "FakeParityTrendStore",
    "FakePartnerStore",
    "FakePassStore",
    "FakePublisherPresence",
    "FakeQuarantinedBroadcastStore",
    "FakeQueue",
    "FakeQueuePollStore",
    "FakeReferenceIndex",
    "FakeRejectionStore",
    "FakeScheduleSource",
    "FakeScheduleStore",
    "FakeServedSourceStore",
    "FakeStore",
    "FakeSubscriptionStore",
    "FakeTokens",
    "FakeUpstreams",
    "FakeVersionStore",
    "FakeWorkQueue",
    "P",
    "T",
    "answered",
    "fake_store",
    "fake_upstreams",
    "pipeline_over",
    "step",
]
