"""The documents that the old system writes to the legacy keyspace, read for comparison.

Format: ``{"generated_at": "...", "schedule": {"sid", "date", "broadcasts": [...]}}``, where
``generated_at`` is an instant before the old system read the first input of the document.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from schedules_pipeline.errors import InvalidDocument


@dataclass(frozen=True, slots=True)
class LegacySchedule:
    generated_at: datetime
    broadcasts: list[dict[str, Any]]


def parse_legacy_document(content: bytes) -> LegacySchedule:
    """Raises :class:`InvalidDocument` if the old system could not have written the document."""
    try:
        # This parser limits nesting to a depth that can be shown later; orjson's limit is too high.
        document = from_json(content, allow_inf_nan=False)
        generated_at = _instant(document["generated_at"])
        broadcasts = document["schedule"]["broadcasts"]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InvalidDocument(f"the old system's document cannot be read: {error!r:.200}") from error
    if not isinstance(broadcasts, list) or not all(isinstance(b, dict) for b in broadcasts):
        raise InvalidDocument("the old system's document cannot be read: broadcasts is not a list of objects")
    return LegacySchedule(generated_at, broadcasts)


def _instant(text: str) -> datetime:
    generated_at = datetime.fromisoformat(text)
    if generated_at.tzinfo is None:
        raise ValueError("generated_at has no time zone")
    return generated_at.astimezone(UTC)
