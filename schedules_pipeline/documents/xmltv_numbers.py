"""The number of an episode in a guide that was read, and a title for an episode that has only a number."""

from schedules_pipeline.documents.episode_numbers import EpisodeNumber
from schedules_pipeline.documents.xmltv import DERIVED
from schedules_pipeline.documents.xmltv_reader import Programme

_ON_SCREEN = "onscreen"


def number_in(programme: Programme, domain: str) -> EpisodeNumber:
    """By ``xmltv_ns``, else as on the screen. None of those that the pipeline itself has read from titles."""
    if any(number.system == domain and number.text.startswith(DERIVED) for number in programme.numbers):
        return EpisodeNumber()
    texts = {number.system: number.text for number in reversed(programme.numbers)}
    counted = EpisodeNumber.parse_xmltv_ns(texts.get("xmltv_ns", ""))
    shown = EpisodeNumber.parse_onscreen(texts.get(_ON_SCREEN, ""))
    return EpisodeNumber(counted.series or shown.series, counted.episode or shown.episode)


def title_by_number(programme: Programme, number: EpisodeNumber) -> str:
    """For an episode without a title: as its number is on the screen, else as it would be; "" without one."""
    on_screen = (one.text for one in programme.numbers if one.system == _ON_SCREEN)
    return next((text for text in on_screen if text.strip(" .")), number.onscreen)
