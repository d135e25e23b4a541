"""``python -m schedules_pipeline.push``: composes the push process and runs it until a signal ends it."""

import signal
from datetime import timedelta
from pathlib import Path

import structlog

from schedules_pipeline.connections import build_store, file_formats_from, utc_now
from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.outbound.checked_addresses import AllowedAddresses
from schedules_pipeline.outbound.files import S3FileStore
from schedules_pipeline.outbound.partner_webhook import PartnerWebhooks
from schedules_pipeline.push.ports import FileStore, PushStore
from schedules_pipeline.push.push import Pusher
from schedules_pipeline.push.push_changes import WebhookPush
from schedules_pipeline.push.push_files import FilePolicy, FilesPush
from schedules_pipeline.push.service import PushService
from schedules_pipeline.push.shared_rows import SharedRows
from schedules_pipeline.push.subscription import SubscriptionKind
from schedules_pipeline.settings import Settings, load_settings
from schedules_pipeline.tracing import configure_traces
from schedules_pipeline.upstream.clients import files_client

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def build_pusher(settings: Settings, store: PushStore) -> Pusher:
    rows, secret = SharedRows(store.feed), settings.webhook_master_secret
    master = None if secret is None else secret.get_secret_value().encode()
    allowed = AllowedAddresses(settings.push_allowed_networks, "SCHEDULES_PUSH_ALLOWED_NETWORKS")
    receiver = PartnerWebhooks(settings.push_threads, allowed)
    return Pusher(
        store,
        WebhookPush(store.feed, rows, receiver, master),
        _files_push(settings, store, rows),
        utc_now,
        timedelta(hours=settings.push_quarantine_hours),
    )


def _file_store(settings: Settings) -> FileStore | None:
    if settings.files_bucket is None:
        return None
    client = files_client(settings.aws_region, settings.aws_endpoint_url, settings.push_threads)
    return S3FileStore(client, settings.files_bucket)


def _files_push(settings: Settings, store: PushStore, rows: SharedRows) -> FilesPush:
    policy = FilePolicy(
        timedelta(hours=settings.files_full_hours), timedelta(seconds=settings.files_update_seconds)
    )
    formats = file_formats_from(settings)
    return FilesPush(store.feed, rows, store.schedules.documents, _file_store(settings), policy, formats)


def require_settings(settings: Settings, store: PushStore) -> None:
    """Raises :class:`ConfigurationError` if there are subscriptions of a kind whose setting is missing."""
    kinds = {standing.subscription.kind for standing in store.subscriptions.all()}
    if SubscriptionKind.WEBHOOK in kinds and settings.webhook_master_secret is None:
        raise ConfigurationError("webhooks cannot be signed: set SCHEDULES_WEBHOOK_MASTER_SECRET")
    if SubscriptionKind.FILES in kinds and settings.files_bucket is None:
        raise ConfigurationError("files cannot be written: set SCHEDULES_FILES_BUCKET")


def main() -> None:
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    configure_traces("pusher", is_on=settings.traces)
    store = build_store(settings)
    require_settings(settings, store)
    heartbeat = None if settings.push_heartbeat_file is None else Path(settings.push_heartbeat_file)
    service = PushService(build_pusher(settings, store), settings.push_threads, heartbeat)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    _log.info("pushing", threads=settings.push_threads)
    service.run()
    _log.info("stopped")


if __name__ == "__main__":
    main()
