"""``python -m schedules_pipeline.delivery``: serves partners until it is stopped."""

import gc
import socket
import sys

import uvicorn

from schedules_pipeline.connections import build_store, utc_now
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.routes.bounded_heads import BoundedHeads
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.delivery.setting_up import build_delivery
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import Settings, load_settings

_ANSWERS_END_WITHIN_SECONDS = 3
_NOT_STARTED = 3
_STORE_ANSWERS_WITHIN_SECONDS = 3.0
"""Longer than a read of the feed blocks; who asks a store that hangs is to be told soon."""

_OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""Not the usual 700: a thousand who wait and are answered at once make so many more objects that all that is held
would be searched for cycles several times over, which takes a third of the time.
"""


class DeliveryServer(uvicorn.Server):
    """Ends streams when it is told to stop, since they would go on for ever; their readers come with their cursors."""

    def __init__(self, delivery: Delivery, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                build_application(delivery, keep_up=True),
                host=settings.delivery_host,
                port=settings.delivery_port,
                http=BoundedHeads,
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


def main() -> None:
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    delivery = build_delivery(build_store(settings, _STORE_ANSWERS_WITHIN_SECONDS), settings, utc_now)
    server = DeliveryServer(delivery, settings)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    main()
