"""The passes over everything and the views of the whole, each as the pipeline runs it."""

from collections.abc import Callable, Mapping

from benchmarks.harness import WrongResult
from schedules_pipeline.cli.status import check
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.health.gather import gather_facts
from schedules_pipeline.health.metrics.collector import PipelineCollector
from schedules_pipeline.health.metrics.parts import parts_of
from schedules_pipeline.maintenance.reconcile import Share

_HOURLY_SHARE = Share(1, 24)
_PATIENCE_SECONDS = 120.0


def _compare(pipeline: Pipeline) -> None:
    pipeline.comparer.compare_all(lambda *_: None)


def _gather(pipeline: Pipeline) -> None:
    gather_facts(pipeline.store, pipeline.upstreams, pipeline.clock())


def _scrape(pipeline: Pipeline) -> None:
    """Raises :class:`WrongResult` if a part of the scrape fails."""
    families = PipelineCollector(parts_of(pipeline.health), _PATIENCE_SECONDS).collect()
    errors = [s.labels for family in families for s in family.samples if _is_error(s.name, s.value)]
    if errors:
        raise WrongResult(f"the scrape lacks {errors}")


def _is_error(name: str, value: float) -> bool:
    return name == "schedules_scrape_errors" and bool(value)


def _status(pipeline: Pipeline) -> None:
    check(pipeline, pipeline.clock())


def _reconcile(pipeline: Pipeline) -> None:
    report = pipeline.reconciler.reconcile(_HOURLY_SHARE)
    if report.counts["suspected"]:
        raise WrongResult(f"the reconcile found {report.counts}")


def _collect(pipeline: Pipeline) -> None:
    report = pipeline.collector.collect()
    if report.counts["index entries"] or report.counts["catalogue copies"]:
        raise WrongResult(f"the collection found {report.counts}")


PASSES: Mapping[str, Callable[[Pipeline], object]] = {
    "comparing with the old system, first": _compare,
    "comparing with the old system, again": _compare,
    "facts of health": _gather,
    "a scrape": _scrape,
    "status": _status,
    "reconcile of a 24th": _reconcile,
    "collection, nothing to collect": _collect,
    "expectations": lambda pipeline: pipeline.expectations.learn(),
    "parity report": lambda pipeline: pipeline.parity_reporter.report(),
}
"""In order: the comparison leaves what facts and scrapes read."""
