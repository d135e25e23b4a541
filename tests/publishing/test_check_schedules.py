"""The checks of published schedules, over fakes; what each finds is shown in ``tests/domain/test_findings.py``."""

from dataclasses import replace
from random import Random

import pytest
from fakes import FakeClock, FakeStore, fake_store, fake_upstreams, pipeline_over
from toy_world import KEYS, Focus, RandomUpstream

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.publishing.check_schedules import CheckName

_OF_ONE = {
    CheckName.IS_BUILT,
    CheckName.SOURCE_ACCEPTED,
    CheckName.REFERENCES_RESOLVED,
    CheckName.NO_GAPS_OR_OVERLAPS,
    CheckName.INDEX_COMPLETE,
}


class Published:
    """A few schedules, published."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.store: FakeStore = fake_store(clock)
        upstreams = fake_upstreams(clock, Random(1))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), upstreams, clock)
        changes = RandomUpstream(Random(7), Focus(), troubled=False)
        for key in KEYS:
            changes.schedule(key).write(upstreams)
        self.pipeline.publisher.rebuild_from_sources(KEYS, Cause("e", Origin.OPERATOR, "test", clock()))


@pytest.fixture
def published() -> Published:
    return Published()


def test_every_schedule_has_every_check(published: Published) -> None:
    """All but the comparison with the old system, which is made elsewhere; the index has every entry."""
    results = published.pipeline.checker.check(KEYS)

    assert {key: {r.name for r in found} for key, found in results.items()} == dict.fromkeys(KEYS, _OF_ONE)
    assert all(r.passed for found in results.values() for r in found if r.name is CheckName.INDEX_COMPLETE)


@pytest.mark.parametrize("accepted", [b"?", b"2026-03-28T12:00:00+00:00\n-\np0broad0\n?"])
def test_one_that_does_not_read_back_fails_alone(published: Published, accepted: bytes) -> None:
    """Its check says so, as an error, and all others are checked as ever."""
    damaged, *others = KEYS
    kept = published.store.schedules.kept[damaged]
    kept.state = replace(kept.state, accepted=accepted)

    results = published.pipeline.checker.check(KEYS)

    assert [(r.name, r.passed, r.is_error) for r in results[damaged]] == [(CheckName.IS_BUILT, False, True)]
    assert all({r.name for r in results[key]} == _OF_ONE for key in others)
