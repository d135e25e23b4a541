"""A collector of OpenTelemetry on loopback, which decodes what processes send."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from loopback import HttpAnswer, loopback


@dataclass(frozen=True)
class Collector:
    """``received``: by trace id, the spans, each with the name of its service. ``paths``: of the requests."""

    url: str
    received: dict[str, list[tuple[str, Any]]] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)

    def take(self, method: str, path: str, body: bytes) -> HttpAnswer:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - of an extra
            ExportTraceServiceRequest,
        )

        self.paths.add(f"{method} {path}")
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    spans = self.received.setdefault(span.trace_id.hex(), [])
                    spans.append((named["service.name"], span))
        return HttpAnswer(200)

    def names(self, trace: str) -> set[tuple[str, str]]:
        """The service and the name of each span that has arrived."""
        return {(service, span.name) for service, span in list(self.received.get(trace, ()))}


@contextmanager
def collecting() -> Iterator[Collector]:
    with loopback() as server:
        collector = Collector(server.url)
        server.answer = collector.take
        yield collector
