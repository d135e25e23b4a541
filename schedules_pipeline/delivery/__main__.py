"""``python -m schedules_pipeline.delivery``: serves partners until it is stopped."""

import uvicorn

from schedules_pipeline.connections import build_store, utc_now
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.setting_up import build_delivery
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import load_settings

_STREAMS_END_WITHIN_SECONDS = 3


def main() -> None:
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    delivery = build_delivery(build_store(settings), settings, utc_now)
    uvicorn.run(
        build_application(delivery, keep_up=True),
        host=settings.delivery_host,
        port=settings.delivery_port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_STREAMS_END_WITHIN_SECONDS,
        server_header=False,
    )


if __name__ == "__main__":
    main()
