"""The digest is what the mirror holds, whatever was remembered of earlier ones."""

from datetime import date, timedelta

import pytest
from delivery.asking import held
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery import changes
from schedules_pipeline.delivery.changes import Digests, Scope
from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.partners.partner import Partner

_EVERYTHING = Scope(None, date.min, date.max)
_SCOPES = (_EVERYTHING, Scope(frozenset({ALDER}), date.min, date.max), Scope(None, TODAY, TODAY))
_PARTNER = Partner("acme", NOON)


def _version(sid: Sid, days: int, seq: int, *, removed: bool = False) -> MirroredSchedule:
    return held(schedule(key(sid, days), [], seq), removed=removed)


def _mirror() -> Mirror:
    mirror = Mirror()
    mirror.replace(FeedCursor("a", "5-0"), [_version(ALDER, 0, 1), _version(BIRCH, 0, 1)], NOON)
    return mirror


_CHANGES = st.lists(
    st.tuples(st.sampled_from([ALDER, BIRCH]), st.integers(0, 2), st.booleans()), min_size=1, max_size=6
)


@given(_CHANGES, st.booleans())
def test_a_digest_after_changes_equals_one_made_from_nothing(
    made: list[tuple[Sid, int, bool]], forgets: bool
) -> None:
    """After every change, for every scope, also if removals have been forgotten."""
    mirror = _mirror()
    digests = Digests(mirror)
    for number, (sid, days, removed) in enumerate(made):
        mirror.advance(f"{number + 6}-0", [_version(sid, days, number + 2, removed=removed)], NOON)
        if forgets:
            mirror.forget_removals(NOON + timedelta(days=9))
        for scope in _SCOPES:
            assert digests.of(_PARTNER, scope) == Digests(mirror).of(_PARTNER, scope)


def test_remembered_digests_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A digest is remembered until others fill the memory for them, and made again then."""
    digests = Digests(_mirror())
    first = digests.of(_PARTNER, _EVERYTHING)
    assert digests.of(_PARTNER, _EVERYTHING) is first

    monkeypatch.setattr(changes, "_DIGEST_BYTES_REMEMBERED", len(first.body))
    digests.of(_PARTNER, _SCOPES[1])

    again = digests.of(_PARTNER, _EVERYTHING)
    assert again == first
    assert again is not first
