"""The publishers that are present."""

from datetime import timedelta

from contract.conftest import PassTime
from redis import Redis

from demo.servers import RedisServer
from schedules_pipeline.composition import Store
from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.store.presence import RedisPublisherPresence

_ONE, _TWO = "starting:1", "starting:2"


def test_no_more_are_reserved_than_are_enough(store: Store) -> None:
    """Announced and running publishers count together; a repeated reservation is the same one."""
    store.presence.renew("a", 60)

    reserved = [store.presence.reserve(name, 60, most=2) for name in (_ONE, _ONE, _TWO)]

    assert reserved == [True, True, False]
    assert store.presence.present() == Publishers(("a",), starting=1)


def test_a_publisher_that_runs_ends_its_reservation(store: Store) -> None:
    """The place of its reservation is its own from then on."""
    store.presence.reserve(_ONE, 60, most=1)

    store.presence.renew("a", 60, reservation=_ONE)

    assert store.presence.present() == Publishers(("a",))
    assert not store.presence.reserve(_TWO, 60, most=1)


def test_publishers_are_listed_by_how_long_they_run(store: Store) -> None:
    """A renewal does not change the order."""
    store.presence.renew("b", 60)
    store.presence.renew("a", 60)
    store.presence.renew("b", 60)

    assert set(store.presence.present().running) == {"a", "b"}
    assert store.presence.present().recorder in {"a", "b"}


def test_a_publisher_that_leaves_makes_room(store: Store) -> None:
    """After it has left, another one can be announced; the others stay."""
    store.presence.renew("a", 60)
    store.presence.renew("b", 60)
    store.presence.leave("a")

    assert store.presence.present() == Publishers(("b",))
    assert store.presence.reserve(_ONE, 60, most=2)


def test_a_publisher_on_its_way_out_has_a_successor(store: Store) -> None:
    """One that leaves is no longer counted, and records for all until it has left."""
    store.presence.renew("a", 60)
    store.presence.renew("a", 60, is_leaving=True)
    leaving = store.presence.present()

    assert store.presence.reserve(_ONE, 60, most=1)
    store.presence.renew("b", 60, reservation=_ONE)
    assert leaving == Publishers((), ("a",))
    assert store.presence.present() == Publishers(("b",), ("a",))
    assert store.presence.present().recorder == "a"


def test_each_publisher_expires_on_its_own(store: Store, pass_time: PassTime) -> None:
    """One that died, or never started, is forgotten while another one renews its presence."""
    store.presence.renew("dies", 60)
    store.presence.renew("lives", 60)
    store.presence.reserve(_ONE, 60, most=3)
    pass_time(timedelta(seconds=50))
    store.presence.renew("lives", 60)
    pass_time(timedelta(seconds=50))

    assert store.presence.present() == Publishers(("lives",))
    assert store.presence.reserve(_TWO, 60, most=2)


def test_all_leave(store: Store) -> None:
    """The last one leaves nobody, and a reservation can be given up."""
    store.presence.renew("a", 60)
    store.presence.reserve(_ONE, 60, most=2)
    store.presence.leave("a")
    store.presence.leave(_ONE)

    assert not store.presence.present()
    assert store.presence.present().recorder == ""


def test_a_publisher_of_release_0_2_counts(redis_server: RedisServer, redis_client: Redis) -> None:
    """It writes one string alone, so the others see it, and start no further one."""
    with connect(redis_server.url) as client:
        keys = Keys("older_beside")
        presence = RedisPublisherPresence(RedisLink(client), keys)
        redis_client.set(keys.journal("publisher"), "old", ex=15)
        beside_one = presence.present()
        reserved = presence.reserve(_ONE, 60, most=1)
        redis_client.set(keys.journal("publisher"), "starting", ex=15)

        assert beside_one == Publishers(("old",))
        assert not reserved
        assert presence.present() == Publishers(starting=1)


def test_release_0_2_sees_a_publisher_until_it_leaves(redis_server: RedisServer, redis_client: Redis) -> None:
    """The string that its sensors read names a publisher or a reservation, so that they start no further one."""
    with connect(redis_server.url) as client:
        keys = Keys("older_sees")
        presence = RedisPublisherPresence(RedisLink(client), keys)
        seen = []
        presence.reserve(_ONE, 60, most=1)
        seen.append(redis_client.get(keys.journal("publisher")))
        presence.renew("a", 60, reservation=_ONE)
        seen.append(redis_client.get(keys.journal("publisher")))
        presence.renew("a", 60, is_leaving=True)
        seen.append(redis_client.get(keys.journal("publisher")))
        presence.renew("b", 60)
        presence.leave("a")
        seen.append(redis_client.get(keys.journal("publisher")))

    assert seen == [_ONE.encode(), b"a", None, b"b"]
