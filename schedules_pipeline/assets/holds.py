"""The losses of airtime that are held, with a preview of each for the operator who decides."""

from collections.abc import Mapping, Sequence

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.documents.markdown import escape_markdown, markdown_table
from schedules_pipeline.publishing.decide_holds import HeldLoss

_MOST_ROWS = 50


def held_losses_asset() -> dg.AssetsDefinition:
    @dg.asset(
        key=names.HELD_LOSSES,
        deps=[names.SOURCE_SCHEDULE],
        group_name="schedules",
        kinds={"redis"},
        owners=names.OWNERS,
        description=(
            "Documents and removals that are held because partners would lose much airtime. The publisher records it "
            "when it changes. Launch the job decide_hold with the id of a hold to confirm or reject it."
        ),
    )
    def held_losses(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata=holds_metadata(pipeline.holds.list()))

    return held_losses


def holds_metadata(losses: Sequence[HeldLoss]) -> Mapping[str, dg.MetadataValue]:
    """The numbers that Dagster plots over time, and the previews."""
    waiting = [loss for loss in losses if loss.verdict is None]
    return {
        "waiting": dg.MetadataValue.int(len(waiting)),
        "held_hours": dg.MetadataValue.float(round(sum(loss.seconds for loss in waiting) / 3600, 2)),
        "schedules": dg.MetadataValue.int(sum(len(loss.held) for loss in waiting)),
        "preview": dg.MetadataValue.md(_preview(waiting)),
        "rejected": dg.MetadataValue.int(len(losses) - len(waiting)),
    }


def _preview(waiting: Sequence[HeldLoss]) -> str:
    if not waiting:
        return "Nothing is held."
    return "\n\n".join(map(_describe, waiting[:_MOST_ROWS]))


def _describe(loss: HeldLoss) -> str:
    """What partners would lose, by schedule, and what rejecting restores."""
    services = ", ".join(f"{sid} {seconds / 3600:.1f} h" for sid, seconds in loss.seconds_by_service.items())
    rows = [
        (str(key), f"{hold.lost_seconds / 3600:.1f} h", f"{hold.covered_seconds / 3600:.1f} h", hold.kind)
        for key, hold in sorted(loss.held.items())
    ]
    lines = [
        f"**{escape_markdown(loss.id)}** ({loss.reason}), since {loss.held_at:%Y-%m-%d %H:%M} UTC",
        "",
        f"{loss.seconds / 3600:.1f} hours of airtime: {escape_markdown(services)}",
        "",
        markdown_table(("schedule", "would lose", "would keep", "kind"), rows, _MOST_ROWS),
    ]
    if loss.let_through:
        restored = ", ".join(sorted(map(str, loss.let_through)))
        lines += ["", f"Rejecting it also restores {escape_markdown(restored)}."]
    return "\n".join(lines)
