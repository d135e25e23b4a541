"""Switches partners from the old system's keyspace to ours, and back; says first what it will do.

What is switched is one record (``ports.served``) that the delivery side obeys. Going to ours is refused while
anything speaks against it, unless forced; going back is never refused, because it is what one does at night.
"""

from dataclasses import dataclass

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, ColdstartStore
from schedules_pipeline.migration.ports.parity import ParityReport, render_share
from schedules_pipeline.migration.ports.served import ServedSource, ServedSourceStore, ServedState
from schedules_pipeline.migration.report_parity import ParityReporter


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """What a switch would do, and what speaks against it.

    ``effects``: what changes for partners, a sentence each. ``objections``: why it is refused, unless
    ``forced``; always none on the way back. ``is_needless``: partners are served from there already.
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


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """``served`` is the new state, None where nothing was switched; then ``problem`` says why."""

    plan: SwitchPlan
    served: ServedState | None
    problem: str = ""


class Switcher:
    def __init__(
        self,
        book: ServedSourceStore,
        reporter: ParityReporter,
        coldstarts: ColdstartStore,
        clock: Clock,
    ) -> None:
        self._book = book
        self._reporter = reporter
        self._coldstarts = coldstarts
        self._clock = clock

    def plan(self, to: ServedSource, *, force: bool = False) -> SwitchPlan:
        """What it would do now; changes nothing."""
        return plan_switch(
            self._book.current(), to, self._reporter.look(), self._coldstarts.latest(), force=force
        )

    def switch(self, plan: SwitchPlan, by: str, reason: str) -> SwitchResult:
        """Carry out a plan that somebody has seen. What speaks against it is looked up again first, and it is
        entered only if partners are still served as they were when it was made.
        """
        fresh = self.plan(plan.to, force=plan.forced)
        if fresh.current != plan.current:
            return SwitchResult(fresh, None, _crossed(fresh.current))
        if fresh.is_needless:
            return SwitchResult(fresh, None, f"partners are served from {fresh.to} already")
        if fresh.is_rejected:
            return SwitchResult(fresh, None, "refused: " + "; ".join(fresh.objections))
        served = ServedState(
            number=fresh.current.number + 1,
            source=fresh.to,
            since=self._clock(),
            by=by,
            reason=reason,
            parity_share=fresh.parity_share,
            forced=bool(fresh.objections),
        )
        if not self._book.change(served):
            return SwitchResult(fresh, None, _crossed(self._book.current()))
        return SwitchResult(fresh, served)


def plan_switch(
    current: ServedState, to: ServedSource, report: ParityReport, coldstart: Coldstart | None, *, force: bool
) -> SwitchPlan:
    """What switching means now, and what speaks against it. Pure."""
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
    """What partners will see change, as far as the comparison knows."""
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


def _crossed(current: ServedState) -> str:
    """Two operators met; the other one was first."""
    by = f" by {current.by}" if current.by else ""
    return f"somebody else has switched meanwhile{by}: partners are served from {current.source}; look again"
