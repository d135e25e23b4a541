"""One batch over one connection, sent while it is still being made; or over a connection to each master of a cluster.

Redis works on the first commands while the process makes the next ones. Redis keeps the replies until they are read, so
reading none before the last command was sent cannot block either side.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Any, NamedTuple

from hiredis import pack_command
from redis import Redis, RedisCluster, exceptions
from redis.crc import key_slot

Command = Sequence[str | bytes | int | float]

_SENT_TOGETHER = 20
_FIRST_KEY = {
    "EVALSHA": 3,
    **dict.fromkeys(("GET", "SET", "HGET", "HMGET", "HSET", "HDEL", "HINCRBY", "LRANGE"), 1),
    **dict.fromkeys(("ZADD", "ZCARD", "ZMSCORE", "ZRANGE", "ZRANGEBYSCORE", "ZREM", "ZSCORE"), 1),
}
"""Where the commands of large batches name their first key."""
_REDIRECTED = (exceptions.AskError, exceptions.TryAgainError, exceptions.ClusterDownError)
_BROKEN = (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.RedisClusterException, OSError)


class Exchange(NamedTuple):
    """The commands of a batch, and the reply to each, which may be an error. The replies to the closing commands follow
    at the end.
    """

    commands: Sequence[Command]
    replies: list[Any]


def exchange(
    client: Redis, commands: Iterable[Command], closing: Callable[[Sequence[Command]], Sequence[Command]]
) -> Exchange:
    """Send the commands and, if there are any, those that close the batch.

    If the connection breaks, everything is sent again on a new one, as often as the client repeats a command.
    """
    coming = iter(commands)
    made = list(islice(coming, _SENT_TOGETHER))
    if not made:
        return Exchange((), [])
    client_: Any = client

    def attempt(connection: Any) -> list[Any]:
        unsent: Sequence[Command] = made
        while len(unsent) >= _SENT_TOGETHER:
            connection.send_packed_command([_pack(unsent)])
            unsent = list(islice(coming, _SENT_TOGETHER))
            made.extend(unsent)
        last = closing(made)
        # At once, because each sending gives Python's lock to the threads that wait for it.
        if unsent or last:
            connection.send_packed_command([_pack((*unsent, *last))])
        return [_reply(client_, connection, command) for command in (*made, *last)]

    with _borrowed(client_.connection_pool) as connection:
        retry, disconnect = connection.retry, connection.disconnect
        replies = retry.call_with_retry(lambda: attempt(connection), lambda _: disconnect())
    return Exchange(made, replies)


def exchange_with_cluster(client: RedisCluster, commands: Sequence[Command]) -> Exchange:
    """Send every master its commands, then read all replies: a third of the processor time of the library's pipeline.

    The library repeats what a master redirects, and everything if a connection breaks; it learns where slots are now.
    """
    by_library = commands
    replies: list[Any] = [None] * len(commands)
    numbers: Sequence[int] = range(len(commands))
    if all(command[0] in _FIRST_KEY for command in commands):
        try:
            replies = _ask_masters(client, commands)
        except _BROKEN:
            pass
        else:
            numbers = [i for i, reply in enumerate(replies) if isinstance(reply, _REDIRECTED)]
            by_library = [commands[i] for i in numbers]
    if by_library:
        pipeline: Any = client.pipeline(transaction=False)  # type: ignore[no-untyped-call]
        for command in by_library:
            pipeline.execute_command(*command)
        for i, reply in zip(numbers, pipeline.execute(raise_on_error=False), strict=True):
            replies[i] = reply
    return Exchange(commands, replies)


def _ask_masters(client: Any, commands: Sequence[Command]) -> list[Any]:
    by_master: dict[Any, list[int]] = defaultdict(list)
    for i, command in enumerate(commands):
        slot = key_slot(str(command[_FIRST_KEY[str(command[0])]]).encode())
        by_master[client.nodes_manager.get_node_from_slot(slot)].append(i)
    replies: list[Any] = [None] * len(commands)
    with ExitStack() as stack:
        sent = []
        for master, numbers in by_master.items():
            redis = client.get_redis_connection(master)
            connection = stack.enter_context(_borrowed(redis.connection_pool))
            connection.send_packed_command([_pack([commands[i] for i in numbers])])
            sent.append((redis, connection, numbers))
        for redis, connection, numbers in sent:
            for i in numbers:
                replies[i] = _reply(redis, connection, commands[i])
    return replies


@contextmanager
def _borrowed(pool: Any) -> Iterator[Any]:
    connection = pool.get_connection()
    try:
        yield connection
    except BaseException:
        # It may have replies that were not read.
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def _pack(commands: Sequence[Any]) -> bytes:
    """A name of two words is two arguments."""
    return b"".join([pack_command((*name.split(), *arguments)) for name, *arguments in commands])


def _reply(client: Any, connection: Any, command: Command) -> Any:
    try:
        return client.parse_response(connection, command[0])
    except exceptions.ResponseError as error:
        return error
