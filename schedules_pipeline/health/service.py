"""The HTTP service for monitoring: metrics, conditions, liveness and readiness.

It serves no partners and changes nothing. It asks for no password, so it belongs inside a private network.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.check_health import Checkup, HealthCheck
from schedules_pipeline.health.condition import Condition, Severity
from schedules_pipeline.health.metrics.collector import PATIENCE_SECONDS, PipelineCollector
from schedules_pipeline.health.metrics.parts import parts_of
from schedules_pipeline.health.metrics.shared_call import SharedCall
from schedules_pipeline.health.ports import HealthStore

_UNAVAILABLE = 503


def build_service(health: HealthCheck, patience_seconds: float = PATIENCE_SECONDS) -> Starlette:
    """``/metrics`` for Prometheus; ``/health``, which lists the conditions and is 503 if one is of error or worse;
    ``/health/live``; ``/health/ready``, which is 503 with the failed checks.

    ``patience_seconds``: how long an answer waits for the store or a queue.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PipelineCollector(parts_of(health), patience_seconds))
    checks: dict[str, Callable[[], object]] = {
        "store": health.store.presence.present,
        "keyspace": partial(_require_filled, health.store),
    }
    shared = {name: SharedCall(check, f"ready-{name}") for name, check in checks.items()}
    checkup = SharedCall(health.check_or_report_outage, "health")
    return Starlette(
        routes=[
            Route("/metrics", partial(_metrics, registry)),
            Route("/health", partial(_health, checkup, patience_seconds)),
            Route("/health/live", _live),
            Route("/health/ready", partial(_ready, shared, patience_seconds)),
        ]
    )


def _health(shared: SharedCall[Checkup], patience_seconds: float, request: Request) -> Response:  # noqa: ARG001
    """The conditions, the worst first. ``undecided``: those that could not be judged now."""
    try:
        checkup = shared.start().result(patience_seconds)
    except TimeoutError:
        problem = f"no answer within {patience_seconds:g} s"
        return JSONResponse({"healthy": False, "problem": problem}, status_code=_UNAVAILABLE)
    is_healthy = checkup.worst in (None, Severity.WARNING)
    body = {
        "healthy": is_healthy,
        "checked_at": checkup.at,
        "conditions": [_condition(each) for each in checkup.conditions],
        "undecided": sorted(checkup.findings.undecided),
    }
    return Response(orjson.dumps(body), 200 if is_healthy else _UNAVAILABLE, media_type="application/json")


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "name": condition.name,
        "severity": condition.severity,
        "subject": condition.subject,
        "summary": condition.summary,
        "since": condition.since,
        "evidence": dict(condition.evidence),
        "remedy": condition.remedy,
        "runbook": f"docs/runbook.md#{condition.name}",
    }


def _metrics(registry: CollectorRegistry, request: Request) -> Response:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


def _live(request: Request) -> Response:  # noqa: ARG001
    return JSONResponse({"alive": True})


def _ready(checks: Mapping[str, SharedCall[object]], patience_seconds: float, request: Request) -> Response:  # noqa: ARG001
    pending = {name: check.start() for name, check in checks.items()}
    found: dict[str, str] = {}
    for name, answer in pending.items():
        try:
            answer.result(patience_seconds)
            found[name] = "ok"
        except PipelineError as error:
            found[name] = str(error)
        except TimeoutError:
            found[name] = f"no answer within {patience_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - a defect means not ready; its text may hold a secret
            found[name] = type(error).__name__
    is_ready = set(found.values()) == {"ok"}
    return JSONResponse({"ready": is_ready, "checks": found}, status_code=200 if is_ready else _UNAVAILABLE)


def _require_filled(store: HealthStore) -> None:
    if store.feed.count_schedules() == 0:
        raise ServiceError("the keyspace is empty: nothing has been published; a coldstart fills it")
    if store.coldstarts.epoch() is None:
        raise ServiceError("the keyspace is incomplete: no coldstart has finished in it yet")
