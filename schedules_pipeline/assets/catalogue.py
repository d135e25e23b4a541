"""Our copies of the catalogue items that schedules refer to. Materialising them compares all with the source."""

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
            f"Our copies of the {kind.value} items that some schedule refers to, projected to the fields that "
            "outputs use. Kept up to date by catalogue_events; materialise to compare every copy with its source."
        ),
        group_name="catalogue",
        kinds={"redis"},
        owners=names.OWNERS,
    )


@dg.multi_asset(specs=[_spec(kind, key) for kind, key in ASSET_OF_KIND.items()])
def catalogue_copies(
    context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
) -> Iterator[dg.MaterializeResult[None]]:
    """Follow every item of which we hold a copy; what differs is stored, and its dependants are marked."""
    cause = Cause(context.run_id, Origin.OPERATOR, "catalogue copies", pipeline.clock())
    held, marked = 0, 0
    changed: Counter[Kind] = Counter()
    for pids in pipeline.store.copies.stored_pids():
        followed = pipeline.follower.follow(dict.fromkeys(pids, cause))
        held += len(pids)
        marked += followed.schedules_marked
        changed.update(followed.changed.values())
        context.log.info(f"{held} copies compared, {changed.total()} of them differed")
    for kind, key in ASSET_OF_KIND.items():
        yield dg.MaterializeResult(
            asset_key=key,
            metadata={"copies_changed": changed[kind], "copies_compared": held, "schedules_marked": marked},
        )
