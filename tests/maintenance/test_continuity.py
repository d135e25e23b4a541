"""What a witness notices: a store that stepped back, and one that moved."""

from dataclasses import replace

import pytest
from fakes import FakeClock, FakeStore, fake_store

from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.maintenance.continuity import (
    NOTHING_SEEN,
    ContinuityObserver,
    Discontinuity,
    Epoch,
    Finding,
    KeyspaceState,
    Witness,
    compare,
    name_histories,
)
from schedules_pipeline.maintenance.servers import Lineage

_RUN = Lineage("a", "1", 500)
_EPOCH = Epoch("new", ("old",))
_WITNESS = Witness("new", (_RUN,), "7-0")
_SAME = KeyspaceState(_EPOCH, name_histories([_RUN]), (_RUN,), last="9-0")
_PROMOTED = Lineage("b", "2", 600, "1", 500)


def _moved_to(*servers: Lineage, is_covered: bool = False) -> KeyspaceState:
    return replace(_SAME, servers=servers, is_covered=is_covered)


@pytest.mark.parametrize(
    ("witness", "found", "seen"),
    [
        (_WITNESS, _SAME, NOTHING_SEEN),
        (Witness(), _SAME, NOTHING_SEEN),
        (Witness("old", (), "7-0"), replace(_SAME, lost={"7-0"}), FeedCursor("old", "8-0")),
        (_WITNESS, replace(_SAME, servers=(replace(_RUN, offset=501),)), NOTHING_SEEN),
        # The last replica has gone for an hour, so the same process begins another history.
        (_WITNESS, _moved_to(Lineage("a", "3", 0)), NOTHING_SEEN),
        (_WITNESS, _moved_to(_PROMOTED, is_covered=True), NOTHING_SEEN),
        (Witness(), replace(_SAME, histories=""), NOTHING_SEEN),
    ],
    ids=["same", "new", "renewed", "further", "no replica", "covered", "older release"],
)
def test_a_continuous_store_needs_nothing(witness: Witness, found: KeyspaceState, seen: FeedCursor) -> None:
    """Nothing is lost if history and rows go on, or if replicas had confirmed every write."""
    assert compare(witness, _EPOCH, found, seen) == Finding()


@pytest.mark.parametrize(
    ("witness", "found", "seen", "words"),
    [
        (_WITNESS, replace(_SAME, lost={"7-0"}), NOTHING_SEEN, "lost its row 7-0"),
        (_WITNESS, replace(_SAME, lost={"8-0"}), FeedCursor("new", "8-0"), "lost its row 8-0"),
        (Witness("another"), _SAME, NOTHING_SEEN, "does not continue epoch another"),
        (_WITNESS, replace(_SAME, servers=(replace(_RUN, offset=499),)), NOTHING_SEEN, "from offset 500"),
    ],
    ids=["remembered row", "row seen since", "replaced keyspace", "offset"],
)
def test_a_step_back_is_noticed(witness: Witness, found: KeyspaceState, seen: FeedCursor, words: str) -> None:
    """Something that the witness has seen is no longer there."""
    finding = compare(witness, _EPOCH, found, seen)

    assert finding.went_back
    assert words in finding.reason


@pytest.mark.parametrize(
    ("witness", "found"),
    [
        (_WITNESS, _moved_to(_PROMOTED)),
        (_WITNESS, _moved_to(replace(_PROMOTED, previous_offset=499), is_covered=True)),
        (_WITNESS, _moved_to(Lineage("b", "2", 0), is_covered=True)),
        (_WITNESS, _moved_to(Lineage("a", "3", 600, "2", 550))),
        (Witness(), _moved_to(_PROMOTED)),
        (_WITNESS, _moved_to(_RUN, Lineage("c", "9", 0))),
    ],
    ids=["promoted", "behind", "restarted", "was a replica", "new witness", "another server of a cluster"],
)
def test_a_move_is_noticed(witness: Witness, found: KeyspaceState) -> None:
    """Another history may lack writes that left no row in the feed."""
    finding = compare(witness, _EPOCH, found)

    assert finding.reason
    assert not finding.went_back


class World:
    """One fake store with an epoch and a row, and witnesses of it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.store.coldstarts.begin_epoch("first")
        self.store.feed.rows = [b"row"] * 3

    def witness(self) -> ContinuityObserver:
        """A process that has seen the store as it is."""
        observer = ContinuityObserver(self.store.continuity, "a test", self.clock, every_seconds=0)
        observer.observe()
        return observer

    def lose_rows(self) -> None:
        self.store.server.fail_over()
        del self.store.feed.rows[2:]


def test_one_of_several_witnesses_begins_the_epoch() -> None:
    """The first one that notices begins it, and the others accept it; one repair is asked for."""
    world = World()
    witnesses = [world.witness() for _ in range(3)]
    world.lose_rows()

    epochs = [witness.observe() for witness in witnesses for _ in range(2)]

    repair = world.store.continuity.pending
    assert repair is not None
    assert repair.went_back
    assert {epoch.id if epoch else "" for epoch in epochs} == {repair.id}
    assert world.store.coldstarts.current_epoch == Epoch(repair.id, ("first",))


def test_a_witness_that_is_late_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If another witness records between its read and its record, it accepts what that one recorded."""
    world = World()
    late, early = world.witness(), world.witness()
    world.lose_rows()
    record, racing = world.store.continuity.record, [early]

    def race(found: KeyspaceState, change: Discontinuity) -> bool:
        while racing:
            racing.pop().observe()
        return record(found, change)

    monkeypatch.setattr(world.store.continuity, "record", race)

    epoch = late.observe()

    repair = world.store.continuity.pending
    assert repair is not None
    assert epoch is not None
    assert epoch.id == repair.id == early.witness.epoch


def test_a_move_keeps_the_epoch() -> None:
    """Cursors stay valid if only marks can be lost; a repair is asked for once, also by a new witness."""
    world = World()
    witness = world.witness()
    world.store.server.fail_over()

    epochs = [w.observe() for w in (witness, world.witness(), witness)]

    repair = world.store.continuity.pending
    assert [epoch.id if epoch else "" for epoch in epochs] == ["first"] * 3
    assert repair is not None
    assert not repair.went_back


def test_a_move_is_noticed_after_every_witness_has_died() -> None:
    """The keyspace itself records the history under which it was last compared."""
    world = World()
    world.witness()
    world.store.server.fail_over()

    world.witness()

    assert world.store.continuity.pending is not None


def test_an_empty_keyspace_is_left_to_a_coldstart() -> None:
    """A witness forgets what it has seen, and accepts the epoch that the coldstart begins."""
    world = World()
    witness = world.witness()
    world.store.coldstarts.current_epoch = None
    world.store.feed.rows = []

    assert witness.observe() is None
    world.store.coldstarts.begin_epoch("second")
    witness.observe()

    assert world.store.continuity.pending is None
    assert witness.witness.epoch == "second"


def test_between_polls_only_the_epoch_is_read() -> None:
    """The servers are asked at intervals, and the epoch every time."""
    world, now = World(), [0.0]
    observer = ContinuityObserver(
        world.store.continuity, "a test", world.clock, every_seconds=0.5, timer=lambda: now[0]
    )
    observer.observe()
    world.store.server.fail_over()

    now[0] = 0.4
    observer.observe()
    early = world.store.continuity.pending
    now[0] = 0.5
    observer.observe()

    assert early is None
    assert world.store.continuity.pending is not None
