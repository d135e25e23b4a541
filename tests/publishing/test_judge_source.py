"""Which schedule documents may replace the accepted one, and what confirms a shrunken document."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from schedules_pipeline.documents.accepted_schedule import accept
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.judge_source import (
    Accepted,
    Judgement,
    Rejected,
    Removed,
    can_be_confirmed,
    judge_source,
)
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import SourceObject

_KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_NOW = datetime(2026, 1, 10, 9, 30, tzinfo=UTC)


def _content(broadcasts: int, *, published_at: str = "2026-01-10T09:00:00Z", first: int = 0) -> bytes:
    """A document of half-hour broadcasts; ``first`` is the number of its first one."""
    six = datetime(2026, 1, 15, 6, tzinfo=UTC)
    slots = [
        {
            "broadcast_pid": f"p{first + number:07}",
            "episode_pid": "b0000001",
            "start": six + timedelta(minutes=30 * number),
            "end": six + timedelta(minutes=30 * (number + 1)),
        }
        for number in range(broadcasts)
    ]
    head = {"sid": "alder_one_north", "date": "2026-01-15", "published_at": published_at}
    return orjson.dumps({**head, "broadcasts": slots})


def _judge(
    content: bytes,
    *,
    held: int = 40,
    put_id: str = "put-1",
    earlier: Rejection | None = None,
    smallest_share: float = 0.5,
) -> Judgement:
    return judge_source(
        _KEY, SourceObject(content, put_id), held, earlier, PublishingPolicy(smallest_share), _NOW
    )


def _accepted(content: bytes) -> Accepted:
    return Accepted(accept(parse_source_document(_KEY, content)))


def _rejection(content: bytes, *, put_id: str = "put-1") -> Rejection:
    judgement = _judge(content, put_id=put_id)
    assert isinstance(judgement, Rejected)
    return judgement.rejection


@pytest.mark.parametrize("held", [0, 40])
@pytest.mark.parametrize("earlier", [None, Rejection("", _NOW, "digest", "put-1", "")])
def test_missing_document_is_a_removal(held: int, earlier: Rejection | None) -> None:
    """Without a document in the source the schedule is removed, in any earlier state."""
    judgement = judge_source(_KEY, None, held, earlier, PublishingPolicy(), _NOW)

    assert judgement == Removed()


@pytest.mark.parametrize(
    ("broadcasts", "held", "smallest_share"),
    [
        pytest.param(1, 0, 0.5, id="first"),
        pytest.param(40, 40, 0.5, id="as many"),
        pytest.param(60, 40, 0.5, id="more"),
        pytest.param(20, 40, 0.5, id="half"),
        pytest.param(40, 40, 1.0, id="none may go"),
        pytest.param(1, 40, 0.0, id="all but one may go"),
    ],
)
def test_document_is_accepted(broadcasts: int, held: int, smallest_share: float) -> None:
    """A valid document with enough broadcasts is accepted."""
    content = _content(broadcasts)

    judgement = _judge(content, held=held, smallest_share=smallest_share)

    assert judgement == _accepted(content)


@pytest.mark.parametrize(
    ("broadcasts", "held", "smallest_share"),
    [
        pytest.param(0, 0, 0.5, id="empty and first"),
        pytest.param(0, 40, 0.5, id="empty"),
        pytest.param(0, 40, 0.0, id="empty where all may go"),
        pytest.param(19, 40, 0.5, id="less than half"),
        pytest.param(39, 40, 1.0, id="one fewer where none may go"),
    ],
)
def test_shrunken_document_is_rejected(broadcasts: int, held: int, smallest_share: float) -> None:
    """The reason has both numbers of broadcasts, and says how to confirm the document."""
    judgement = _judge(_content(broadcasts), held=held, smallest_share=smallest_share)

    assert isinstance(judgement, Rejected)
    assert judgement.rejection.reason == (
        f"schedule alder_one_north/2026-01-15: {broadcasts} broadcasts would replace {held}; "
        "put the same document again to confirm it"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "Invalid JSON", id="no bytes"),
        pytest.param(b"<html>", "Invalid JSON", id="not JSON"),
        pytest.param(b"{}", "Field required", id="no fields"),
        pytest.param(
            _content(40).replace(b"north", b"south"), "says that it is 'alder_one_south/", id="another's"
        ),
        pytest.param(
            _content(40).replace(b"p0000007", b"p0000008"), "p0000008 is listed twice", id="repeated"
        ),
        pytest.param(
            _content(40).replace(b"p0000007", b"episode7"), "broadcasts.7.broadcast_pid", id="bad pid"
        ),
        pytest.param(
            _content(1).replace(b"2026-01-15T06:30", b"0001-01-01T00:00"), "ends at or", id="ends early"
        ),
        pytest.param(
            _content(1).replace(b"2026-01-15T06:00:00+00:00", b"0001-01-01T00:00:00+14:00"),
            "beyond",
            id="too early",
        ),
    ],
)
def test_invalid_document_is_rejected(content: bytes, complaint: str) -> None:
    """The rejection has the reason, the time and the beginning of the document."""
    judgement = _judge(content, put_id="put-7")

    assert isinstance(judgement, Rejected)
    assert complaint in judgement.rejection.reason
    assert (judgement.rejection.put_id, judgement.rejection.refused_at) == ("put-7", _NOW)
    assert judgement.rejection.excerpt == content[:2_000].decode()


def test_invalid_document_is_never_confirmed() -> None:
    """An invalid document is rejected each time it is put."""
    earlier = _rejection(b"<html>")

    judgement = _judge(b"<html>", put_id="put-2", earlier=earlier)

    assert isinstance(judgement, Rejected)


@pytest.mark.parametrize(
    ("content", "again"),
    [
        pytest.param(_content(3), _content(3), id="same bytes"),
        pytest.param(_content(0), _content(0), id="empty"),
        pytest.param(_content(3), _content(3, published_at="2026-01-10T09:05:00Z"), id="published later"),
        pytest.param(_content(3), _content(3).replace(b",", b", "), id="other spacing"),
    ],
)
def test_second_put_of_the_same_broadcasts_confirms(content: bytes, again: bytes) -> None:
    """A shrunken document is accepted when the source puts the same broadcasts again."""
    earlier = _rejection(content)

    judgement = _judge(again, put_id="put-2", earlier=earlier)

    assert judgement == _accepted(again)


@pytest.mark.parametrize("content", [_content(3), _content(0)], ids=["shrunken", "empty"])
def test_same_put_seen_twice_confirms_nothing(content: bytes) -> None:
    """A shrunken document that is read twice, but put once, stays rejected."""
    earlier = _rejection(content)

    judgement = _judge(content, earlier=earlier)

    assert judgement == Rejected(earlier)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_content(4), id="other number"),
        pytest.param(_content(3, first=100), id="other broadcasts"),
        pytest.param(_content(0), id="empty"),
        pytest.param(b"<html>", id="invalid"),
        pytest.param(b"", id="no bytes"),
    ],
)
def test_another_document_in_between_undoes_the_first_put(other: bytes) -> None:
    """After another rejected document, a shrunken one must be put twice again."""
    earlier = _rejection(other, put_id="put-2")

    third = _judge(_content(3), put_id="put-3", earlier=earlier)

    assert isinstance(third, Rejected)
    fourth = _judge(_content(3), put_id="put-4", earlier=third.rejection)
    assert fourth == _accepted(_content(3))


def test_accepted_document_in_between_undoes_the_first_put() -> None:
    """After the first rejection is forgotten, as after an accepted document, the next put counts as the first."""
    judgement = _judge(_content(3), put_id="put-3", earlier=None)

    assert isinstance(judgement, Rejected)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", _content(3)], ids=["no bytes", "list", "object", "shrunken"]
)
def test_empty_document_is_confirmed_by_an_empty_document_only(content: bytes) -> None:
    """No other rejected content confirms an empty document, not even an object without bytes."""
    earlier = _rejection(content)

    judgement = _judge(_content(0), put_id="put-2", earlier=earlier)

    assert isinstance(judgement, Rejected)


def test_document_that_has_not_shrunk_needs_no_confirmation() -> None:
    """An earlier rejection does not affect a document with enough broadcasts."""
    earlier = _rejection(b"<html>")

    judgement = _judge(_content(40), put_id="put-2", earlier=earlier)

    assert judgement == _accepted(_content(40))


def test_excerpt_of_a_rejected_document_is_short() -> None:
    """The excerpt is cut at a fixed length, even within a character."""
    content = b"x" + "\N{OWL}".encode() * 100_000

    excerpt = _rejection(content).excerpt

    assert excerpt == "x" + "\N{OWL}" * 499 + "\N{REPLACEMENT CHARACTER}"


def test_shrunken_document_that_an_operator_confirmed_is_accepted() -> None:
    """The same put is accepted after an operator has confirmed its broadcasts."""
    rejection = _rejection(_content(3))
    confirmed = replace(rejection, confirmed_digest=rejection.digest)

    judgement = _judge(_content(3), earlier=confirmed)

    assert judgement == _accepted(_content(3))


def test_confirmation_covers_only_these_broadcasts() -> None:
    """Other broadcasts are rejected, and the new rejection is not confirmed."""
    rejection = _rejection(_content(3))
    confirmed = replace(rejection, confirmed_digest=rejection.digest)

    judgement = _judge(_content(3, first=7), put_id="put-2", earlier=confirmed)

    assert isinstance(judgement, Rejected)
    assert judgement.rejection.confirmed_digest == ""


def test_only_shrunken_documents_can_be_confirmed() -> None:
    """The rejection of an invalid document cannot be confirmed."""
    assert can_be_confirmed(_rejection(_content(3)))
    assert not can_be_confirmed(_rejection(b"{"))
