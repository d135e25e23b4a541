"""Traces of what a publisher does (docs/adr/0041). While traces are off, the work is called directly."""

from collections.abc import Callable, Sequence
from time import time_ns

from schedules_pipeline import tracing
from schedules_pipeline.documents.notification import traceparent_of
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.publishing.ports.work import Claim
from schedules_pipeline.publishing.publish import Publisher
from schedules_pipeline.publishing.rebuild import BatchResult, BuildResult
from schedules_pipeline.tracing import FAILED, BuiltSchedule, SpanId

_Handle = Callable[[Sequence[Message]], IngestResult]


def traced_handling(handle: _Handle) -> _Handle:
    """The same handling of messages, with a span for each notification, once its marks are stored."""
    if not tracing.is_on():
        return handle

    def handle_traced(messages: Sequence[Message]) -> IngestResult:
        received = time_ns()
        result = handle(messages)
        tracing.ingested(result.causes, received, _upstream(messages))
        return result

    return handle_traced


def _upstream(messages: Sequence[Message]) -> dict[str, SpanId]:
    """By message id, the span in which the sender says that it sent the message."""
    texts = {each.message_id: each.traceparent or traceparent_of(each.body) for each in messages}
    return {name: span for name, text in texts.items() if (span := tracing.parse_traceparent(text))}


def build_traced(publisher: Publisher, claim: Claim) -> BatchResult:
    """Build a claim, with a span in the trace of each event that caused it. Raises as :meth:`Publisher.build`."""
    if not tracing.is_on():
        return publisher.build(claim)
    began = time_ns()
    causes = {work.key: work.causes for work in claim.work}
    try:
        batch = publisher.build(claim)
    except Exception as error:
        failed = [BuiltSchedule(key, found, FAILED) for key, found in causes.items()]
        tracing.built(failed, began, (), type(error).__name__)
        raise
    schedules = [_schedule(each) for each in batch.built]
    schedules += [BuiltSchedule(key, causes.get(key, ()), FAILED) for key in batch.failed]
    tracing.built(schedules, began, [(name, began + int(seconds * 1e9)) for name, seconds in batch.stages])
    return batch


def _schedule(built: BuildResult) -> BuiltSchedule:
    is_published = built.outcome is Outcome.PUBLISHED
    return BuiltSchedule(
        built.key, built.change.causes, built.outcome.value, built.seq if is_published else 0
    )
