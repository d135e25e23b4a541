"""Entity tags, and the cache of rendered representations."""

import asyncio
from asyncio import gather
from collections.abc import Sequence
from datetime import timedelta

import pytest
from delivery.asking import held
from delivery.guides import NOON, key, schedule, showing

from schedules_pipeline.delivery.packing import Coding, Packed
from schedules_pipeline.delivery.representations import (
    RepresentationCache,
    coding_for,
    entity_tag,
    names_tag,
    validator_of,
    validator_of_version,
)


def _packed(size: int) -> Packed:
    return Packed(b"z" * (size // 2), b"g" * (size - size // 2), size)


def test_every_coding_has_its_own_strong_tag() -> None:
    """Other bytes have another tag, and none of them is weak."""
    tags = {entity_tag("a", coding) for coding in Coding}

    assert tags == {'"a"', '"a.gzip"', '"a.zstd"'}


@pytest.mark.parametrize(
    ("if_none_match", "is_named"),
    [
        ('"a.gzip"', True),
        ('W/"a.gzip"', True),
        ('"b", "a.gzip" ,"c"', True),
        ('"a"', False),
        ('"a.zstd"', False),
        ('"A.gzip"', False),
        ("a.gzip", False),
        ('w/"a.gzip"', False),
        ('"', False),
        (",,,", False),
    ],
)
def test_tag_is_found_in_a_list(if_none_match: str, *, is_named: bool) -> None:
    """A list names a tag weakly or strongly; the tag of another coding is another tag."""
    assert names_tag(if_none_match, '"a.gzip"') is is_named


def test_content_that_comes_back_is_another_version() -> None:
    """Two versions with the same content have two validators, because their envelopes differ."""
    first = held(schedule(key(), [showing(1, NOON)], seq=1))
    third = held(schedule(key(), [showing(1, NOON)], seq=3))

    assert first.etag == third.etag
    assert validator_of_version(first) != validator_of_version(third)


def test_number_that_comes_back_is_another_version() -> None:
    """In another keyspace the same content may have the same number; its instant tells the two apart."""
    listed = schedule(key(), [showing(1, NOON)], published_at=NOON)
    again = schedule(key(), [showing(1, NOON)], published_at=NOON + timedelta(microseconds=1))

    assert validator_of_version(held(listed)) != validator_of_version(held(again))


def test_validator_tells_parts_apart() -> None:
    """Parts that are split differently give another validator, even if the joined letters are equal."""
    assert len({validator_of("ab", "c"), validator_of("a", "bc"), validator_of("abc")}) == 3


@pytest.mark.parametrize(("size", "coding"), [(599, Coding.IDENTITY), (600, Coding.ZSTD)])
def test_what_is_small_goes_plain(size: int, coding: Coding) -> None:
    """What fits into a packet is not packed."""
    assert coding_for(Coding.ZSTD, size) is coding


def test_shelf_drops_what_was_unused_longest() -> None:
    """A full cache drops the least recently requested representation first."""
    shelf = RepresentationCache[Packed](capacity_bytes=400)
    for name in "abcd":
        shelf.put(name, _packed(100))
    shelf.find("a")

    shelf.put("e", _packed(100))

    assert [name for name in "abcde" if shelf.find(name)] == ["a", "c", "d", "e"]


def test_shelf_never_holds_more_than_it_may() -> None:
    """After any insertions the cache is within its limit and has the latest representation."""
    shelf = RepresentationCache[Packed](capacity_bytes=1_000)
    for number in range(200):
        shelf.put(str(number), _packed(number))

    held_sizes = [packed.size for number in range(200) if (packed := shelf.find(str(number)))]

    assert 600 < sum(held_sizes) <= 1_000
    assert shelf.find("199")


def test_a_failure_is_not_remembered() -> None:
    """Those who wait for it hear of it, and the next one has it made again."""
    shelf = RepresentationCache[Packed]()

    async def fail(_: Sequence[str]) -> Sequence[Packed]:
        raise RuntimeError("a defect")

    async def make(validators: Sequence[str]) -> Sequence[Packed]:
        return [_packed(100) for _ in validators]

    async def ask() -> list[object]:
        failed = await gather(
            *(shelf.find_or_make(["a", "b"], fail) for _ in range(2)), return_exceptions=True
        )
        return [*map(str, failed), len(await shelf.find_or_make(["b", "a", "b"], make))]

    assert asyncio.run(ask()) == ["a defect", "a defect", 3]


def test_pieces_that_are_in_the_making_are_made_once() -> None:
    """Only those are asked for that nobody has asked for yet, and each stands in its place."""
    shelf, asked = RepresentationCache[Packed](), list[list[str]]()

    async def make(validators: Sequence[str]) -> Sequence[Packed]:
        asked.append(list(validators))
        return [_packed(2 * len(validator)) for validator in validators]

    async def ask() -> tuple[list[Packed], list[Packed]]:
        return await gather(
            shelf.find_or_make(["a", "bb"], make), shelf.find_or_make(["ccc", "bb", "a"], make)
        )

    found = asyncio.run(ask())

    assert asked == [["a", "bb"], ["ccc"]]
    assert [[packed.size for packed in each] for each in found] == [[2, 4], [6, 4, 2]]


def test_shelf_does_not_take_what_would_drive_out_the_rest() -> None:
    """One answer larger than a quarter of the shelf is not put there."""
    shelf = RepresentationCache[Packed](capacity_bytes=400)
    shelf.put("a", _packed(100))

    shelf.put("large", _packed(101))

    assert shelf.find("large") is None
    assert shelf.find("a") is not None


def test_what_is_put_twice_counts_once() -> None:
    """To put the same again takes no room."""
    shelf = RepresentationCache[Packed](capacity_bytes=400)
    for _ in range(10):
        shelf.put("a", _packed(100))
    for name in "bcd":
        shelf.put(name, _packed(100))

    assert all(shelf.find(name) for name in "abcd")
