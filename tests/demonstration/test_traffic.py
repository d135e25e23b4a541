"""The traffic makes changes of every kind; each is valid, alters a document, and is made for the given instant."""

from collections import Counter
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from random import Random

import orjson
import pytest

from demo.line_ups import LineUp
from demo.sample import Document, Sample, SourceKey, make_sample
from demo.traffic import Change, Traffic
from schedules_pipeline.documents.catalogue_document import parse_catalogue_document
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid

_FIRST_DATE = date(2026, 11, 2)
_NOW = datetime(2026, 11, 6, 20, tzinfo=UTC)
_KINDS = {
    "retitle",
    "placeholder",
    "synopsis",
    "image",
    "brand",
    "parent",
    "unused field",
    "unreferenced",
    "move",
    "insert",
    "drop",
    "overrun",
    "overlap",
    "repair",
    "early showing",
    "late arrival",
}


class _Step:
    """One change, with the upstream content before and after it."""

    def __init__(self, change: Change, before: Sample) -> None:
        schedules = {key: schedule for key, schedule in change.schedules.items() if schedule}
        self.change = change
        self.before = before
        self.after = Sample(before.catalogue | change.catalogue, before.schedules | schedules)

    @property
    def kind(self) -> str:
        return self.change.description.split(":")[0]

    def line_ups(self) -> list[LineUp]:
        return [self.after.schedules[key]["broadcasts"] for key in self.change.schedules]


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Two weeks that have begun some days before now."""
    return make_sample(_FIRST_DATE)


@pytest.fixture(scope="module")
def steps(sample: Sample) -> list[_Step]:
    """The first thousand changes of one traffic, one a second."""
    traffic, state, steps = Traffic(sample, Random(7)), sample, []
    for second in range(1_000):
        step = _Step(traffic.next_change(_NOW + timedelta(seconds=second)), state)
        steps.append(step)
        state = step.after
    return steps


def _of(steps: list[_Step], *kinds: str) -> list[_Step]:
    return [step for step in steps if step.kind in kinds]


def _shown(sample: Sample) -> set[str]:
    return {b["episode_pid"] for schedule in sample.schedules.values() for b in schedule["broadcasts"]}


def _lineage(sample: Sample, pid: str) -> list[str]:
    lineage = [pid]
    while parent := sample.catalogue.get(lineage[-1], {}).get("parent_pid"):
        assert parent not in lineage, "a cycle"
        lineage.append(parent)
    return lineage


def _starts(sample: Sample, key: SourceKey) -> dict[str, datetime]:
    broadcasts = sample.schedules[key]["broadcasts"]
    return {b["broadcast_pid"]: datetime.fromisoformat(b["start"]) for b in broadcasts}


def _edits(steps: list[_Step], *kinds: str) -> list[tuple[Document, Document]]:
    """Return each item that changes of these kinds have altered, as it was and as it is."""
    return [
        (step.before.catalogue[pid], new)
        for step in _of(steps, *kinds)
        for pid, new in step.change.catalogue.items()
    ]


def _seams(line_up: LineUp) -> list[str]:
    return [after["start"] for before, after in pairwise(line_up) if before["end"] != after["start"]]


def test_traffic_makes_changes_of_every_kind(steps: list[_Step]) -> None:
    """A thousand changes have some of each kind, and no kind that is not known here."""
    kinds = Counter(step.kind for step in steps)

    rarest = min(kinds.values())

    assert kinds.keys() == _KINDS
    assert rarest >= 5


def test_traffic_is_the_same_for_the_same_seed(sample: Sample) -> None:
    """Two traffics with the same sample, seed and instants make the same changes."""
    first, second = (Traffic(sample, Random(5)).changes(lambda: _NOW) for _ in range(2))

    changes = list(islice(first, 50))

    assert changes == list(islice(second, 50))


def test_traffic_leaves_the_sample_as_it_is() -> None:
    """Changes do not alter the documents of the sample."""
    sample = make_sample(_NOW.date(), days=1)
    original = deepcopy(sample)

    list(islice(Traffic(sample, Random(5)).changes(lambda: _NOW), 300))

    assert sample == original


def test_traffic_never_alters_what_it_has_handed_out() -> None:
    """A change still holds the same documents after later ones."""
    changes = Traffic(make_sample(_NOW.date(), days=1), Random(5)).changes(lambda: _NOW)
    first = list(islice(changes, 50))
    original = deepcopy(first)

    list(islice(changes, 300))

    assert first == original


def test_change_writes_something_new(steps: list[_Step]) -> None:
    """Every document of every change differs from the one before it."""
    same = [
        step.change.description
        for step in steps
        if any(step.before.catalogue.get(pid) == new for pid, new in step.change.catalogue.items())
        or any(step.before.schedules[key] == new for key, new in step.change.schedules.items())
    ]

    written = [len(step.change.catalogue) + len(step.change.schedules) for step in steps]

    assert same == []
    assert min(written) == 1


def test_changed_schedules_are_accepted(steps: list[_Step]) -> None:
    """Each schedule of each change parses under its key, published at the given instant."""
    changed = [(second, item) for second, step in enumerate(steps) for item in step.change.schedules.items()]

    parsed = [
        parse_source_document(ScheduleKey(Sid(sid), on), orjson.dumps(document))
        for _, ((sid, on), document) in changed
    ]

    expected = [_NOW + timedelta(seconds=second) for second, _ in changed]
    assert [document.schedule.published_at for document in parsed] == expected


def test_changed_schedules_stay_in_order_and_within_their_day(steps: list[_Step]) -> None:
    """Broadcasts are listed by their start; the first start and the last end never move."""
    changed = [(step, key) for step in steps for key in step.change.schedules]

    for step, key in changed:
        old, new = (state.schedules[key]["broadcasts"] for state in (step.before, step.after))
        starts = [broadcast["start"] for broadcast in new]

        assert starts == sorted(starts)
        assert (new[0]["start"], new[-1]["end"]) == (old[0]["start"], old[-1]["end"])


def test_changed_schedules_do_not_shrink_sharply(steps: list[_Step]) -> None:
    """No change takes more than one broadcast from a schedule, and none is left with very few."""
    counts = [
        (len(step.before.schedules[key]["broadcasts"]), len(step.after.schedules[key]["broadcasts"]))
        for step in steps
        for key in step.change.schedules
    ]

    losses = [old - new for old, new in counts]

    assert set(losses) == {-1, 0, 1}
    assert min(new for _, new in counts) > 10


def test_changed_items_are_accepted(steps: list[_Step]) -> None:
    """Each catalogue document of each change parses as the item of its pid."""
    documents = [item for step in steps for item in step.change.catalogue.items()]

    parsed = [parse_catalogue_document(Pid(pid), orjson.dumps(document)) for pid, document in documents]

    assert [item.pid for item in parsed] == [pid for pid, _ in documents]


def test_changes_prefer_schedules_near_now(steps: list[_Step]) -> None:
    """Most changed schedules are of today or a neighbouring day, though the sample has two weeks."""
    days = [abs((on - _NOW.date()).days) for step in steps for _, on in step.change.schedules]

    near = sum(distance <= 1 for distance in days)

    assert near > len(days) / 2
    assert max(days) > 2


def test_overlap_is_repaired_at_the_next_step(steps: list[_Step]) -> None:
    """Only an overlap leaves a schedule torn, and the step after it makes that schedule whole."""
    pairs = [pair for pair in pairwise(steps) if pair[0].kind == "overlap"]

    torn = [step for step in steps if any(map(_seams, step.line_ups()))]

    assert torn == _of(steps, "overlap")
    assert all(repair.kind == "repair" for _, repair in pairs)
    assert all(overlap.change.schedules.keys() == repair.change.schedules.keys() for overlap, repair in pairs)


def test_overlap_is_an_overlap(steps: list[_Step]) -> None:
    """In a torn schedule one programme ends after the next has started."""
    line_ups = [line_up for step in _of(steps, "overlap") for line_up in step.line_ups()]

    overlapping = [
        [after for before, after in pairwise(line_up) if before["end"] > after["start"]]
        for line_up in line_ups
    ]

    assert all(len(found) == 1 for found in overlapping)


def test_early_showing_is_followed_by_its_episode(steps: list[_Step]) -> None:
    """An episode that the catalogue lacks is shown first, and arrives at the step after."""
    pairs = [pair for pair in pairwise(steps) if pair[0].kind == "early showing"]

    for showing, arrival in pairs:
        (pid,) = arrival.change.catalogue

        assert arrival.kind == "late arrival"
        assert pid in _shown(showing.after) - showing.after.catalogue.keys() - _shown(showing.before)


def test_overrun_reaches_the_variants_that_share_the_programme(steps: list[_Step]) -> None:
    """Some overrun changes many services at once, all of one day."""
    overruns = _of(steps, "overrun")

    sizes = [len(step.change.schedules) for step in overruns]

    assert max(sizes) >= 12
    assert all(len({on for _, on in step.change.schedules}) == 1 for step in overruns)


def test_overrun_pushes_what_follows(steps: list[_Step]) -> None:
    """After an overrun at least four programmes start later than before, and all by the same time."""
    changed = [(step, key) for step in _of(steps, "overrun") for key in step.change.schedules]

    for step, key in changed:
        starts = zip(_starts(step.before, key).items(), _starts(step.after, key).items(), strict=True)
        delays = [new - old for (old_pid, old), (pid, new) in starts if new != old and pid == old_pid]

        assert len(delays) >= 4
        assert len(set(delays)) == 1


def test_move_is_by_five_minutes(steps: list[_Step]) -> None:
    """A moved programme and the one after it start five minutes sooner or later; all pids stay."""
    changed = [(step, key) for step in _of(steps, "move") for key in step.change.schedules]

    for step, key in changed:
        old, new = _starts(step.before, key), _starts(step.after, key)
        delays = [abs(new[pid] - old[pid]) for pid in old if new[pid] != old[pid]]

        assert [*old] == [*new]
        assert delays == [timedelta(minutes=5)] * 2


def test_insert_adds_a_new_broadcast(steps: list[_Step]) -> None:
    """An insertion adds one broadcast, with a pid that was on no service, of an episode of the catalogue."""
    for step in _of(steps, "insert"):
        ((key, schedule),) = step.change.schedules.items()
        (added,) = _starts(step.after, key).keys() - _starts(step.before, key).keys()
        shown = {b["broadcast_pid"]: b["episode_pid"] for b in (schedule or {})["broadcasts"]}

        assert all(added not in _starts(step.before, other) for other in step.before.schedules)
        assert step.before.catalogue[shown[added]]["type"] == "episode"


def test_drop_takes_one_broadcast_away(steps: list[_Step]) -> None:
    """A drop leaves all other broadcasts where they start."""
    for step in _of(steps, "drop"):
        (key,) = step.change.schedules
        old, new = _starts(step.before, key), _starts(step.after, key)

        assert new.items() < old.items()
        assert len(old) - len(new) == 1


@pytest.mark.parametrize(
    ("kinds", "fields"),
    [
        (("retitle", "placeholder", "brand", "unreferenced"), {"title"}),
        (("synopsis",), {"synopses"}),
        (("image",), {"image_pid"}),
        (("parent",), {"parent_pid"}),
        (("unused field",), {"position"}),
    ],
)
def test_catalogue_change_is_of_one_field(
    steps: list[_Step], kinds: tuple[str, ...], fields: set[str]
) -> None:
    """A change of an item alters the one field that its kind is about."""
    changed = _edits(steps, *kinds)

    altered = {
        name for old, new in changed for name in old.keys() | new.keys() if old.get(name) != new.get(name)
    }

    assert altered == fields


def test_brand_edit_touches_many_schedules(steps: list[_Step]) -> None:
    """Some edited brand is shown, through its episodes, by more than a hundred schedules."""
    brands = {pid for step in _of(steps, "brand") for pid in step.change.catalogue}
    state = steps[-1].after

    reach = Counter(
        pid
        for schedule in state.schedules.values()
        for pid in {kin for b in schedule["broadcasts"] for kin in _lineage(state, b["episode_pid"])} & brands
    )

    assert max(reach.values()) > 100


def test_placeholder_becomes_a_title(steps: list[_Step]) -> None:
    """A placeholder change takes the date out of a title."""
    changed = _edits(steps, "placeholder")

    titles = [(old["title"][-4:], new["title"][-4:]) for old, new in changed]

    assert all(old == "2026" and new != "2026" for old, new in titles)


def test_unreferenced_item_is_shown_nowhere(steps: list[_Step]) -> None:
    """An item that is changed as unreferenced is neither shown nor an ancestor of a shown item."""
    for step in _of(steps, "unreferenced")[:10]:
        referenced = {kin for pid in _shown(step.after) for kin in _lineage(step.after, pid)}

        assert referenced.isdisjoint(step.change.catalogue)


def test_series_moves_under_brands_only(sample: Sample) -> None:
    """Series are hung under brands, episodes under either, so that no item can become its own ancestor."""
    changes = islice(Traffic(sample, Random(3)).changes(lambda: _NOW), 3_000)
    moved = [
        item
        for change in changes
        if change.description.startswith("parent")
        for item in change.catalogue.values()
    ]

    kinds = {(item["type"], sample.catalogue[item["parent_pid"]]["type"]) for item in moved}

    assert kinds == {("episode", "series"), ("episode", "brand"), ("series", "brand")}


def test_parents_never_form_a_cycle(steps: list[_Step]) -> None:
    """After all changes every item's ancestry ends, and no brand has a parent."""
    state = steps[-1].after

    lineages = [_lineage(state, pid) for pid in state.catalogue]

    assert max(map(len, lineages)) <= 8
    assert not any(item.get("parent_pid") for item in state.catalogue.values() if item["type"] == "brand")
