"""Sessions of the guide and links that sign in once, on fakes and Redis alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.partners.sign_in import MOST_EACH, SESSION_LASTS, GuideSession, SignInLink

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_SESSION = GuideSession("acme", _NOW + SESSION_LASTS, "aaaaaaaa")


def test_a_session_is_found_until_it_is_ended(store: Store) -> None:
    """By its digest; ending it twice is harmless."""
    sign_ins = store.sign_ins
    before = sign_ins.session("d1")

    sign_ins.begin("d1", _SESSION, _NOW)
    during = sign_ins.session("d1"), sign_ins.sessions()
    for _ in range(2):
        sign_ins.end("d1")

    assert before is None
    assert during == (_SESSION, {"d1": _SESSION})
    assert (sign_ins.session("d1"), sign_ins.sessions()) == (None, {})


def test_sessions_of_a_partner_are_bounded(store: Store) -> None:
    """One more ends the oldest of the same partner, and any that has expired; those of others stay."""
    sign_ins = store.sign_ins
    sign_ins.begin("expired", GuideSession("willow", _NOW - timedelta(seconds=1)), _NOW)
    sign_ins.begin("other", GuideSession("willow", _NOW + timedelta(seconds=1)), _NOW)

    for number in range(MOST_EACH + 2):
        session = GuideSession("acme", _NOW + timedelta(hours=1, seconds=number))
        sign_ins.begin(f"d{number}", session, _NOW)

    assert set(sign_ins.sessions()) == {"other", *(f"d{n}" for n in range(2, MOST_EACH + 2))}


def test_a_link_is_taken_once(store: Store) -> None:
    """Of many readers at one time, one gets it."""
    store.sign_ins.add_link("d1", link := SignInLink("acme", _NOW + timedelta(minutes=1)), _NOW)
    found = store.sign_ins.link("d1")

    with ThreadPoolExecutor(8) as readers:
        taken = list(readers.map(lambda _: store.sign_ins.take_link("d1"), range(8)))

    assert found == link
    assert sorted(taken) == [False] * 7 + [True]
    assert store.sign_ins.link("d1") is None


def test_links_of_a_partner_are_bounded(store: Store) -> None:
    """One more removes the one that would expire first."""
    for number in range(MOST_EACH + 1):
        link = SignInLink("acme", _NOW + timedelta(minutes=1, seconds=number))
        store.sign_ins.add_link(f"d{number}", link, _NOW)

    assert store.sign_ins.link("d0") is None
    assert store.sign_ins.link("d1") is not None


def test_all_sessions_and_links_of_a_partner_are_ended(store: Store) -> None:
    """Those of other partners stay."""
    store.sign_ins.begin("d1", _SESSION, _NOW)
    store.sign_ins.begin("d2", GuideSession("willow", _NOW + SESSION_LASTS), _NOW)
    store.sign_ins.add_link("d3", SignInLink("acme", _NOW + timedelta(minutes=1)), _NOW)

    assert store.sign_ins.end_all("acme") == 2
    assert store.sign_ins.end_all("acme") == 0
    assert set(store.sign_ins.sessions()) == {"d2"}
