"""One way to talk to Redis: commands in a pipeline, scripts by their hash, on one server or a cluster.

Belongs here: what holds for every command: connections, redirections, what may pass by itself, repetition.
Does not belong here: keys, and what any command means.

**Every command may take effect twice.** A call whose reply was lost is sent again, by the client at once or by
the workflow later, and whether it had its effect is not known. So each has to be harmless when repeated:

- ``commit`` finds its own token and answers as the first time.
- ``serve`` and ``replace_partner`` find their own record and answer as the first time.
- ``mark``, ``release``, ``postpone``, ``renew``, ``store_copy``, ``settle_copy``, ``plant_copy``, ``miss_copy``,
  ``ignore_copy``, ``unregister``, ``invalidate`` and ``append_feed`` find their effect there, by token or by number;
  ``mark`` may cost a rebuild that changes nothing.
- ``collect_copy``, ``delete_copy``, ``forget_heads`` and ``forget_schedule`` find nothing left to do; what they took
  is then counted as not taken.
- ``begin_copy``, ``start_copy``, ``take_token`` and ``outdate_copy`` take a further token, and the first is never
  used.
- ``claim`` takes further schedules. Those of the lost reply wait until their lease ends; so they would if it
  were not repeated.
- ``turn_episode`` answers that somebody else was first, and the notice is booked. ``take_notice`` hands out the next
  notice; that of the lost reply comes when its lease ends.
- ``subscribe``, ``keep_subscription`` and ``unsubscribe`` find their effect there; the last then answers that there
  was none. ``take_subscription`` answers that somebody has it, and nobody pushes it until that lease ends.
- Scripts of the coldstart find their stage, or list what is listed. ``end_coldstart`` answers that it had ended,
  so the pass is not noted; ``built_coldstart`` counts twice, and ``beat_epoch`` beats twice.
- Plain commands set what they say. What counts up may count twice: a source mark (one fetch too many),
  the counters that operators look at, and the usage of partners.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from importlib.resources import files
from itertools import islice
from typing import Any, cast

from redis import Redis, exceptions
from redis.backoff import ExponentialBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from schedules_pipeline.errors import ConfigurationError, ServiceError

_INCLUDE = re.compile(r"^-- include (\w+)\n", re.MULTILINE)

Command = Sequence[str | bytes | int | float]
Client = Redis | RedisCluster

_SCANNED_AT_ONCE = 1_000

_PASSING = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    # A cluster that is being resharded or mended: the slot is on its way, half of the keys are there, or the
    # client has been sent from one node to the other too often.
    exceptions.ClusterError,
    exceptions.RedisClusterException,
    exceptions.AskError,
    exceptions.TryAgainError,
    # Loaded a moment ago, and gone again: another node has taken over.
    exceptions.NoScriptError,
)
_PASSING_BEGINNINGS = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED")
"""Errors that the client has no class for: the disk is full, a replica is missing, a script goes on and on, a
blocked call was ended because its key has moved.
"""

_REPEATED_AT_ONCE = 3


def connect(url: str, *, cluster: bool = False, timeout_seconds: float = 10.0) -> Client:
    """A client for ``redis://`` or ``rediss://``; connects at its first command, not now.

    Raises :class:`ConfigurationError` for an address that is none.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "protocol": 2,
    }
    try:
        if cluster:
            return RedisCluster.from_url(url, **options)
        # Not after a timeout: who has not answered for so long would only be waited for again.
        retry = Retry(ExponentialBackoff(), _REPEATED_AT_ONCE, (exceptions.ConnectionError,))
        return Redis.from_url(url, retry=retry, **options)
    except ValueError:
        # Without its text: it quotes what it could not read, such as half of a password with a stroke in it.
        raise ConfigurationError(
            "not a Redis address: expected redis:// or rediss://, a host and port, and a percent-encoded password"
        ) from None


class Script:
    """A server-side script, by the name of its file in ``scripts/``; its header lists keys and arguments."""

    def __init__(self, name: str) -> None:
        self.source = _script_source(name)
        self._sha = sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[str], arguments: Sequence[str | bytes | int | float]) -> Command:
        """Call it, as one command of a pipeline. All keys have one hash tag."""
        return ("EVALSHA", self._sha, len(keys), *keys, *arguments)


@cache
def _script_source(name: str) -> str:
    """The file, with what it includes by a line ``-- include <name>`` put in the place of that line."""
    scripts = files(__package__).joinpath("scripts")
    text = scripts.joinpath(f"{name}.lua").read_text()
    return _INCLUDE.sub(lambda line: scripts.joinpath("shared", f"{line[1]}.lua").read_text(), text)


class RedisLink:
    """Sends batches of commands and returns their replies, as bytes and integers.

    What may pass by itself becomes :class:`ServiceError`; anything else is a defect of ours and is raised
    as it is. A batch is not a transaction: what must be atomic is one script.
    """

    def __init__(self, client: Client, scripts: Sequence[Script] = ()) -> None:
        self._client = client
        self._scripts = list(scripts)

    def script(self, name: str) -> Script:
        """The script of that name, known to this link so that it can be loaded where a server lacks it."""
        script = Script(name)
        self._scripts.append(script)
        return script

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """All replies, in order. Scripts that the server has forgotten are loaded, and those calls repeated."""
        if not commands:
            return []
        with _service_errors():
            replies = self._pipeline(commands)
            forgotten = [i for i, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
            if forgotten:
                self._load_scripts()
                for i, reply in zip(forgotten, self._pipeline([commands[i] for i in forgotten]), strict=True):
                    replies[i] = reply
            _raise_first_error(replies)
        return replies

    def call(self, *command: str | bytes | float) -> Any:
        """One command and its reply."""
        return self.run([command])[0]

    def wait_for_element(self, key: str, seconds: float) -> None:
        """Block until the list has an element, which is taken, or for so long."""
        with _service_errors():
            self._client.blpop([key], timeout=seconds)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of string keys. On one server a single MGET, which costs a fifth of as many GETs."""
        if not keys:
            return []
        if isinstance(self._client, RedisCluster):
            return self.run([("GET", key) for key in keys])
        return cast("list[bytes | None]", self.call("MGET", *keys))

    def scan(self, pattern: str) -> Iterator[list[bytes]]:
        """Keys that match, in batches, on every server; each at least once, but for one that is moved to another
        node of a cluster meanwhile.
        """
        keys = iter(self._client.scan_iter(match=pattern, count=_SCANNED_AT_ONCE))
        while True:
            with _service_errors():
                batch = list(islice(keys, _SCANNED_AT_ONCE))
            if not batch:
                return
            yield batch

    def _pipeline(self, commands: Sequence[Command]) -> list[Any]:
        client: Any = self._client
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return cast("list[Any]", pipeline.execute(raise_on_error=False))

    def _load_scripts(self) -> None:
        for script in self._scripts:
            self._client.script_load(script.source)


def _raise_first_error(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, exceptions.RedisError | exceptions.RedisClusterException):
            raise reply


@contextmanager
def _service_errors() -> Iterator[None]:
    """Make what may pass by itself a :class:`ServiceError`."""
    try:
        yield
    except _PASSING as error:
        raise ServiceError(f"Redis: {error}") from error
    except exceptions.ResponseError as error:
        if str(error).startswith(_PASSING_BEGINNINGS):
            raise ServiceError(f"Redis: {error}") from error
        raise
