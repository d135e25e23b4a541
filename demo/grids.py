"""The grids of the invented channels: which strand is shown when, and for how many minutes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain, cycle
from typing import Final

_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the day for one programme of a strand."""

    strand: str
    minutes: int
    is_repeat: bool
    is_signed: bool


# A grid is a day from its first minute: strand:minutes, with * for a repeat.
_GRIDS: Final = {
    "one": """
        daybreak:180 factual:45 *factual:45 factual:45 quiz:45 factual:60 noon_report:30 local:15
        daytime_soap:30 *drama:45 factual:45 quiz:45 *quiz:45 quiz:45 evening_report:30 local:27 filler:3
        magazine:30 soap:30 factual:60 drama:60 late_report:30 local:10 comedy:35 film:105
    """,
    "one_weekend": """
        daybreak:180 factual:90 quiz:45 *comedy:30 factual:45 noon_report:20 local:10 match:150 *factual:60
        quiz:50 evening_report:20 local:7 filler:3 factual:50 quiz:60 drama:60 comedy:30 late_report:20
        local:10 film:120
    """,
    "two": """
        *factual:60 *drama:60 *factual:45 *quiz:45 documentary:90 factual:45 quiz:30 noon_report:60
        factual:45 film:105 *factual:45 quiz:45 filler:3 factual:42 quiz:30 factual:60 documentary:60
        drama:60 comedy:30 late_report:45 film:110
    """,
    "three": """
        *comedy:30 *drama:60 factual:45 *quiz:45 film:100 *factual:60 unannounced:50 comedy:30 drama:60
        factual:45 comedy:35 quiz:40 filler:3 drama:57 film:120 comedy:30 documentary:60 drama:60 film:110
    """,
    "sprouts": "children:20 children:15 *children:25 children:30 filler:3 children:27 " * 7 + "comedy:30",
    "news": (
        "daybreak:180 "
        + "headlines:60 documentary:30 headlines:30 " * 6
        + "evening_report:60 headlines:60 documentary:60 late_report:60 headlines:60"
    ),
    "film": "film:95 film:115 filler:3 film:102 *film:100 " * 2 + "film:97 film:125 film:110 film:130",
    "archive": (
        "*drama:60 *factual:45 *comedy:35 *documentary:60 *quiz:40 *film:120 *drama:60 filler:3 *factual:57 "
        * 2
    ),
    "radio": (
        "music:90 music:60 headlines:30 "
        * 2
        + "daybreak:180 talk:60 headlines:30 music:90 talk:30 radio_soap:15 talk:45 noon_report:60 music:120 "
        "talk:60 evening_report:30 radio_soap:15 talk:45 music:60 late_report:45 music:75 music:120"
    ),
}

# What fills the rest of the day, again and again: the night is where a day of 25 hours is longer.
# Here & marks a repeat in sign language.
_NIGHT: Final = "&soap:30 &drama:60 &factual:60 headlines:45 *documentary:60"
_NIGHTS: Final = {
    "two": "&drama:60 *documentary:60 &factual:60",
    "three": "*comedy:30 &drama:60 *factual:60",
    "sprouts": "*children:30 *children:60",
    "news": "headlines:60 *documentary:60",
    "film": "*film:105 *film:120",
    "archive": "*drama:60 *comedy:30",
    "radio": "*music:60",
}


def day_slots(grid: str, on: date) -> Iterator[Slot]:
    """Yield the slots of a grid's day, and after them those of the night without end."""
    text, night = _GRIDS[grid], _NIGHTS.get(grid, _NIGHT)
    if on.weekday() >= _SATURDAY:
        text = _GRIDS.get(f"{grid}_weekend", text)
    return chain(map(_parse_slot, text.split()), cycle([_parse_slot(slot) for slot in night.split()]))


def _parse_slot(text: str) -> Slot:
    strand, minutes = text.lstrip("*&").split(":")
    return Slot(strand, int(minutes), is_repeat=text[0] in "*&", is_signed=text[0] == "&")
