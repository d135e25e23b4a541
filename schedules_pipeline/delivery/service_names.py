"""What people call a service: as the operators set it, else made from its id."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from schedules_pipeline.domain.identifiers import Sid

_VOWEL_OR_DIGIT = re.compile(r"[aeiouy0-9]")
_SPOKEN_LETTER_BY_LETTER = frozenset({"dab", "tv", "uhd", "uk"})


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """``mapping``: the names that were set, by sid. The others are guessed: ``alder_one_north_hd`` becomes
    "Alder One North HD", a word without vowels being taken for an abbreviation.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)

    def of(self, sid: Sid) -> str:
        return self.mapping.get(sid) or _guess(sid)


def _guess(sid: Sid) -> str:
    """The sid itself where it is nothing but underscores: a name is never empty."""
    return " ".join(_spell(word) for word in sid.split("_") if word) or str(sid)


def _spell(word: str) -> str:
    if word in _SPOKEN_LETTER_BY_LETTER or not _VOWEL_OR_DIGIT.search(word):
        return word.upper()
    return word.capitalize()
