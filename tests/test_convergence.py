"""Laws of the whole: whatever history a schedule has been through, what is published is a function of its inputs."""

from random import Random

from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from from_scratch import coldstart, contents, find_missing_entries
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_world import Change, Focus, RandomUpstream

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.publishing.ports.schedules import Outcome

_WHOLE = Focus()


class World:
    """A pipeline over fakes, taken through a history one step at a time."""

    def __init__(self, seed: int) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(seed))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)

    def settle(self) -> None:
        """Take in and publish until nothing is pending."""
        for _ in range(1_000):
            taken = ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0)
            taken += ingest(self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle, 0)
            self.pipeline.publisher.publish_all()
            if not taken.received and self.store.work.backlog().is_empty:
                return
        raise AssertionError("it never settled")

    def cause(self) -> Cause:
        return Cause("test", Origin.OPERATOR, "test", self.clock())


def _history(seed: int, length: int) -> list[Change]:
    """Every schedule once, then random changes: all of them valid."""
    upstream = RandomUpstream(Random(seed), _WHOLE, troubled=False)
    return [upstream.schedule(key) for key in _WHOLE.keys] + [upstream.change() for _ in range(length)]


@given(seed=st.integers(0, 10_000), length=st.integers(0, 25), data=st.data())
@settings(max_examples=60)
def test_any_delivery_of_a_history_ends_in_the_bytes_of_a_coldstart(
    seed: int, length: int, data: st.DataObject
) -> None:
    """Announced in any order, some of it repeatedly and settled at any points, a history ends as a coldstart."""
    world = World(seed)
    announcements = []
    for change in _history(seed, length):
        change.write(world.upstreams)
        announcements.append(change)
        if data.draw(st.booleans(), label="deliver some now"):
            for late in data.draw(st.permutations(announcements), label="in this order")[:3]:
                late.announce(world.upstreams)
            world.settle()
    for change in data.draw(st.permutations(announcements), label="the rest, and again"):
        change.announce(world.upstreams)
    world.settle()

    assert contents(world.store.as_store(), _WHOLE.keys) == coldstart(world.upstreams, _WHOLE.keys)


@given(seed=st.integers(0, 10_000), length=st.integers(0, 15))
@settings(max_examples=40)
def test_publishing_twice_equals_publishing_once(seed: int, length: int) -> None:
    """A rebuild of what has not changed publishes nothing and tells nobody."""
    world = World(seed)
    for change in _history(seed, length):
        change.write(world.upstreams)
        change.announce(world.upstreams)
    world.settle()
    rows = len(world.store.feed.read_after("0", 10_000))
    before = contents(world.store.as_store(), _WHOLE.keys)

    batch = world.pipeline.publisher.rebuild_from_sources(_WHOLE.keys, world.cause())

    assert {built.outcome for built in batch.built} == {Outcome.UNCHANGED}
    assert contents(world.store.as_store(), _WHOLE.keys) == before
    assert len(world.store.feed.read_after("0", 10_000)) == rows


@given(seed=st.integers(0, 10_000), length=st.integers(0, 25))
@settings(max_examples=40)
def test_the_index_leads_from_every_pid_to_all_that_read_it(seed: int, length: int) -> None:
    """Whatever a document was built from, also what was missing then, has its entry in the index."""
    world = World(seed)
    for change in _history(seed, length):
        change.write(world.upstreams)
        change.announce(world.upstreams)
        world.settle()

    assert find_missing_entries(world.store.as_store(), _WHOLE.keys, _WHOLE.pids) == []
