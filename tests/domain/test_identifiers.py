"""Pids, service ids and schedule keys: what each takes, and what each refuses."""

import re
import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid, parse_date
from schedules_pipeline.errors import InvalidIdentifier

_PID_LETTERS = "0123456789bcdfghjklmnpqrstvwxyz"
_SID_LETTERS = string.ascii_lowercase + string.digits + "_"

_sids = st.text(_SID_LETTERS, min_size=1, max_size=64).map(Sid)
_dates = st.dates(date(2, 1, 1), date(9998, 12, 31))


@pytest.mark.parametrize("text", ["b0000001", "bcdfghjk", "lmnpqrst", "vwxyz012", "12345678", "z" * 32])
def test_pid_takes(text: str) -> None:
    """A text of 8 to 32 digits and consonants is a pid, equal to the text."""
    pid = Pid(text)

    assert pid == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("b000001", id="too short"),
        pytest.param("b" * 33, id="too long"),
        *[pytest.param(f"b000000{vowel}", id=f"vowel {vowel}") for vowel in "aeiou"],
        pytest.param("B0000001", id="upper case"),
        pytest.param("b000_0001", id="underscore"),
        pytest.param("b0000001\n", id="line end"),
        pytest.param(" b0000001", id="space"),
        pytest.param("b000000\N{ARABIC-INDIC DIGIT THREE}", id="digit of another script"),
        pytest.param("b000000\N{FULLWIDTH DIGIT ONE}", id="wide digit"),
        pytest.param("b000000\N{LATIN SMALL LETTER LONG S}", id="letter that lower case folds"),
        pytest.param("b0000001:b0000002", id="colon"),
        pytest.param("{b0000001}", id="braces"),
    ],
)
def test_pid_rejects(text: str) -> None:
    """Any other text is not a pid."""
    with pytest.raises(InvalidIdentifier, match="not a pid"):
        Pid(text)


@given(st.text(_PID_LETTERS, max_size=40) | st.text(max_size=40))
def test_pid_takes_exactly_its_alphabet_and_lengths(text: str) -> None:
    """A text is taken where its length and each of its characters are allowed, and nowhere else."""
    is_pid = 8 <= len(text) <= 32 and set(text) <= set(_PID_LETTERS)

    try:
        taken = Pid(text) == text
    except InvalidIdentifier:
        taken = False

    assert taken == is_pid


@pytest.mark.parametrize("text", ["a", "7", "_", "alder_one_north", "alder_radio_2", "x" * 64])
def test_sid_takes(text: str) -> None:
    """A text of 1 to 64 lower-case letters, digits and underscores is a service id, equal to the text."""
    sid = Sid(text)

    assert sid == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 65, id="too long"),
        pytest.param("Alder_one", id="upper case"),
        pytest.param("alder-one", id="hyphen"),
        pytest.param("alder/one", id="slash"),
        pytest.param("alder one", id="space"),
        pytest.param("alder_one\n", id="line end"),
        pytest.param("alder_\N{LATIN SMALL LETTER E WITH ACUTE}", id="accent"),
        pytest.param("alder_\N{DEVANAGARI DIGIT TWO}", id="digit of another script"),
        pytest.param("{alder}", id="braces"),
    ],
)
def test_sid_rejects(text: str) -> None:
    """Any other text is not a service id."""
    with pytest.raises(InvalidIdentifier, match="not a service id"):
        Sid(text)


@given(st.text(_SID_LETTERS, max_size=70) | st.text(max_size=70))
def test_sid_takes_exactly_its_alphabet_and_lengths(text: str) -> None:
    """A text is taken where its length and each of its characters are allowed, and nowhere else."""
    is_sid = 1 <= len(text) <= 64 and set(text) <= set(_SID_LETTERS)

    try:
        taken = Sid(text) == text
    except InvalidIdentifier:
        taken = False

    assert taken == is_sid


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-28", date(2026, 3, 28)),
        ("2024-02-29", date(2024, 2, 29)),
        ("0002-01-01", date(2, 1, 1)),
        ("9998-12-31", date(9998, 12, 31)),
    ],
)
def test_date_is_read(text: str, day: date) -> None:
    """A day of the calendar in the form YYYY-MM-DD is read."""
    parsed = parse_date(text)

    assert parsed == day


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("20260328", id="no hyphens"),
        pytest.param("2026-W13-6", id="week date"),
        pytest.param("2026-3-28", id="one digit of a month"),
        pytest.param("2026-02-29", id="no such day"),
        pytest.param("2026-13-01", id="no such month"),
        pytest.param("0000-01-01", id="no such year"),
        pytest.param("2026-03-28T00:00", id="with a time"),
        pytest.param("2026-03-28\n", id="line end"),
        pytest.param("-2026-03-28", id="sign"),
        pytest.param("\N{ARABIC-INDIC DIGIT TWO}026-03-28", id="digit of another script"),
        pytest.param("0001-12-31", id="first year"),
        pytest.param("9999-01-01", id="last year"),
    ],
)
def test_date_rejects(text: str) -> None:
    """Other ISO forms, days that do not exist and the ends of the calendar are refused."""
    with pytest.raises(InvalidIdentifier, match="not a date"):
        parse_date(text)


@given(_sids, _dates)
def test_schedule_key_is_read_back(sid: Sid, day: date) -> None:
    """The text of a schedule key is read back as the same key."""
    key = ScheduleKey(sid, day)

    parsed = ScheduleKey.parse(str(key))

    assert parsed == key


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a schedule key"),
        ("alder_one", "not a schedule key"),
        ("alder_one-2026-03-28", "not a schedule key"),
        ("/2026-03-28", "not a service id"),
        ("Alder/2026-03-28", "not a service id"),
        ("alder_one/", "not a date"),
        ("alder_one/2026-03-28/", "not a date"),
        ("alder_one/north/2026-03-28", "not a date"),
        ("alder_one/2026-02-30", "not a date"),
    ],
)
def test_schedule_key_rejects(text: str, complaint: str) -> None:
    """A text that is not a service id, a slash and a date is refused, naming the part that is wrong."""
    with pytest.raises(InvalidIdentifier, match=complaint):
        ScheduleKey.parse(text)


@pytest.mark.parametrize(
    "read", [Pid, Sid, parse_date, ScheduleKey.parse, lambda s: ScheduleKey.parse(s + "/")]
)
def test_rejection_does_not_repeat_a_long_text(read: type[str]) -> None:
    """The message of a refusal shows the beginning of the text only."""
    with pytest.raises(InvalidIdentifier, match=re.escape("XXXXXXXXXX")) as rejected:
        read("X" * 10_000)

    assert len(str(rejected.value)) < 200
