"""Ancestry of any shape: it ends, reads no more than the bound, and is registered as far as it was read."""

from random import Random

import orjson
from fakes import FakeClock, fake_store, fake_upstreams, pipeline_over
from from_scratch import as_accepted, coldstart, contents
from fuzz.hostile import thoroughly
from fuzz.parsers import KEY, SCHEDULE_MESSAGES, source_document
from hypothesis import example, given
from hypothesis import strategies as st

from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS
from schedules_pipeline.domain.identifiers import Pid

_PIDS = tuple(Pid(f"p{number:07}") for number in range(14))
_KINDS = ("episode", "series", "brand")
_LONG_CHAIN = {number: (number + 1, "series") for number in range(13)}
_CYCLE = {0: (1, "episode"), 1: (2, "brand"), 2: (1, "series")}
_SELF = {0: (0, "brand")}

# Of some of the items their parent, perhaps themselves or one that there is not, and their kind.
_graphs = st.dictionaries(
    st.integers(0, 13),
    st.tuples(st.none() | st.integers(0, 13), st.sampled_from(_KINDS)),
)
_Graph = dict[int, tuple[int | None, str]]


class _World:
    """One schedule that shows the episode of number 0, over a catalogue of this shape."""

    def __init__(self, graph: _Graph) -> None:
        self.graph = graph
        self.clock = FakeClock()
        self.store = fake_store(self.clock)
        self.upstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)
        for number in graph:
            self.write(number, f"title {number}")
        self.upstreams.schedule_source.put(KEY, source_document(episode=_PIDS[0], broadcasts=1))
        self.upstreams.schedule_queue.post(SCHEDULE_MESSAGES[0].decode())
        self.settle()

    def write(self, number: int, title: str) -> None:
        parent, kind = self.graph[number]
        document = {"pid": _PIDS[number], "type": kind, "title": title}
        document |= {} if parent is None else {"parent_pid": _PIDS[parent]}
        self.upstreams.catalogue_source.documents[_PIDS[number]] = orjson.dumps(document)

    def settle(self) -> None:
        messages = self.upstreams.schedule_queue.receive(0)
        self.pipeline.schedule_intake.handle(messages)
        self.upstreams.schedule_queue.delete(messages)
        self.pipeline.publisher.publish_all()

    def dependencies(self) -> set[Pid]:
        """The pids whose change leads to the schedule, by the index."""
        return {pid for pid, found in self.store.references.references(list(_PIDS)).items() if found}


def _walk(graph: _Graph) -> list[Pid]:
    """What the rule says is read, written down a second time: upwards, each once, at most the bound."""
    walked: list[int] = []
    number: int | None = 0
    while number is not None and number not in walked and len(walked) <= MAXIMUM_ANCESTORS:
        walked.append(number)
        number = graph.get(number, (None, ""))[0]
    return [_PIDS[number] for number in walked]


@thoroughly
@given(_graphs)
@example(_LONG_CHAIN)
@example(_CYCLE)
@example(_SELF)
def test_index_holds_exactly_what_was_read(graph: _Graph) -> None:
    """For any shape of the catalogue a build ends, reads at most the bound, and registers exactly the pids that it
    read.
    """
    world = _World(graph)

    assert world.store.work.backlog().is_empty
    assert not world.store.work.quarantined()
    assert world.dependencies() == set(_walk(graph))
    assert len(world.dependencies()) <= MAXIMUM_ANCESTORS + 1


@thoroughly
@given(_graphs, st.integers(0, 13), st.none() | st.integers(0, 13))
@example(_LONG_CHAIN, 8, 0)
@example(_LONG_CHAIN, 9, None)
@example(_CYCLE, 2, 2)
def test_change_anywhere_in_what_was_read_rebuilds(graph: _Graph, changed: int, parent: int | None) -> None:
    """An item that is new, or has another title and parent, rebuilds the schedule exactly if it was read."""
    world = _World(graph)
    was_read = _PIDS[changed] in _walk(graph)
    world.graph = {**graph, changed: (parent, "series")}
    world.write(changed, "another title")
    body = orjson.dumps({"action": "UPDATE", "type": "series", "pid": _PIDS[changed]}).decode()
    world.upstreams.catalogue_queue.post(body)

    taken = world.pipeline.catalogue_intake.handle(world.upstreams.catalogue_queue.receive(0))
    world.pipeline.publisher.publish_all()

    store = world.store.as_store()
    assert taken.marked == (1 if was_read else 0)
    assert contents(store, [KEY]) == coldstart(world.upstreams, [KEY])
    assert contents(store, [KEY]) == coldstart(as_accepted(store, [KEY], _PIDS), [KEY])
    assert world.dependencies() == set(_walk(world.graph))
