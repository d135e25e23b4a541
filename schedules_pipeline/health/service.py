"""The service that monitors ask over HTTP: metrics, whether it is alive, and whether it is ready.

It serves no partner and changes nothing. It knows no passwords, and its answers are for the inside of a network.
"""

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.metrics.asking import Asking
from schedules_pipeline.health.metrics.collector import PATIENCE_SECONDS, PipelineCollector
from schedules_pipeline.health.metrics.parts import parts_of

_UNAVAILABLE = 503

Checks = Mapping[str, Callable[[], None]]


def build_service(pipeline: Pipeline, patience_seconds: float = PATIENCE_SECONDS) -> Starlette:
    """``/metrics`` for Prometheus; ``/health/live``; ``/health/ready``, 503 with the checks that failed.

    ``patience_seconds``: for how long an answer waits for a store or a queue.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PipelineCollector(parts_of(pipeline), patience_seconds))
    checks = {name: Asking(check, f"ready-{name}") for name, check in _checks(pipeline).items()}
    return Starlette(
        routes=[
            Route("/metrics", partial(_metrics, registry)),
            Route("/health/live", _live),
            Route("/health/ready", partial(_ready, checks, patience_seconds)),
        ]
    )


def _metrics(registry: CollectorRegistry, request: Request) -> Response:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type})


def _live(request: Request) -> Response:  # noqa: ARG001 - whoever asks
    """That it is answered at all is the answer."""
    return JSONResponse({"alive": True})


def _ready(checks: Mapping[str, Asking[None]], patience_seconds: float, request: Request) -> Response:  # noqa: ARG001
    pending = {name: check.ask() for name, check in checks.items()}
    found: dict[str, str] = {}
    for name, answer in pending.items():
        try:
            answer.result(patience_seconds)
            found[name] = "ok"
        except PipelineError as error:
            found[name] = str(error)
        except TimeoutError:
            found[name] = f"no answer within {patience_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready; a defect's text may hold anything
            found[name] = type(error).__name__
    is_ready = set(found.values()) == {"ok"}
    return JSONResponse({"ready": is_ready, "checks": found}, status_code=200 if is_ready else _UNAVAILABLE)


def _checks(pipeline: Pipeline) -> Checks:
    """Each returns where it is well, and raises :class:`PipelineError` with what is wrong."""
    return {"store": partial(_store_answers, pipeline), "keyspace": partial(_keyspace_is_filled, pipeline)}


def _store_answers(pipeline: Pipeline) -> None:
    pipeline.store.presence.name()


def _keyspace_is_filled(pipeline: Pipeline) -> None:
    if pipeline.store.feed.count_schedules() == 0:
        raise ServiceError("our keyspace is empty: nothing has been published; a coldstart fills it")
    if pipeline.store.coldstarts.epoch() is None:
        raise ServiceError("our keyspace is not whole: no coldstart has finished in it yet")
