"""Partners, their keys, and what neither can be."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.errors import InvalidIdentifier, InvalidPartner
from schedules_pipeline.partners.partner import (
    MOST_KEYS,
    RANDOM_BYTES,
    ApiKey,
    Partner,
    issue_key,
    key_digest,
    key_id,
    partner_name,
    service_pattern,
)

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_DAY = timedelta(days=1)


def _key(number: int, expires_at: datetime | None = None) -> ApiKey:
    return issue_key(bytes([number]) * RANDOM_BYTES, _NOW, expires_at).key


_ACME = Partner("acme", _NOW, keys=(_key(1),))


@given(st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_a_key_names_itself_and_is_kept_as_its_digest(random: bytes) -> None:
    """Any random bytes give a text in the form of a key that contains the id of its record."""
    issued = issue_key(random, _NOW)

    assert key_id(issued.text) == issued.key.id
    assert issued.key.digest == key_digest(issued.text)
    assert len(issued.text) == len("sk_") + 8 + 1 + 40


@given(*[st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)] * 2)
def test_no_randomness_is_lost_in_a_key(one: bytes, other: bytes) -> None:
    """Keys are the same where they are made from the same bytes, and only there."""
    assert (issue_key(one, _NOW).text == issue_key(other, _NOW).text) == (one == other)


def test_a_key_is_not_in_its_representation() -> None:
    """The representation of an issued key does not contain the secret."""
    issued = issue_key(b"\x07" * RANDOM_BYTES, _NOW)

    assert issued.text not in repr(issued)
    assert issued.text.rpartition("_")[2] not in repr(issued)


@pytest.mark.parametrize("length", [0, RANDOM_BYTES - 1, RANDOM_BYTES + 1])
def test_a_key_is_made_from_enough_and_no_more(length: int) -> None:
    """Too little randomness is refused, not stretched."""
    with pytest.raises(ValueError, match=str(RANDOM_BYTES)):
        issue_key(bytes(length), _NOW)


@given(st.text())
def test_any_text_may_be_asked_for_its_id(text: str) -> None:
    """Any text, lone surrogates included, has a digest, and an id or None."""
    assert key_id(text) is None
    assert len(key_digest(text)) == 64


@pytest.mark.parametrize(("at", "expected"), [(-1, True), (0, False), (1, False)])
def test_a_key_is_valid_until_it_expires(at: int, expected: bool) -> None:
    """The instant at which it expires is the first at which it is not valid."""
    key = _key(1, _NOW + _DAY)

    assert key.is_valid(_NOW + _DAY + timedelta(microseconds=at)) is expected


def test_a_key_without_an_end_lasts() -> None:
    """It is valid until it is revoked."""
    assert _key(1).is_valid(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("*",), True),
        (("alder_one",), True),
        (("alder_*",), True),
        (("birch*", "alder_???"), True),
        (("alder",), False),
        (("birch*", "*_two"), False),
    ],
)
def test_a_partner_sees_what_one_of_its_patterns_fits(patterns: tuple[str, ...], expected: bool) -> None:
    """A pattern fits a whole service id, not a part of one."""
    partner = replace(_ACME, services=patterns)

    assert partner.may_see(Sid("alder_one")) is expected


@pytest.mark.parametrize("name", ["", "-acme", "Acme", "a" * 41, "a b", "acme\n", "(none)"])
def test_what_is_no_name_is_rejected(name: str) -> None:
    """Names stand in logs, metrics and keys of Redis: lower-case letters, digits and hyphens."""
    with pytest.raises(InvalidIdentifier):
        partner_name(name)


@pytest.mark.parametrize("pattern", ["", "[a-z]*", "Alder", "a" * 65, "alder one", "*\n"])
def test_what_is_no_pattern_is_rejected(pattern: str) -> None:
    """A pattern is a service id with stars and question marks."""
    with pytest.raises(InvalidIdentifier):
        service_pattern(pattern)


@pytest.mark.parametrize(
    "wrong",
    [
        {"services": ()},
        {"services": ("alder_one",) * 51},
        {"requests_per_minute": 0},
        {"requests_per_minute": 60_001},
        {"requests_per_day": 0},
        {"requests_per_day": 100_000_001},
        {"waiting_at_once": -1},
        {"waiting_at_once": 1_001},
        {"keys": (_key(1), _key(1, _NOW))},
        {"keys": tuple(_key(n) for n in range(MOST_KEYS + 1))},
        {"created_at": datetime(2026, 3, 28)},  # noqa: DTZ001 - the missing zone is tested
    ],
    ids=str,
)
def test_what_no_partner_can_be_is_rejected(wrong: dict[str, object]) -> None:
    """Limits out of range, too many keys or patterns, and naive times are rejected."""
    with pytest.raises(InvalidPartner):
        replace(_ACME, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [{"id": "short"}, {"id": "x" * 17}, {"digest": "secret"}, {"expires_at": datetime(2026, 3, 28)}],  # noqa: DTZ001
    ids=str,
)
def test_what_no_key_can_be_is_rejected(wrong: dict[str, object]) -> None:
    """A record of a key has an id, the digest and aware instants."""
    with pytest.raises(InvalidPartner):
        replace(_key(1), **wrong)  # type: ignore[arg-type]


def test_adding_a_key_drops_those_that_have_expired() -> None:
    """A partner whose keys expire never runs out of room for another."""
    partner = replace(_ACME, keys=(_key(1, _NOW - _DAY), _key(2)))

    added = partner.with_key(_key(3), _NOW)

    assert added.keys == (_key(2), _key(3))


def test_rotating_ends_the_old_keys_after_the_overlap() -> None:
    """Every other key expires then, one that expires sooner does so sooner, and the new one lasts."""
    partner = replace(_ACME, keys=(_key(1), _key(2, _NOW + timedelta(hours=1)), _key(3, _NOW + 9 * _DAY)))

    rotated = partner.rotated_to(_key(4), _NOW, _DAY)

    assert rotated.keys == (
        _key(1, _NOW + _DAY),
        _key(2, _NOW + timedelta(hours=1)),
        _key(3, _NOW + _DAY),
        _key(4),
    )


def test_rotating_without_an_overlap_leaves_the_new_key() -> None:
    """An overlap of nothing is how a key that has become known is replaced."""
    rotated = _ACME.rotated_to(_key(2), _NOW, timedelta(0))

    assert rotated.keys == (_key(2),)


def test_a_revoked_key_is_gone() -> None:
    """The others stay as they are."""
    partner = replace(_ACME, keys=(_key(1), _key(2)))

    assert partner.without_key(_key(1).id).keys == (_key(2),)


@pytest.mark.parametrize(
    "change",
    [
        lambda partner: partner.without_key("unknown1"),
        lambda partner: replace(partner, keys=tuple(map(_key, range(MOST_KEYS)))).with_key(_key(9), _NOW),
        lambda partner: replace(partner, keys=tuple(map(_key, range(MOST_KEYS)))).rotated_to(
            _key(9), _NOW, _DAY
        ),
    ],
)
def test_a_change_that_cannot_be_names_what_is_wrong(change: Callable[[Partner], Partner]) -> None:
    """An unknown key, or one too many, is an error of content, and nothing is changed."""
    with pytest.raises(InvalidPartner, match="key"):
        change(_ACME)
