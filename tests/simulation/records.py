"""The records beside the schedules, which no partner sees: rejections, and summaries of broadcasts in quarantine."""

from collections.abc import Sequence

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.identifiers import ScheduleKey

_Records = dict[ScheduleKey, tuple[bool, str]]


def require_right_records(pipeline: Pipeline, keys: Sequence[ScheduleKey], cause: Cause) -> None:
    """Raise AssertionError unless the records are those of the documents that the source has now: judging each again
    changes none.
    """
    before = _records(pipeline, keys)

    pipeline.publisher.rebuild_from_sources(keys, cause)

    after = _records(pipeline, keys)
    assert before == after, f"records: found {before}, expected {after}"


def _records(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> _Records:
    """Whether each schedule is rejected, and the summary of its broadcasts in quarantine."""
    store = pipeline.store
    rejected, summaries = store.rejections.all(), store.quarantined_broadcasts.find(keys)
    return {key: (str(key) in rejected, summaries.get(key, "")) for key in keys}
