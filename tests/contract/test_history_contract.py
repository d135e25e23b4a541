"""Published versions, on fakes and Redis alike."""

from datetime import UTC, datetime

from builders import a_change

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Commit
from schedules_pipeline.publishing.ports.versions import VERSIONS_LISTED

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_A, _B = ScheduleKey.parse("alder/2026-03-28"), ScheduleKey.parse("birch/2026-03-28")


def _publish(store: Store, *etags: str) -> None:
    """Commit these etags one after the other; "" is a removal."""
    for etag in etags:
        state = store.schedules.read([_A])[_A]
        change = a_change(_A, state.seq + 1, etag=etag, published_at=_NOW)
        token = state.committed_token + 1
        document = f"document {etag}".encode() if etag else b""
        commit = Commit(_A, token, token - 1, 0, b"", False, frozenset(), etag, document, change)
        store.schedules.commit([commit])


def test_versions_are_listed_newest_first(store: Store) -> None:
    """Every published version is listed with its row, removals included."""
    _publish(store, "e1", "e2", "", "e3")

    assert [(v.seq, v.etag) for v in store.versions.versions(_A)] == [
        (4, "e3"),
        (3, ""),
        (2, "e2"),
        (1, "e1"),
    ]
    assert store.versions.versions(_B) == []


def test_documents_of_earlier_versions_are_kept(store: Store) -> None:
    """The documents of the current and of replaced versions are kept; a removal has none."""
    _publish(store, "e1", "e2", "", "e3")

    documents = [store.versions.document(_A, seq) for seq in (1, 2, 3, 4, 5)]

    assert documents == [b"document e1", b"document e2", None, b"document e3", None]
    assert store.versions.document(_B, 1) is None


def test_compacted_versions_read_as_before(store: Store) -> None:
    """A compacted version reads the same, even if it is compacted twice; unknown versions are skipped."""
    _publish(store, "e1", "e2", "e3")

    store.versions.compact([_A, _B])
    store.versions.compact([_A, _A])

    assert [store.versions.document(_A, seq) for seq in (1, 2, 3)] == [
        b"document e1",
        b"document e2",
        b"document e3",
    ]


def test_only_the_latest_versions_are_listed(store: Store) -> None:
    """The list is bounded, even if a schedule changes often."""
    _publish(store, *(f"e{number}" for number in range(VERSIONS_LISTED + 5)))

    versions = store.versions.versions(_A)

    assert len(versions) == VERSIONS_LISTED
    assert versions[0].etag == f"e{VERSIONS_LISTED + 4}"


def test_an_unchanged_build_is_no_version(store: Store) -> None:
    """A commit of equal bytes leaves the versions unchanged."""
    _publish(store, "e1", "e1")

    assert [v.seq for v in store.versions.versions(_A)] == [1]
