"""What people call a service."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.service_names import ServiceNames


@pytest.mark.parametrize(
    ("sid", "name"),
    [
        ("alder_one_north_hd", "Alder One North HD"),
        ("birch_radio", "Birch Radio"),
        ("cedar_2", "Cedar 2"),
        ("elm4", "Elm4"),
        ("hazel_tv_uk", "Hazel TV UK"),
        ("rowan__sky_", "Rowan Sky"),
        ("___", "___"),
    ],
)
def test_name_is_made_from_the_sid(sid: str, name: str) -> None:
    """Where no name is set, the words of the sid are it, and words without vowels are abbreviations."""
    names = ServiceNames()

    made = names.of(Sid(sid))

    assert made == name


def test_name_that_is_set_counts() -> None:
    """A name that the operators set comes before one that is made."""
    names = ServiceNames({"alder_one": "Alder First"})

    given_and_made = [names.of(Sid("alder_one")), names.of(Sid("alder_two"))]

    assert given_and_made == ["Alder First", "Alder Two"]


@given(st.from_regex(r"[0-9a-z_]{1,64}", fullmatch=True))
def test_name_is_never_empty(sid: str) -> None:
    """Every service has a name, without space around it."""
    name = ServiceNames().of(Sid(sid))

    assert name
    assert name == name.strip()
