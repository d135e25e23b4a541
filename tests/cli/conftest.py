"""Stages for the tests of the command line."""

import pytest
from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage, schedule_put
from toy_world import ItemPut

from schedules_pipeline.health.ports import DagsterSnapshot


@pytest.fixture
def stage() -> Stage:
    """An empty keyspace."""
    return Stage()


@pytest.fixture
def published(stage: Stage) -> Stage:
    """Two schedules show an episode of a brand. Both have version 2, since the brand was retitled. The watch runs."""
    stage.happen(ItemPut(BRAND, "Harbour Lights"), ItemPut(EPISODE, "Low Tide", BRAND))
    stage.happen(schedule_put(KEY), schedule_put(TOMORROW))
    stage.happen(ItemPut(BRAND, "Salt and Slate"))
    stage.store.dagster.record(DagsterSnapshot(stage.clock()))
    return stage
