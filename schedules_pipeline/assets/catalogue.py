"""The pipeline's copies of the catalogue items that schedules refer to."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.catalogue import Kind
from schedules_pipeline.domain.causes import Cause, Origin

ASSET_OF_KIND = {
    Kind.EPISODE: names.CATALOGUE_EPISODES,
    Kind.SERIES: names.CATALOGUE_SERIES,
    Kind.BRAND: names.CATALOGUE_BRANDS,
}


def _spec(kind: Kind, key: dg.AssetKey) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=[names.CATALOGUE_ITEMS, names.CATALOGUE_EVENTS],
        description=(
            f"Copies of the {kind.value} items that schedules refer to, reduced to the fields that outputs use. "
            "The sensor catalogue_events keeps them up to date. Materialise to compare every copy with its source."
        ),
        group_name="catalogue",
        kinds={"redis"},
        owners=names.OWNERS,
        skippable=True,
    )


@dg.multi_asset(specs=[_spec(kind, key) for kind, key in ASSET_OF_KIND.items()])
def catalogue_copies(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> Iterator[dg.MaterializeResult[None]]:
    """Reread every copied item from its source; store changes, and mark the dependent schedules for rebuild.

    The op stores the materialisations itself. Dagster would record the data versions of the inputs with them, and show
    the copies as unsynced after the next message, although the pipeline keeps them up to date.
    """
    cause = Cause(context.run_id, Origin.OPERATOR, "catalogue copies", pipeline.clock())
    compared, marked = 0, 0
    changed: Counter[Kind] = Counter()
    for pids in pipeline.store.copies.stored_pids():
        followed = pipeline.follower.follow(dict.fromkeys(pids, cause))
        compared += len(pids)
        marked += followed.schedules_marked
        changed.update(followed.changed.values())
        context.log.info(f"{compared} copies compared, {changed.total()} differed")
    for kind, key in ASSET_OF_KIND.items():
        metadata = {
            "copies_changed": changed[kind],
            "copies_compared": compared,
            "schedules_marked": marked,
        }
        context.log_event(dg.AssetMaterialization(key, metadata=metadata))
    yield from ()
