"""A batch is sent while it is made, and is whole also if its connection breaks in the middle."""

from collections.abc import Iterator, Sequence

import pytest
from redis import Redis, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from demo.redis_cluster import Cluster
from demo.servers import RedisServer
from schedules_pipeline.store import exchange
from schedules_pipeline.store.exchange import Command, exchange_with_cluster
from schedules_pipeline.store.link import RedisLink, connect

_MANY = 100
SENT_WITHIN = 60.0


def test_redis_has_the_first_commands_before_the_last_is_made(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """The maker of the last command waits until Redis has run the first."""
    link = RedisLink(connect(redis_server.url))

    def made() -> Iterator[Command]:
        for number in range(_MANY):
            yield ("RPUSH", "sent early", number)
        # Fails in the end if nothing was sent.
        assert redis_client.blpop(["sent early"], timeout=SENT_WITHIN) == (b"sent early", b"0")
        yield ("LLEN", "sent early")

    *counts, left = link.run(made())

    assert counts[0] == 1
    assert left == _MANY - 1


def test_a_batch_whose_connection_breaks_is_sent_again_from_its_start(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """The replies are those of the second attempt, one for each command."""
    link = RedisLink(connect(redis_server.url))

    def made() -> Iterator[Command]:
        for number in range(_MANY):
            if number == _MANY - 1:
                redis_client.client_kill_filter(_type="normal", skipme=True)
            yield ("SET", f"again:{number}", number, "GET")

    replies = link.run(made())

    assert len(replies) == _MANY
    assert redis_client.mget([f"again:{number}" for number in range(_MANY)]) == [
        str(number).encode() for number in range(_MANY)
    ]


def test_a_batch_that_cannot_be_made_leaves_no_replies_behind(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """The next batch on the same link reads its own replies."""
    link = RedisLink(connect(redis_server.url))

    def made() -> Iterator[Command]:
        for number in range(_MANY):
            yield ("SET", f"unmade:{number}", number)
        raise ValueError("cannot be made")

    with pytest.raises(ValueError, match="cannot be made"):
        link.run(made())

    assert link.run([("GET", "unmade:0"), ("ECHO", "own reply")]) == [b"0", b"own reply"]


def test_late_replies_to_a_batch_that_cannot_be_made_are_not_those_of_the_next(
    redis_server: RedisServer,
) -> None:
    """Redis replies to the first command only after the next batch was sent."""
    link = RedisLink(connect(redis_server.url))

    def made() -> Iterator[Command]:
        yield ("BLPOP", "always empty", 2)
        for number in range(_MANY):
            yield ("SET", f"never sent:{number}", number)
        raise ValueError("cannot be made")

    with pytest.raises(ValueError, match="cannot be made"):
        link.run(made())

    assert link.run([("ECHO", "own reply")]) == [b"own reply"]


def test_an_early_error_is_raised_after_the_last_command(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """The commands after the one that failed have run, and the caller learns of the failure."""
    link = RedisLink(connect(redis_server.url))

    def made() -> Iterator[Command]:
        yield ("SET", "text", "no list")
        yield ("LPUSH", "text", 1)
        for number in range(_MANY):
            yield ("SET", f"after an error:{number}", number)

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        link.run(made())

    assert redis_client.exists(*[f"after an error:{number}" for number in range(_MANY)]) == _MANY


def test_nothing_is_sent_for_an_empty_batch() -> None:
    """A batch without commands needs no server."""
    commands: Sequence[Command] = ()

    assert RedisLink(connect("redis://127.0.0.1:1/0")).run(commands) == []


_ON_MANY_SLOTS: Sequence[Command] = [
    *(("SET", f"{{{number}}}:string", number) for number in range(20)),
    *(("HSET", f"{{{number}}}:hash", "field", number, "other", 1) for number in range(20)),
    *(("ZADD", f"{{{number}}}:set", number, "member") for number in range(20)),
    *(("GET", f"{{{number}}}:string") for number in range(20)),
    *(("GET", f"{{{number}}}:nothing") for number in range(20)),
    *(("HMGET", f"{{{number}}}:hash", "field", "nothing") for number in range(20)),
    *(("ZSCORE", f"{{{number}}}:set", "member") for number in range(20)),
    *(("ZRANGE", f"{{{number}}}:set", 0, -1) for number in range(20)),
    *(("HDEL", f"{{{number}}}:hash", "other") for number in range(20)),
    ("HGET", "{1}:string", "wrong type"),
]


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_masters_answer_as_the_library_does(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, on every master, errors included; and everything is repeated if a connection to one breaks."""
    client = RedisCluster.from_url(cluster.url, protocol=2)
    replies = exchange_with_cluster(client, _ON_MANY_SLOTS).replies

    def broken(*_: object) -> list[object]:
        raise RedisConnectionError("gone")

    monkeypatch.setattr(exchange, "_ask_masters", broken)
    by_library = exchange_with_cluster(client, _ON_MANY_SLOTS).replies

    assert replies[60:-21] == by_library[60:-21]
    assert [type(reply) for reply in replies] == [type(reply) for reply in by_library]
    assert isinstance(replies[-1], ResponseError)
    assert replies[60:80] == [str(number).encode() for number in range(20)]
