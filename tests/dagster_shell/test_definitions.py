"""The code location as Dagster sees it."""

import dagster as dg
import pytest

from schedules_pipeline.assets import names
from schedules_pipeline.assets.health import IS_HEALTHY
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.partitions import coldstart_shards, shard_number
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.settings import Settings


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs(Settings())


def test_the_definitions_load_and_validate(definitions: dg.Definitions) -> None:
    """Dagster validates all definitions together."""
    dg.Definitions.validate_loadable(definitions)


def test_lineage_leads_from_the_sources_to_the_partner_schedule(definitions: dg.Definitions) -> None:
    """Both upstream sources are external ancestors of ``partner_schedule``."""
    graph = definitions.resolve_asset_graph()

    ancestors = graph.get_ancestor_asset_keys(names.PARTNER_SCHEDULE)

    assert {names.SCHEDULE_DOCUMENTS, names.CATALOGUE_ITEMS, names.SOURCE_SCHEDULE} <= ancestors
    assert not graph.get(names.SCHEDULE_DOCUMENTS).is_materializable
    assert not graph.get(names.LEGACY_SCHEDULE).is_materializable
    assert graph.get(names.PARTNER_SCHEDULE).is_materializable


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    """Each asset has a description and kinds, and each materialisable asset an owner."""
    graph = definitions.resolve_asset_graph()

    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.kinds, key
        assert node.owners or not node.is_materializable, key


def test_every_check_is_defined_on_an_asset(definitions: dg.Definitions) -> None:
    """The checks that the recorder evaluates, and that of the watch, are those that Dagster knows."""
    graph = definitions.resolve_asset_graph()

    assert {key.name for key in graph.asset_check_keys} == {name.value for name in CheckName} | {IS_HEALTHY}


def test_shards_are_numbered_from_nought() -> None:
    """The partition keys of a coldstart count from 1, the stored shard numbers from 0."""
    shards = coldstart_shards(Settings(coldstart_shards=3)).get_partition_keys()

    assert {shard: shard_number(shard) for shard in shards} == {"1-of-3": 0, "2-of-3": 1, "3-of-3": 2}
