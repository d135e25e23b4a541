"""Answers to questions that read many schedules, as tasks for a process that renders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from schedules_pipeline.delivery.mirror import Extract
from schedules_pipeline.delivery.questions.broadcasts_of import Question, find_broadcasts, page_fields
from schedules_pipeline.delivery.questions.latest_episodes import (
    KnownEpisode,
    changes_fields,
    compare_episodes,
    find_episodes,
)
from schedules_pipeline.delivery.questions.lineage import CopyReader, Lineage
from schedules_pipeline.delivery.representations import Rendered, rendered
from schedules_pipeline.documents.broadcasts import render_json
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


def render_broadcasts_of(
    question: Question,
    reads: Sequence[tuple[date, Sequence[ScheduleKey]]],
    extract: Extract,
    copies: CopyReader,
) -> Rendered:
    page = find_broadcasts(question, reads, extract.schedule, Lineage(copies))
    fields = page_fields(question, page)
    return rendered(render_json(fields), fields["next"])


@dataclass(frozen=True, slots=True)
class Followed:
    """``count``: how many episodes of each brand. ``given``: the episodes that the client holds."""

    brands: Sequence[Pid]
    since: datetime
    count: int
    given: Sequence[KnownEpisode]


def render_latest_episodes(
    followed: Followed, keys: Sequence[ScheduleKey], extract: Extract, now: datetime
) -> bytes:
    schedules = [found for key in keys if (found := extract.schedule(key)) is not None]
    episodes = find_episodes(schedules, followed.brands, followed.since, now)
    compared = compare_episodes(episodes, followed.given, followed.since, followed.count)
    return render_json(changes_fields(compared, followed.since))
