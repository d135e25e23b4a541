"""``python -m schedules_pipeline.delivery``: composes the delivery service and runs it until a signal ends it."""

import gc
import socket
import sys
from collections.abc import Sequence
from datetime import timedelta

import uvicorn

from schedules_pipeline.connections import (
    CopiesOfProcess,
    build_store,
    calendar_from,
    guide_formats_from,
    service_names_from,
    television_policy_from,
    utc_now,
)
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.deprecations import DEPRECATIONS, Deprecation
from schedules_pipeline.delivery.freshness import Staleness
from schedules_pipeline.delivery.rendering import Rendering
from schedules_pipeline.delivery.routes.direct_answers import ROUTE, DirectAnswers
from schedules_pipeline.delivery.routes.repeated_requests import RepeatedRequests, protocol_for
from schedules_pipeline.delivery.service import Delivery, DeliveryPolicy
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import Settings, load_settings
from schedules_pipeline.tracing import configure_traces

_ANSWERS_END_WITHIN_SECONDS = 3
_IDLE_SECONDS = 65
"""Longer than load balancers keep an idle connection (60), or they would send requests to one that just closed."""

_NOT_STARTED = 3
_STORE_ANSWERS_WITHIN_SECONDS = 3.0
"""Longer than a read of the feed blocks, and short enough that a store that hangs is reported soon."""

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Python's default is 700. A thousand waiting requests that are answered at once create so many objects that
searching all memory for cycles, several times over, took a third of the time.
"""


_SWITCH_SECONDS = 0.0005
"""Python's default is 0.005: after each system call the event loop would wait so long for a thread that reads."""


class DeliveryServer(uvicorn.Server):
    """Ends endless streams at shutdown; their clients reconnect with their cursors."""

    def __init__(self, delivery: Delivery, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                build_application(delivery, keep_up=True),
                host=settings.delivery_host,
                port=settings.delivery_port,
                http=protocol_of(delivery),
                timeout_keep_alive=_IDLE_SECONDS,
                ws="none",
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=_ANSWERS_END_WITHIN_SECONDS,
                server_header=False,
                proxy_headers=bool(settings.delivery_trusted_proxies),
                forwarded_allow_ips=list(settings.delivery_trusted_proxies),
            )
        )
        self._tail = delivery.tail

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._tail.close()
        await super().shutdown(sockets)


def protocol_of(
    delivery: Delivery, deprecations: Sequence[Deprecation] = DEPRECATIONS
) -> type[RepeatedRequests]:
    """The protocol of connections whose most frequent requests are answered from this delivery, unless they are
    deprecated, which the application tells.
    """
    is_deprecated = ROUTE in {each.route for each in deprecations}
    return protocol_for(None if is_deprecated else DirectAnswers(delivery))


def build_delivery(
    store: HealthStore, settings: Settings, clock: Clock, rendering: Rendering | None = None
) -> Delivery:
    """A delivery that has not read its store yet: it has no schedules and knows no partners. ``rendering``: in this
    process by default.
    """
    secret = settings.webhook_master_secret
    policy = DeliveryPolicy(
        Staleness(
            marked_after=timedelta(seconds=settings.delivery_marked_stale_seconds),
            served_for=timedelta(hours=settings.delivery_served_stale_hours),
        ),
        image_url_template=settings.image_url_template,
        available_days=settings.available_days,
        feed_kept_for=timedelta(days=settings.feed_kept_days),
        horizon=RetentionHorizon(settings.retention_days),
        televisions=television_policy_from(settings),
        webhook_master_secret=None if secret is None else secret.get_secret_value().encode(),
        dagster_url=settings.dagster_url,
    )
    formats, names = guide_formats_from(settings), service_names_from(settings)
    if rendering is None:
        return Delivery(store, clock, calendar_from(settings), names, formats, policy)
    copies = CopiesOfProcess(settings)
    return Delivery(store, clock, calendar_from(settings), names, formats, policy, rendering, copies)


def main() -> None:
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    configure_traces("delivery", is_on=settings.traces)
    store, rendering = (
        build_store(settings, _STORE_ANSWERS_WITHIN_SECONDS),
        Rendering(settings.delivery_renderers),
    )
    delivery = build_delivery(store, settings, utc_now, rendering)
    server = DeliveryServer(delivery, settings)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    sys.setswitchinterval(_SWITCH_SECONDS)
    server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    main()
