"""The collector of the Prometheus client: at every scrape it reads all parts concurrently, each once.

All values are read from the store, to which every process writes. Any process may be scraped, and restarts lose
nothing.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from schedules_pipeline.errors import PipelineError
from schedules_pipeline.health.metrics.parts import Part
from schedules_pipeline.health.metrics.series import METRICS, Metric, MetricKind, Sample
from schedules_pipeline.health.metrics.shared_call import SharedCall
from schedules_pipeline.publishing.ports.counters import DURATION_BOUNDS, Durations

PATIENCE_SECONDS = 8.0
"""Shorter than the default timeout of a scrape by Prometheus, which is 10 seconds."""

_CLASSES: Mapping[MetricKind, Callable[..., Any]] = {
    MetricKind.COUNTER: CounterMetricFamily,
    MetricKind.GAUGE: GaugeMetricFamily,
    MetricKind.HISTOGRAM: HistogramMetricFamily,
}
_BOUNDS = (*map(str, DURATION_BOUNDS), "+Inf")
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class PipelineCollector(Collector):
    """Returns every registered family at every scrape; families of a failed part have no samples of it."""

    def __init__(self, parts: Mapping[str, Part], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """``patience_seconds``: how long a scrape waits for all its parts together."""
        self._parts = {name: SharedCall(part, f"scrape-{name}") for name, part in parts.items()}
        self._patience_seconds = patience_seconds

    def describe(self) -> Iterable[Family]:
        """The families without samples, so that registering a collector reads nothing."""
        return _families(())

    def collect(self) -> Iterable[Family]:
        return _families(self._read())

    def _read(self) -> list[Sample]:
        deadline = time.monotonic() + self._patience_seconds
        pending = {name: part.start() for name, part in self._parts.items()}
        samples: list[Sample] = []
        for name, answer in pending.items():
            try:
                samples += answer.result(max(0.0, deadline - time.monotonic()))
                failed = False
            except Exception as error:  # noqa: BLE001 - a failing part must not affect the others
                _report(name, error)
                failed = True
            samples.append(Sample("schedules_scrape_errors", (name,), failed))
        return samples


def _report(part: str, error: Exception) -> None:
    """Log the failure, with a traceback if it is a defect."""
    is_expected = isinstance(error, PipelineError | TimeoutError)
    reason = str(error) or "no answer in time"
    _log.warning("scrape incomplete", part=part, error=reason, exc_info=None if is_expected else error)


def _families(samples: Sequence[Sample]) -> list[Family]:
    by_metric: dict[str, list[Sample]] = {name: [] for name in METRICS}
    for sample in samples:
        by_metric[sample.metric].append(sample)
    return [_family(METRICS[name], found) for name, found in by_metric.items()]


def _family(metric: Metric, samples: Sequence[Sample]) -> Any:
    family = _CLASSES[metric.kind](metric.name, metric.help, labels=metric.labels)
    for sample in samples:
        family.add_metric(sample.labels, *_values(sample.value))
    return family


def _values(value: float | Durations) -> tuple[object, ...]:
    """A number, or the buckets of a histogram and their sum."""
    if isinstance(value, Durations):
        return list(zip(_BOUNDS, map(float, accumulate(value.counts)), strict=True)), value.seconds
    return (value,)
