"""Properties of the whole: after any history, each published schedule is a function of its current inputs."""

from random import Random

from from_scratch import coldstart, contents, find_missing_entries
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_world import Change, Focus, RandomUpstream, World

from schedules_pipeline.publishing.ports.schedules import Outcome

_WHOLE = Focus()


def _history(seed: int, length: int) -> list[Change]:
    """Each schedule once, then random valid changes."""
    upstream = RandomUpstream(Random(seed), _WHOLE, troubled=False)
    return [upstream.schedule(key) for key in _WHOLE.keys] + [upstream.change() for _ in range(length)]


@given(seed=st.integers(0, 10_000), length=st.integers(0, 25), data=st.data())
@settings(max_examples=60)
def test_any_delivery_of_a_history_ends_in_the_bytes_of_a_coldstart(
    seed: int, length: int, data: st.DataObject
) -> None:
    """Announcements in any order, some of them repeated, with processing at any points, end in the result of a
    coldstart.
    """
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
    """A rebuild without a change publishes nothing."""
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
def test_the_index_leads_from_every_pid_to_its_dependants(seed: int, length: int) -> None:
    """Each item that a document was built from has its entry in the index, missing items included."""
    world = World(seed)
    for change in _history(seed, length):
        change.write(world.upstreams)
        change.announce(world.upstreams)
        world.settle()

    assert find_missing_entries(world.store.as_store(), _WHOLE.keys, _WHOLE.pids) == []
