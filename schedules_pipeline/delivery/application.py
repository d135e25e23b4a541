"""The ASGI application: routes, problem responses, and the middleware in front of them."""

from asyncio import get_running_loop
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI

from schedules_pipeline.delivery.deprecations import DEPRECATIONS, Deprecation
from schedules_pipeline.delivery.follower import Update
from schedules_pipeline.delivery.routes import (
    catalogue,
    changes,
    description,
    guide,
    health,
    now_next,
    players,
    problem_responses,
    programmes,
    schedules,
    status,
    subscriptions,
    televisions,
)
from schedules_pipeline.delivery.routes.addressed import AnyOrigin
from schedules_pipeline.delivery.routes.edge import Edge
from schedules_pipeline.delivery.routes.gate import Gate
from schedules_pipeline.delivery.routes.openapi import TAGS, DocumentedApplication, operation_id
from schedules_pipeline.delivery.routes.serving import serve
from schedules_pipeline.delivery.routes.strict_queries import require_declared_query
from schedules_pipeline.delivery.running import background_threads
from schedules_pipeline.delivery.service import Delivery

_ROUTES = (
    health,
    description,
    status,
    schedules,
    changes,
    now_next,
    programmes,
    catalogue,
    guide,
    televisions,
    players,
    subscriptions,
)


def build_application(
    delivery: Delivery, *, keep_up: bool = False, deprecations: Sequence[Deprecation] = DEPRECATIONS
) -> FastAPI:
    """``keep_up``: update ``delivery`` from its store while the application runs; otherwise the caller does."""
    application = DocumentedApplication(
        deprecations,
        title="Programme schedules",
        version=version("schedules-pipeline"),
        description="What is on each service, each day; and what has changed.",
        openapi_url=None,
        # A redirection would name the address as this process sees it: without TLS behind a proxy, and with the key.
        redirect_slashes=False,
        openapi_tags=[{"name": name, "description": meaning} for name, meaning in TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        contact={"name": "The operators who gave you your key"},
        servers=[{"url": delivery.policy.televisions.address or "/"}],
        generate_unique_id_function=operation_id,
        dependencies=[Depends(require_declared_query)],
        lifespan=_update(delivery) if keep_up else None,
    )
    application.state.serving = serve(delivery)
    for module in _ROUTES:
        application.include_router(module.routes)
    problem_responses.install(application)
    # The middleware that is added last runs first.
    application.add_middleware(Gate, delivery=delivery, deprecations=deprecations)
    application.add_middleware(AnyOrigin)
    application.add_middleware(Edge, delivery=delivery)
    return application


def _update(delivery: Delivery) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = get_running_loop()

        def apply(update: Update) -> None:
            """In the event loop's thread, between requests."""
            loop.call_soon_threadsafe(delivery.apply, update)

        delivery.rendering.start()
        try:
            with background_threads(delivery, apply):
                yield
        finally:
            delivery.rendering.close()

    return lifespan
