"""Sends spans by OTLP over HTTP. The only module that imports OpenTelemetry, and imported only if traces are on.

The standard variables configure it: ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``OTEL_SERVICE_NAME``, ``OTEL_TRACES_SAMPLER`` and
others. A thread of the SDK sends batches; while the collector does not answer, it drops them.
"""

from multiprocessing.util import Finalize
from threading import Thread, local

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from schedules_pipeline.tracing import Span, SpanId

_LAST_BATCH_SECONDS = 2.0
"""A process that ends waits no longer for the collector."""

_KINDS = {"notification": SpanKind.CONSUMER, "fetch": SpanKind.SERVER, "webhook": SpanKind.CLIENT}


class _ChosenIds(RandomIdGenerator):
    """The ids that the caller has chosen for the span that it begins."""

    def __init__(self) -> None:
        self._chosen = local()

    def choose(self, span: SpanId) -> None:
        self._chosen.id = span

    def generate_trace_id(self) -> int:
        return int(self._chosen.id.trace)

    def generate_span_id(self) -> int:
        return int(self._chosen.id.span)


class OpenTelemetrySpans:
    """Implements :class:`SpanSender`."""

    def __init__(self, process: str, processor: SpanProcessor) -> None:
        self._ids = _ChosenIds()
        self._provider = TracerProvider(
            resource=_resource(process), shutdown_on_exit=False, id_generator=self._ids
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("schedules_pipeline")

    @classmethod
    def from_environment(cls, process: str) -> "OpenTelemetrySpans":
        spans = cls(process, BatchSpanProcessor(OTLPSpanExporter()))
        # Also called in forked processes, in which atexit is not.
        Finalize(None, spans.end, exitpriority=0)
        return spans

    def end(self) -> None:
        """Send what is left, for at most two seconds."""
        ending = Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(_LAST_BATCH_SECONDS)

    def samples(self, trace: int) -> bool:
        """By the sampler of the environment. A ratio compares the trace id, so all processes agree."""
        result = self._provider.sampler.should_sample(None, trace, "notification")
        return result.decision is Decision.RECORD_AND_SAMPLE

    def send(self, span: Span) -> None:
        self._ids.choose(span.id)
        begun = self._tracer.start_span(
            span.name,
            context=trace.set_span_in_context(NonRecordingSpan(_context(span.parent)))
            if span.parent
            else None,
            kind=_KINDS.get(span.name, SpanKind.INTERNAL),
            attributes=span.attributes,
            links=[Link(_context(each)) for each in span.links],
            start_time=span.began,
        )
        if span.error:
            begun.set_status(Status(StatusCode.ERROR, span.error))
        begun.end(span.ended)


def _context(span: SpanId) -> SpanContext:
    return SpanContext(span.trace, span.span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _resource(process: str) -> Resource:
    """The name of the service is that of the environment, by default one for each kind of process."""
    name = OTELResourceDetector().detect().attributes.get(SERVICE_NAME, f"schedules-{process}")
    return Resource.create({SERVICE_NAME: name, "schedules.process": process})
