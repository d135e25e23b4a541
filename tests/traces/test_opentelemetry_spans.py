"""The sender of spans with the SDK of OpenTelemetry: what a collector receives, and one that does not answer."""

import threading
from collections.abc import Iterator

import pytest
from collector import Collector, collecting
from loopback import HttpAnswer, loopback

from schedules_pipeline.tracing import Span, SpanId, root_of

pytest.importorskip("opentelemetry.sdk", reason="the extra `traces` is not installed")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `traces` is not installed")

from schedules_pipeline import opentelemetry_spans
from schedules_pipeline.opentelemetry_spans import OpenTelemetrySpans

_ROOT = root_of("m1")
_CHILD = SpanId(_ROOT.trace, 7)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """The environment names it as operators do."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


def _span(identity: SpanId = _ROOT, parent: SpanId | None = None, **more: object) -> Span:
    return Span("notification", identity, parent, 1_000, 2_000, {"schedules.seq": 3}, **more)  # type: ignore[arg-type]


def test_a_collector_receives_the_spans_as_they_were_made(collector: Collector) -> None:
    """With the chosen ids, the parent, the links, the times, the attributes and the error."""
    spans = OpenTelemetrySpans.from_environment("publisher")
    spans.send(_span())
    spans.send(_span(_CHILD, _ROOT, links=[SpanId(5, 6)], error="ServiceError"))
    spans.end()

    assert collector.paths == {"POST /v1/traces"}
    [(service, root), (_, child)] = collector.received[f"{_ROOT.trace:032x}"]
    assert service == "schedules-publisher"
    assert (int.from_bytes(root.span_id), root.parent_span_id) == (_ROOT.span, b"")
    assert (root.start_time_unix_nano, root.end_time_unix_nano) == (1_000, 2_000)
    assert [(each.key, each.value.int_value) for each in root.attributes] == [("schedules.seq", 3)]
    assert (int.from_bytes(child.span_id), int.from_bytes(child.parent_span_id)) == (7, _ROOT.span)
    assert [(int.from_bytes(link.trace_id), int.from_bytes(link.span_id)) for link in child.links] == [(5, 6)]
    assert child.status.message == "ServiceError"


def test_a_service_has_the_name_of_the_environment(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the standard variable says."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "guide")
    spans = OpenTelemetrySpans.from_environment("delivery")
    spans.send(_span())
    spans.end()

    assert collector.names(f"{_ROOT.trace:032x}") == {("guide", "notification")}


@pytest.mark.parametrize("sampler", ["traceidratio", "parentbased_traceidratio"])
def test_processes_agree_on_the_sampled_traces(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio is compared with the trace id, so no process needs to be told; and a sampled child is sent."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        one, other = (OpenTelemetrySpans.from_environment(name) for name in ("publisher", "delivery"))
        roots = [root_of(f"event {n}") for n in range(400)]
        sampled = [root for root in roots if one.samples(root.trace)]
        for root in sampled:
            other.send(_span(SpanId(root.trace, 7), root))
        for spans in (one, other):
            spans.end()

    assert sampled == [root for root in roots if other.samples(root.trace)]
    assert 60 < len(sampled) < 140
    assert set(collector.received) == {f"{root.trace:032x}" for root in sampled}


def test_a_collector_that_hangs_holds_up_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """More spans than the queue holds are dropped, and the process ends although no request was answered."""
    may_answer = threading.Event()
    monkeypatch.setattr(opentelemetry_spans, "_LAST_BATCH_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    with loopback() as server:

        def hang(*_: object) -> HttpAnswer:
            may_answer.wait()
            return HttpAnswer(503)

        server.answer = hang
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        spans = OpenTelemetrySpans.from_environment("publisher")
        for number in range(1, 101):
            spans.send(_span(SpanId(_ROOT.trace, number), _ROOT))
        spans.end()
        assert len(server.requests) == 1
        may_answer.set()


def test_a_collector_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending and ending do not raise."""
    monkeypatch.setattr(opentelemetry_spans, "_LAST_BATCH_SECONDS", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    spans = OpenTelemetrySpans.from_environment("publisher")

    spans.send(_span())
    spans.end()
