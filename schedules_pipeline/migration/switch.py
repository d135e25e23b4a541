"""Switches partners from the old system's schedules to the pipeline's, and back; a plan shows the effects first.

The switch is one record (:class:`ServedState`) that the delivery side obeys. A switch to the pipeline is rejected while
there are objections, unless it is forced. A switch back is never rejected, because it is the emergency exit.
"""

from dataclasses import dataclass

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.maintenance.ports import Coldstart
from schedules_pipeline.migration.ports import (
    MigrationStore,
    ParityReport,
    ServedSource,
    ServedState,
    render_share,
)
from schedules_pipeline.migration.report_parity import ParityReporter


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """The effects of a switch for partners, one sentence each, and the objections to it.

    Objections reject the switch unless it is ``forced``; a switch back has none. ``is_needless``: partners are
    served from there already.
    """

    current: ServedState
    to: ServedSource
    parity_share: float | None
    effects: tuple[str, ...]
    objections: tuple[str, ...]
    forced: bool
    is_needless: bool

    @property
    def is_rejected(self) -> bool:
        return bool(self.objections) and not self.forced


class SwitchRejected(PipelineError):
    """Nothing was switched; the message says why."""


@dataclass(frozen=True, slots=True)
class Switcher:
    store: MigrationStore
    reporter: ParityReporter
    clock: Clock

    def plan(self, to: ServedSource, *, force: bool = False) -> SwitchPlan:
        """What a switch would do now. Changes nothing."""
        report, coldstart = self.reporter.preview(), self.store.coldstarts.latest()
        return plan_switch(self.store.served.current(), to, report, coldstart, force=force)

    def switch(self, plan: SwitchPlan, by: str, reason: str) -> ServedState:
        """Carry out a plan that an operator has seen.

        Raises :class:`SwitchRejected` if another switch happened since the plan was made, or if the objections,
        which are computed again first, reject it.
        """
        fresh = self.plan(plan.to, force=plan.forced)
        if fresh.current != plan.current:
            raise SwitchRejected(_overtaken(fresh.current))
        if fresh.is_needless:
            raise SwitchRejected(f"partners are served from {fresh.to} already")
        if fresh.is_rejected:
            raise SwitchRejected("rejected: " + "; ".join(fresh.objections))
        served = ServedState(
            number=fresh.current.number + 1,
            source=fresh.to,
            since=self.clock(),
            by=by,
            reason=reason,
            parity_share=fresh.parity_share,
            forced=bool(fresh.objections),
        )
        if not self.store.served.change(served):
            raise SwitchRejected(_overtaken(self.store.served.current()))
        return served


def plan_switch(
    current: ServedState, to: ServedSource, report: ParityReport, coldstart: Coldstart | None, *, force: bool
) -> SwitchPlan:
    is_needless = current.source is to
    objections = [] if to is ServedSource.LEGACY else _objections(report, coldstart)
    return SwitchPlan(
        current=current,
        to=to,
        parity_share=report.overall.share,
        effects=() if is_needless else tuple(_effects(to, report)),
        objections=tuple(objections),
        forced=force,
        is_needless=is_needless,
    )


def _objections(report: ParityReport, coldstart: Coldstart | None) -> list[str]:
    found = list(report.objections)
    if coldstart is not None and not coldstart.stage.is_final:
        done = (
            f"{coldstart.done:,} of {coldstart.total:,} schedules" if coldstart.total else "no schedule yet"
        )
        found.append(f"a coldstart is {coldstart.stage}: it has rebuilt {done}")
    return found


def _effects(to: ServedSource, report: ParityReport) -> list[str]:
    counts = report.overall
    differing = counts.comparable - counts.matching
    unknown = counts.schedules - counts.comparable
    gone, new = report.only_theirs, report.only_ours
    if to is ServedSource.LEGACY:
        gone, new = new, gone
    stays = "no schedule could be compared"
    if counts.share is not None:
        stays = f"{counts.matching:,} of {counts.comparable:,} comparable schedules stay as they are"
        stays += f" ({render_share(counts.share)})"
    return [
        f"partners are served from {to} as soon as the delivery side reads the record",
        stays,
        f"{differing:,} schedules change; {unknown:,} could not be compared and may change",
        f"{len(gone):,} schedules that partners see now will be gone; {len(new):,} appear",
    ]


def _overtaken(current: ServedState) -> str:
    """Another operator switched first."""
    by = f" by {current.by}" if current.by else ""
    return (
        f"another operator has switched since{by}: partners are served from {current.source}; make a new plan"
    )
