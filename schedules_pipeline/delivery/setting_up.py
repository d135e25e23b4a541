"""From settings to a delivery over a store."""

from datetime import timedelta

from schedules_pipeline.connections import calendar_from
from schedules_pipeline.delivery.admission import Admission
from schedules_pipeline.delivery.freshness import Staleness
from schedules_pipeline.delivery.mirror import Mirror
from schedules_pipeline.delivery.offers import offers_from
from schedules_pipeline.delivery.service import Delivery, DeliveryRules
from schedules_pipeline.delivery.service_names import ServiceNames
from schedules_pipeline.delivery.switched import SwitchState
from schedules_pipeline.delivery.tail import Tail
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.settings import Settings


def build_delivery(store: PushStore, settings: Settings, clock: Clock) -> Delivery:
    """With an empty mirror, and nobody who may ask: both are read by those who keep it up."""
    return Delivery(
        Mirror(),
        Tail(),
        store,
        calendar_from(settings),
        clock,
        Admission(),
        SwitchState(store.served),
        ServiceNames(dict(settings.service_names)),
        offers_from(settings),
        _rules(settings),
    )


def _rules(settings: Settings) -> DeliveryRules:
    staleness = Staleness(
        marked_after=timedelta(seconds=settings.delivery_marked_stale_seconds),
        served_for=timedelta(hours=settings.delivery_served_stale_hours),
    )
    return DeliveryRules(
        staleness,
        image_url_template=settings.image_url_template,
        available_days=settings.available_days,
        feed_kept_for=timedelta(days=settings.feed_kept_days),
        horizon=RetentionHorizon(settings.retention_days),
    )
