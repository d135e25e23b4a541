"""The display name of a service: as the operators set it, else derived from its id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from schedules_pipeline.domain.identifiers import Sid

_VOWEL_OR_DIGIT = re.compile(r"[aeiouy0-9]")
_REMEMBERED = 4_096
_ABBREVIATIONS = frozenset({"dab", "tv", "uhd", "uk"})


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """``mapping``: configured names by sid. Other names are derived: ``alder_one_north_hd`` becomes "Alder One North
    HD", because a word without vowels is treated as an abbreviation.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)

    def of(self, sid: Sid) -> str:
        return self.mapping.get(sid) or _derive(sid)


@lru_cache(_REMEMBERED)
def _derive(sid: Sid) -> str:
    """The sid itself if it consists of underscores: a name is never empty."""
    return " ".join(_spell(word) for word in sid.split("_") if word) or str(sid)


def _spell(word: str) -> str:
    if word in _ABBREVIATIONS or not _VOWEL_OR_DIGIT.search(word):
        return word.upper()
    return word.capitalize()
