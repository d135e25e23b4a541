"""Spans in a list, in the place of a collector."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from schedules_pipeline.tracing import Span, send_spans_to


@dataclass(frozen=True)
class ListedSpans:
    """Implements :class:`SpanSender`; every trace is sampled."""

    spans: list[Span] = field(default_factory=list)

    def samples(self, trace: int) -> bool:
        return True

    def send(self, span: Span) -> None:
        self.spans.append(span)

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def by_trace(self) -> dict[int, list[Span]]:
        traces = defaultdict(list)
        for span in self.spans:
            traces[span.id.trace].append(span)
        return traces

    def parents(self) -> dict[str, str | None]:
        """The name of each kind of span, and that of its parent; None for the root."""
        names = {span.id: span.name for span in self.spans}
        return {span.name: names[span.parent] if span.parent else None for span in self.spans}


@contextmanager
def listing_spans() -> Iterator[ListedSpans]:
    """Traces are on within the context."""
    listed = ListedSpans()
    send_spans_to(listed)
    try:
        yield listed
    finally:
        send_spans_to(None)
