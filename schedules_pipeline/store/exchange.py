"""One batch over one connection, sent while it is still being made.

Redis works on the first commands while the process makes the next ones. Redis keeps the replies until they are read, so
reading none before the last command was sent cannot block either side.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from hiredis import pack_command
from redis import Redis
from redis.exceptions import ResponseError

Command = Sequence[str | bytes | int | float]

_SENT_TOGETHER = 20


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
    pool = client_.connection_pool
    connection = pool.get_connection()

    def attempt() -> list[Any]:
        unsent: Sequence[Command] = made
        while unsent:
            connection.send_packed_command([_pack(unsent)])
            unsent = list(islice(coming, _SENT_TOGETHER))
            made.extend(unsent)
        last = closing(made)
        connection.send_packed_command([_pack(last)])
        return [_reply(client_, connection, command) for command in (*made, *last)]

    try:
        replies = connection.retry.call_with_retry(attempt, lambda _: connection.disconnect())
    except BaseException:
        # It may have replies that were not read.
        connection.disconnect()
        raise
    finally:
        pool.release(connection)
    return Exchange(made, replies)


def _pack(commands: Sequence[Any]) -> bytes:
    """A name of two words is two arguments."""
    return b"".join([pack_command((*name.split(), *arguments)) for name, *arguments in commands])


def _reply(client: Any, connection: Any, command: Command) -> Any:
    try:
        return client.parse_response(connection, command[0])
    except ResponseError as error:
        return error
