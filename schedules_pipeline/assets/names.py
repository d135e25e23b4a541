"""The keys of all assets, and their owner."""

from dagster import AssetKey

SCHEDULE_DOCUMENTS = AssetKey(["upstream", "schedule_documents"])
CATALOGUE_ITEMS = AssetKey(["upstream", "catalogue_items"])
SCHEDULE_EVENTS = AssetKey(["upstream", "schedule_events"])
CATALOGUE_EVENTS = AssetKey(["upstream", "catalogue_events"])
LEGACY_SCHEDULE = AssetKey(["legacy", "legacy_schedule"])

CATALOGUE_EPISODES = AssetKey("catalogue_episodes")
CATALOGUE_SERIES = AssetKey("catalogue_series")
CATALOGUE_BRANDS = AssetKey("catalogue_brands")

SOURCE_SCHEDULE = AssetKey("source_schedule")
BACK_REFERENCE_INDEX = AssetKey("back_reference_index")
PARTNER_SCHEDULE = AssetKey("partner_schedule")

HELD_LOSSES = AssetKey("held_losses")
SERVICE_EXPECTATIONS = AssetKey("service_expectations")
OUTLIER_REPORT = AssetKey("outlier_report")
PARITY_REPORT = AssetKey("parity_report")
PIPELINE_HEALTH = AssetKey("pipeline_health")

OWNERS = ["team:schedules"]
