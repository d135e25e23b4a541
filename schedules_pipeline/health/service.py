"""The HTTP service for monitoring: metrics, liveness and readiness.

It serves no partners and changes nothing. It asks for no password, so it belongs inside a private network.
"""

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.metrics.collector import PATIENCE_SECONDS, PipelineCollector
from schedules_pipeline.health.metrics.parts import parts_of
from schedules_pipeline.health.metrics.shared_call import SharedCall
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.migration.ports import MigrationSources

_UNAVAILABLE = 503


def build_service(
    store: HealthStore, sources: MigrationSources, clock: Clock, patience_seconds: float = PATIENCE_SECONDS
) -> Starlette:
    """``/metrics`` for Prometheus; ``/health/live``; ``/health/ready``, which is 503 with the failed checks.

    ``patience_seconds``: how long an answer waits for the store or a queue.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PipelineCollector(parts_of(store, sources, clock), patience_seconds))
    checks: dict[str, Callable[[], object]] = {
        "store": store.presence.name,
        "keyspace": partial(_require_filled, store),
    }
    shared = {name: SharedCall(check, f"ready-{name}") for name, check in checks.items()}
    return Starlette(
        routes=[
            Route("/metrics", partial(_metrics, registry)),
            Route("/health/live", _live),
            Route("/health/ready", partial(_ready, shared, patience_seconds)),
        ]
    )


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
