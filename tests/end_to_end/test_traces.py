"""The trace of one change through real processes, as a collector has it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from collector import Collector, collecting
from end_to_end.changes_stage import publish_everything, wait_until

from demo.dagster_services import CodeServer, Daemon
from demo.delivery_service import DeliveryService
from demo.sample import Sample
from demo.upstream import Upstream
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.settings import Settings
from schedules_pipeline.tracing import trace_id

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `traces` is not installed")
pytestmark = [pytest.mark.end_to_end, pytest.mark.long]

_STAGES = {"gather", "resolve", "commit"}
_PUBLISHER, _RECORDER, _DELIVERY = "schedules-publisher", "schedules-recorder", "schedules-delivery"


@pytest.fixture
def collector(environment: dict[str, str]) -> Iterator[Collector]:
    """Every process sends its spans to it, soon."""
    with collecting() as collector:
        environment["SCHEDULES_TRACES"] = "true"
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        environment["OTEL_BSP_SCHEDULE_DELAY"] = "200"
        yield collector


def test_the_spans_of_all_processes_form_one_trace(
    environment: dict[str, str], collector: Collector, upstream: Upstream, sample: Sample, tmp_path: Path
) -> None:
    """Publisher, recorder and delivery service add to the trace of an event, each below the step before it."""
    pipeline = build_pipeline(Settings())
    publish_everything(pipeline, sample)
    now = datetime.now(UTC)
    issued = issue_key(b"k" * RANDOM_BYTES, now)
    pipeline.store.partners.create(Partner("acme", now, keys=(issued.key,), is_preview=True))
    (sid, day), document = next(iter(sample.schedules.items()))
    key = ScheduleKey(Sid(sid), day)

    with CodeServer(tmp_path, environment) as code_server, DeliveryService(tmp_path, environment) as delivery:
        wait_until(lambda: delivery.admits(issued.text))
        headers = {"Authorization": f"Bearer {issued.text}"}
        with Daemon(tmp_path, environment, code_server.write_workspace()):
            upstream.put_schedule(sid, day, {**document, "broadcasts": document["broadcasts"][:-1]})
            wait_until(lambda: pipeline.store.feed.heads()[key].seq == 2)
            path = f"{delivery.url}/v1/schedules/{key}?min_seq=2"
            assert httpx2.get(path, headers=headers, timeout=60).status_code == 200
            [cause] = pipeline.store.feed.heads()[key].causes
            trace = trace_id(cause) or ""
            expected = {
                (_PUBLISHER, name) for name in ("notification", "ingest", "build", "version", *_STAGES)
            }
            expected |= {(_RECORDER, "record"), (_DELIVERY, "mirror"), (_DELIVERY, "fetch")}
            wait_until(lambda: expected <= collector.names(trace))

    spans = [span for _, span in collector.received[trace]]
    by_id = {span.span_id: span for span in spans}
    assert [span.name for span in spans if span.parent_span_id not in by_id] == ["notification"]
    ends = {span.name: (span.start_time_unix_nano, span.end_time_unix_nano) for span in spans}
    assert (
        ends["notification"][1]
        <= ends["build"][0]
        <= ends["commit"][0]
        <= ends["commit"][1]
        <= ends["build"][1]
    )
    assert ends["commit"][0] <= ends["mirror"][1] <= ends["record"][1]
