"""An export restored into an empty keyspace and into a living one, over fakes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from push_stage import DiesAt, Killed
from state.restoring import (
    GONE,
    HELD,
    LET_THROUGH,
    ORDINARY,
    REJECTED,
    REMOVED,
    SHRUNK,
    SUBSCRIPTION,
    contents,
    day,
    emptied,
    export,
    world_with_state,
)

from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.state.plan import Part, Status
from schedules_pipeline.state.restore import ImportRejected


def test_an_empty_keyspace_gets_everything_back() -> None:
    """After the import and a coldstart, partners see what they saw, and all state is there again."""
    world, _ = world_with_state()
    before, state = contents(world.store), export(world.pipeline)
    restored = emptied(world)

    restored.restore(state)
    restored.coldstart()

    assert restored.contents() == before
    after = restored.export()
    assert after.partners == state.partners
    assert after.switches == state.switches
    assert after.subscriptions == state.subscriptions
    assert after.expectations == state.expectations
    assert after.losses == state.losses
    assert after.usage == state.usage
    assert after.parity_trend == state.parity_trend
    holds = [{key: each.hold.id for key, each in s.schedules.items() if each.hold} for s in (state, after)]
    assert holds[0] == holds[1]


def test_without_the_import_a_coldstart_publishes_the_losses() -> None:
    """The reason for exporting last good sources: nothing else knows what the sources have lost."""
    world, _ = world_with_state()
    restored = emptied(world)

    restored.coldstart()

    assert restored.contents().keys() == {ORDINARY, SHRUNK, HELD[-1]}
    assert b"Quiet Viaduct" not in restored.contents()[ORDINARY]


def test_a_hold_is_decided_after_the_import_as_before_the_loss() -> None:
    """Confirming it publishes the loss, and a fuller document ends another."""
    world, _ = world_with_state()
    restored = emptied(world)
    restored.restore(export(world.pipeline))
    restored.coldstart()
    pipeline = restored.pipeline

    pipeline.holds.confirm(pipeline.holds.find(str(SHRUNK)), world.cause())

    assert restored.contents()[SHRUNK].count(b"broadcast_pid") == 1
    assert REMOVED in restored.contents()
    assert SHRUNK not in restored.store.losses.holds()


def test_a_loss_that_was_let_through_can_still_be_rejected() -> None:
    """Rejecting the hold of the same event restores the source that the loss replaced."""
    world, _ = world_with_state()
    restored = emptied(world)
    restored.restore(export(world.pipeline))
    restored.coldstart()
    pipeline = restored.pipeline
    (hold,) = [hold for hold in pipeline.holds.list() if LET_THROUGH in hold.let_through]

    pipeline.holds.reject(hold, world.cause())

    assert LET_THROUGH in restored.contents()


def test_an_import_after_the_coldstart_takes_the_losses_back() -> None:
    """An automatic coldstart may come first. The schedules then differ, and the operator lets the export win."""
    world, _ = world_with_state()
    before, state = contents(world.store), export(world.pipeline)
    restored = emptied(world)
    restored.coldstart()

    plan = restored.restore(state, replaces=True)
    restored.pipeline.publisher.publish_all()

    assert {key for key, status in plan[Part.SCHEDULES].items() if status is Status.DIFFERS} >= {str(SHRUNK)}
    assert restored.contents() == before
    assert set(restored.store.losses.holds()) == set(HELD)


def test_a_repeated_import_changes_nothing() -> None:
    """Also after the coldstart, when holds have been judged again."""
    world, _ = world_with_state()
    state, restored = export(world.pipeline), emptied(world)
    restored.restore(state)
    restored.coldstart()
    before = restored.export()

    plan = restored.restore(state)

    assert {status for items in plan.values() for status in items.values()} == {Status.SAME}
    assert restored.export() == replace(before, exported_at=restored.clock())


def test_an_import_that_dies_at_any_step_is_repeated() -> None:
    """Whatever was written before, the second import completes it."""
    world, _ = world_with_state()
    before, state = contents(world.store), export(world.pipeline)
    steps = 0
    while True:
        conditions = DiesAt()
        restored = emptied(world, conditions)
        conditions.left = steps
        try:
            restored.restore(state)
            break
        except Killed:
            restored.restore(state)
            restored.coldstart()
            assert restored.contents() == before, f"died at step {steps}"
            assert set(restored.store.losses.holds()) == set(HELD)
            assert restored.store.served.switches() == world.store.served.switches()
            assert restored.store.partners.usage(world.clock().date())
            assert restored.export().parity_trend == state.parity_trend
        steps += 1
    assert steps > 40


def test_newer_decisions_are_kept_or_replaced_as_the_operator_says() -> None:
    """A key that was revoked after the export stays revoked, unless the export is to win."""
    world, issued = world_with_state()
    state = export(world.pipeline)
    partner = state.partners[0]
    world.store.partners.change(partner, partner.without_key(issued.key.id))
    living = emptied(world)
    living.store, living.pipeline = world.store, world.pipeline

    plan = living.restore(state)
    kept = world.store.partners.one("acme")
    living.restore(state, replaces=True)

    assert plan[Part.PARTNERS] == {"acme": Status.DIFFERS}
    assert kept is not None
    assert kept.keys == ()
    assert world.store.partners.one("acme") == partner


def test_a_replaced_subscription_keeps_its_progress() -> None:
    """The export decides its secret and target, and the keyspace how far it is delivered."""
    world, _ = world_with_state()
    state = export(world.pipeline)
    living = emptied(world)
    living.store, living.pipeline = world.store, world.pipeline
    lease = world.store.subscriptions.seize(SUBSCRIPTION, world.clock(), timedelta(0))
    assert lease is not None
    standing = lease.standing
    moved, paused = standing.progress.moved_to("9-9"), replace(standing.subscription, is_paused=True)
    world.store.subscriptions.save(lease, moved, world.clock(), paused)

    living.restore(state, replaces=True)

    after = world.store.subscriptions.one(SUBSCRIPTION)
    assert after is not None
    assert after.subscription == standing.subscription
    assert after.progress == moved


def test_an_import_waits_for_a_coldstart() -> None:
    """A coldstart that is open has begun without what the import restores."""
    world, _ = world_with_state()
    state, restored = export(world.pipeline), emptied(world)
    restored.pipeline.coldstarter.request("open", "by hand")

    with pytest.raises(ImportRejected, match="a coldstart is requested"):
        restored.restore(state)

    assert restored.store.partners.all() == []


def test_the_last_good_source_of_a_rejected_document_is_exported() -> None:
    """The document in the bucket cannot be read, and partners keep the version before it."""
    world, _ = world_with_state()

    state = export(world.pipeline)

    assert state.schedules[REJECTED].accepted is not None
    assert GONE in state.copies
    assert ORDINARY not in state.schedules


def test_usage_is_never_counted_twice() -> None:
    """Requests that were counted after the loss are contained in the greater count."""
    world, _ = world_with_state()
    state, restored = export(world.pipeline), emptied(world)
    today = world.clock().date()
    ((line, count),) = state.usage[today]
    restored.store.partners.add_usage(today, {line: 2})

    restored.restore(state)
    restored.restore(state)

    assert restored.store.partners.usage(today) == {line: count}


def test_partners_of_the_keyspace_alone_stay() -> None:
    """An import removes nothing."""
    world, _ = world_with_state()
    state, restored = export(world.pipeline), emptied(world)
    restored.store.partners.create(Partner("birch", world.clock()))

    restored.restore(state, replaces=True)

    assert [partner.name for partner in restored.store.partners.all()] == ["acme", "birch"]


def test_a_fuller_document_ends_a_restored_hold() -> None:
    """It is published as usual."""
    world, _ = world_with_state()
    restored = emptied(world)
    restored.restore(export(world.pipeline))
    restored.coldstart()
    day(SHRUNK, 4).write(world.upstreams)

    restored.pipeline.publisher.rebuild_from_sources([SHRUNK], world.cause())

    assert SHRUNK not in restored.store.losses.holds()
