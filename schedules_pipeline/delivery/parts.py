"""The parts of answers that are made of several schedules: a window of a service, with the versions that are read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.delivery.mirror import MirroredSchedule, parsed
from schedules_pipeline.delivery.representations import validator_of, validator_of_version
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.domain.day_cut import GuideWindow, Straddling, cut_guide
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.service_guide import ServiceGuide


@dataclass(frozen=True, slots=True)
class Part:
    """A service's window, and everything that is held of it, removals included."""

    guide_window: GuideWindow
    name: str
    held: tuple[MirroredSchedule, ...]

    @property
    def sid(self) -> Sid:
        return self.guide_window.sid

    @property
    def window(self) -> Interval:
        return self.guide_window.window

    @property
    def named(self) -> list[MirroredSchedule]:
        """The published schedules whose versions the guide names."""
        return [held for held in self.held if not held.is_removed and held.key in self.guide_window.named]


def part_of(delivery: Delivery, guide_window: GuideWindow) -> Part:
    of_service = delivery.mirror.of_service(guide_window.sid)
    held = tuple(of_service[key.date] for key in guide_window.keys if key.date in of_service)
    return Part(guide_window, delivery.names.of(guide_window.sid), held)


def validator_of_parts(asked: tuple[object, ...], offer: GuideFormat, parts: Sequence[Part]) -> str:
    """Different whenever what :func:`guide_of` gives for one of these parts is, or the format writes it otherwise."""
    versions = (f"{held.key}.{validator_of_version(held)}" for part in parts for held in part.held)
    return validator_of(offer.name, offer.revision, *asked, *map(_window_of, parts), *versions)


def _window_of(part: Part) -> str:
    """All that a guide is cut by, beside the versions. The window depends on the configured time zone: the same date
    can be another day. A player's day and a partner's own name other versions in the same window.
    """
    sid, window, _, is_as_listed, named = part.guide_window
    return f"{sid}={part.name}={window.start}={window.end}={is_as_listed}={named[0].date}={named[-1].date}"


def published_in(parts: Sequence[Part]) -> list[MirroredSchedule]:
    return [held for part in parts for held in part.held if not held.is_removed]


def latest(parts: Sequence[Part]) -> datetime | None:
    """When any of these schedules was last published or removed."""
    return max((held.published_at for part in parts for held in part.held), default=None)


def render_guide(straddling: Straddling, render: Callable[[ServiceGuide], bytes], part: Part) -> bytes:
    return render(guide_of(straddling, part))


def guide_of(straddling: Straddling, part: Part) -> ServiceGuide:
    return cut_guide(
        part.guide_window,
        part.name,
        [schedule for held in part.held if (schedule := parsed(held))],
        [(held.seq, held.published_at) for held in part.held if held.is_removed],
        straddling,
    )
