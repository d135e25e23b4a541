"""Unknown items among what a schedule refers to."""

from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.findings import Concern, Finding, find_unresolved
from schedules_pipeline.domain.identifiers import Pid


def _pid(number: int) -> Pid:
    return Pid(f"p{number:07}")


def test_unresolved_names_each_showing_and_each_ancestor() -> None:
    """Each broadcast of an unknown episode is named, and each unknown ancestor once."""
    known, unknown = Pid("b0000001"), Pid("b0000002")
    series, brand = Pid("b0000003"), Pid("b0000004")
    shown = [
        EpisodeMention(known, _pid(1)),
        EpisodeMention(unknown, _pid(2)),
        EpisodeMention(unknown, _pid(3)),
    ]

    findings = find_unresolved(shown, [brand, series], {unknown, brand, Pid("b0000009")})

    assert findings == [
        Finding(Concern.UNKNOWN_EPISODE, _pid(2), unknown),
        Finding(Concern.UNKNOWN_EPISODE, _pid(3), unknown),
        Finding(Concern.UNKNOWN_ANCESTOR, None, brand),
    ]


def test_unresolved_is_empty_where_all_is_known() -> None:
    """Where nothing is unknown nothing is found."""
    findings = find_unresolved([EpisodeMention(Pid("b0000001"), _pid(1))], [Pid("b0000003")], frozenset())

    assert findings == []
