"""``python -m schedules_pipeline.health``: serves metrics and health checks until it is stopped."""

import uvicorn

from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.health.service import build_service
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import load_settings


def main() -> None:
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    pipeline = build_pipeline(settings)
    uvicorn.run(
        build_service(pipeline.health),
        host=settings.monitoring_host,
        port=settings.monitoring_port,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
