"""Searching the guide: which words find which showings, and that no question has no end."""

from datetime import timedelta

import pytest
from delivery.guides import NOON, key, showing

from schedules_pipeline.delivery.guide.search import MOST_HITS, MOST_WORDS, parse_query, search
from schedules_pipeline.domain.airing import Airing

_FERRY = Airing(key(), showing(1, NOON, title="Café on the Night Ferry"))
_KILN = Airing(key(), showing(2, NOON + timedelta(hours=1), title="The Kiln"))


@pytest.mark.parametrize(
    "question",
    ["ferry", "FERRY", "cafe", "café", "nig fer", "quiet viaduct ferry", "lamp night", "p0000001 night"],
)
def test_words_are_found_by_their_beginning(question: str) -> None:
    """In titles, in synopses and by the episode's pid; case and accents do not count, the order neither."""
    found = search([_KILN, _FERRY], parse_query(question))

    assert list(found.hits) == [_FERRY]


@pytest.mark.parametrize("question", ["erry", "ferry kiln", "tram"])
def test_every_word_has_to_be_there(question: str) -> None:
    """And none is found by its middle."""
    assert search([_KILN, _FERRY], parse_query(question)).hits == []


@pytest.mark.parametrize("question", ["", "  ", "?!*", "(", "%"])
def test_what_holds_no_word_asks_nothing(question: str) -> None:
    """A question without letters and digits has no words."""
    assert parse_query(question) == ()


def test_a_long_question_is_cut() -> None:
    """Only so many words are looked for, and each once."""
    assert len(parse_query(" ".join(f"w{n}" for n in range(1_000)))) == MOST_WORDS
    assert parse_query("kiln kiln Kiln") == ("kiln",)


def test_hits_have_an_end() -> None:
    """More than a page takes is not looked for, and it says so."""
    found = search([_KILN] * (MOST_HITS + 1), parse_query("kiln"))

    assert (len(found.hits), found.has_more) == (MOST_HITS, True)
