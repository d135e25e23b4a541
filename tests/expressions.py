"""What an expression in Prometheus' language names: metrics, labels, and values of labels."""

from collections.abc import Iterator
from dataclasses import dataclass

import promql_parser as promql

from schedules_pipeline.health.metrics.series import METRICS, MetricKind

_OF_PROMETHEUS = {"up": {"job", "instance"}}
_OF_A_HISTOGRAM = {"_bucket": {"le"}, "_sum": set[str](), "_count": set[str]()}


@dataclass(frozen=True, slots=True)
class Named:
    """``series``: every name that is selected, with the labels that it is selected by, each with its values.
    ``labels``: those by which is grouped and matched.
    """

    series: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    labels: frozenset[str]


def series_labels() -> dict[str, set[str]]:
    """Every name of a series that there can be, with its labels."""
    known = dict(_OF_PROMETHEUS)
    for metric in METRICS.values():
        endings = _OF_A_HISTOGRAM if metric.kind is MetricKind.HISTOGRAM else {"": set[str]()}
        known |= {f"{metric.name}{ending}": {*metric.labels, *more} for ending, more in endings.items()}
    return known


def read(expression: str) -> Named:
    """Raises ValueError where Prometheus would not accept it."""
    # Grafana puts a duration in for its own variable before it asks.
    tree = promql.parse(expression.replace("$__rate_interval", "1m"))
    nodes: list[promql.Expr] = []
    promql.walk(tree, nodes.append)
    series = tuple(_selected(node) for node in nodes if isinstance(node, promql.VectorSelector))
    return Named(series, frozenset(label for node in nodes for label in _grouped_by(node)))


def misnamed(expression: str) -> list[str]:
    """What of it the collector never shows: metrics, or labels that those metrics do not have."""
    known, named = series_labels(), read(expression)
    wrong = [name for name, _ in named.series if name not in known]
    wrong += [
        f"{name}: {label}"
        for name, selected in named.series
        for label, _ in selected
        if label not in known.get(name, {label})
    ]
    there = {label for name, _ in named.series for label in known.get(name, ())}
    return wrong + [label for label in named.labels if label not in there]


def _selected(selector: promql.VectorSelector) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    matchers = selector.matchers.matchers
    return selector.name or "", tuple((m.name, tuple(m.value.split("|"))) for m in matchers)


def _grouped_by(node: promql.Expr) -> Iterator[str]:
    match node:
        case promql.AggregateExpr(modifier=modifier) if modifier is not None:
            yield from modifier.labels
        case promql.BinaryExpr(modifier=modifier) if modifier is not None:
            yield from modifier.matching.labels if modifier.matching else ()
            yield from modifier.group_labels or ()
