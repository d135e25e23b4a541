"""The checks of published schedules, over fakes; ``tests/domain/test_findings.py`` covers the findings."""

from dataclasses import replace
from random import Random

import pytest
from toy_world import KEYS, Focus, RandomUpstream, World

from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.losses import Hold, HoldReason, LossKind
from schedules_pipeline.publishing.ports.references import EntriesBySchedule

_OF_ONE = set(CheckName) - {CheckName.MATCHES_LEGACY}


@pytest.fixture
def published() -> World:
    """A world with published schedules."""
    world = World()
    changes = RandomUpstream(Random(7), Focus(), troubled=False)
    for key in KEYS:
        changes.schedule(key).write(world.upstreams)
    world.pipeline.publisher.rebuild_from_sources(KEYS, world.cause())
    return world


def test_every_schedule_has_every_check(published: World) -> None:
    """All checks run except the comparison with the old system, and the index has every entry."""
    results = published.pipeline.checker.check(KEYS)

    assert {key: {r.name for r in found} for key, found in results.items()} == dict.fromkeys(KEYS, _OF_ONE)
    assert all(r.passed for found in results.values() for r in found if r.name is CheckName.INDEX_COMPLETE)


@pytest.mark.parametrize("name", sorted(_OF_ONE))
def test_one_check_is_evaluated_as_with_all_others(published: World, name: CheckName) -> None:
    """A check that is wanted alone has the same result, and no other check has one."""
    everything = published.pipeline.checker.check(KEYS)

    alone = published.pipeline.checker.check(KEYS, only={name})

    assert alone == {key: [r for r in found if r.name is name] for key, found in everything.items()}


@pytest.mark.parametrize("accepted", [b"?", b"2026-03-28T12:00:00+00:00\n-\np0broad0\n?"])
def test_an_undecodable_source_fails_alone(published: World, accepted: bytes) -> None:
    """Its check fails as an error, and the other schedules are checked as usual."""
    damaged, *others = KEYS
    kept = published.store.schedules.kept[damaged]
    kept.state = replace(kept.state, accepted=accepted)

    results = published.pipeline.checker.check(KEYS)

    assert [(r.name, r.passed, r.is_error) for r in results[damaged]] == [(CheckName.IS_BUILT, False, True)]
    assert all({r.name for r in results[key]} == _OF_ONE for key in others)


def test_a_held_document_fails_its_check(published: World) -> None:
    """With the hold and what partners would lose."""
    key = KEYS[0]
    hold = Hold(
        "loss-1",
        HoldReason.BUDGET,
        LossKind.SHRUNK,
        "abc",
        "put 1",
        5_400,
        0,
        published.clock(),
        published.clock(),
    )
    published.store.losses.hold({key: hold})

    (check,) = [
        r for r in published.pipeline.checker.check([key])[key] if r.name is CheckName.SOURCE_ACCEPTED
    ]

    assert (check.passed, check.is_error) == (False, False)
    assert check.summary == "held (budget): partners would lose 1.5 hours; hold loss-1"


def test_a_missing_index_entry_is_an_error(published: World) -> None:
    """A pid that does not lead back to a schedule that nothing rebuilds fails the check."""
    key = _with_entries(published)
    published.store.references.scores.clear()

    (check,) = [r for r in published.pipeline.checker.check([key])[key] if r.name is CheckName.INDEX_COMPLETE]

    assert (check.passed, check.is_error) == (False, True)
    assert "entries are missing" in check.summary


def test_a_schedule_that_is_committed_during_the_check_has_no_result_of_its_index(
    published: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build unregisters the entries of the state that it replaces, which is no fault of the index."""
    key = _with_entries(published)
    references, kept = published.store.references, published.store.schedules.kept[key]
    missing = references.missing

    def commit_meanwhile(wanted: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        references.scores.clear()
        kept.state = replace(kept.state, committed_token=kept.state.committed_token + 1)
        return missing(wanted)

    monkeypatch.setattr(references, "missing", commit_meanwhile)

    results = published.pipeline.checker.check(KEYS)

    assert {r.name for r in results[key]} == _OF_ONE - {CheckName.INDEX_COMPLETE}
    assert all({r.name for r in results[other]} == _OF_ONE for other in KEYS if other != key)


def _with_entries(published: World) -> ScheduleKey:
    """A schedule to which a pid leads back."""
    return min(reference.key for found in published.store.references.scores.values() for reference in found)
