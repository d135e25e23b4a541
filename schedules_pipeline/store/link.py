"""The connection to Redis: commands in pipelines, scripts by their hash, on one server or a cluster.

Belongs here: connections, redirections, retries, and the translation of Redis errors. Does not belong here: keys,
and the meaning of any command.

**Every command may run twice.** Redis may have run a command whose reply was lost. The client then sends it again
at once, or the workflow does later. So a repeated command must be harmless:

- ``commit``, ``serve`` and ``replace_partner`` recognise their own token or record and reply as before.
- ``mark``, ``release``, ``postpone``, ``renew``, ``store_copy``, ``acknowledge_copy``, ``insert_copy_if_absent``,
  ``record_absence``, ``ignore_copy``, ``unregister``, ``invalidate_schedule``, ``append_feed``, ``subscribe`` and
  ``save_subscription`` recognise their effect by token or number. A repeated ``mark`` may cost one rebuild that
  changes nothing.
- ``collect_copy``, ``delete_copy``, ``forget_heads``, ``forget_schedule`` and ``unsubscribe`` find nothing left to
  delete, and reply so; their first deletions are missing from the counts.
- ``begin_copy``, ``start_copy``, ``take_token`` and ``invalidate_tokens`` take one more token; the first is unused.
- ``claim``, ``acquire_subscription`` and the lease of the watch lease something else or nothing. What the lost reply
  leased is leased again when that lease ends.
- Coldstart scripts check the stage. ``end_coldstart`` replies that the coldstart had ended, so its pass is not
  recorded; ``record_built`` and ``record_heartbeat`` count twice.
- ``keep_rejections`` stores the same rejections again; it may evict fewer.
- Plain commands set values. Increments count twice: a source mark costs one fetch too many; operators' counters and
  partners' usage are too high by one.
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

Arguments = Sequence[str | bytes | int | float]
Command = Arguments
Client = Redis | RedisCluster

_SCANNED_AT_ONCE = 1_000

_TRANSIENT = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.OutOfMemoryError,
    # A cluster that is being resharded or repaired.
    exceptions.ClusterError,
    exceptions.RedisClusterException,
    exceptions.AskError,
    exceptions.TryAgainError,
    # A failover after the script was loaded.
    exceptions.NoScriptError,
)
_TRANSIENT_PREFIXES = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED")
"""Errors without a class in redis-py: disk full, replica missing, script running too long, blocked call ended by a
moved slot.
"""

_REPEATED_AT_ONCE = 3


def connect(url: str, *, cluster: bool = False, timeout_seconds: float = 10.0) -> Client:
    """A client for ``redis://`` or ``rediss://`` that connects at its first command.

    Raises :class:`ConfigurationError` if the address cannot be parsed.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "protocol": 2,
    }
    try:
        if cluster:
            return RedisCluster.from_url(url, **options)
        # Timeouts are not retried: the caller has waited long enough.
        retry = Retry(ExponentialBackoff(), _REPEATED_AT_ONCE, (exceptions.ConnectionError,))
        return Redis.from_url(url, retry=retry, **options)
    except ValueError:
        # The original error may quote part of a password.
        raise ConfigurationError(
            "not a Redis address: expected redis:// or rediss://, a host and port, and a percent-encoded password"
        ) from None


class Script:
    """A server-side script from ``scripts/``, by file name; the file's header lists keys and arguments."""

    def __init__(self, name: str) -> None:
        self.source = _script_source(name)
        self._sha = sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: Sequence[str], arguments: Arguments) -> Command:
        """The call, as a command of a pipeline. All keys must share one hash tag."""
        return ("EVALSHA", self._sha, len(keys), *keys, *arguments)


@cache
def _script_source(name: str) -> str:
    """The script's text; each line ``-- include <name>`` is replaced by that shared file."""
    scripts = files(__package__).joinpath("scripts")
    text = scripts.joinpath(f"{name}.lua").read_text()
    return _INCLUDE.sub(lambda line: scripts.joinpath("shared", f"{line[1]}.lua").read_text(), text)


class RedisLink:
    """Sends batches of commands and returns their replies, as bytes and integers.

    A batch is not a transaction; an atomic step is one script. Raises :class:`ServiceError` for transient errors;
    other errors are defects and pass through.
    """

    def __init__(self, client: Client, scripts: Sequence[Script] = ()) -> None:
        self._client = client
        self._scripts = list(scripts)

    def script(self, name: str) -> Script:
        """Register a script, so that :meth:`run` can load it onto a server that lacks it."""
        script = Script(name)
        self._scripts.append(script)
        return script

    def run(self, commands: Sequence[Command]) -> list[Any]:
        """All replies, in order. Loads scripts that the server lacks and repeats those calls."""
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

    def info(self) -> dict[str, dict[str, Any]]:
        """The parsed ``INFO`` of the server, or of each primary of a cluster, by address."""
        with _service_errors():
            client = self._client
            if not isinstance(client, RedisCluster):
                at = client.connection_pool.connection_kwargs
                return {f"{at.get('host', '')}:{at.get('port', '')}": client.info()}
            names = [node.name for node in client.get_primaries()]  # type: ignore[no-untyped-call]
            found: Any = client.info(target_nodes=RedisCluster.PRIMARIES)
            # One node's answer comes without its name.
            return found if len(names) > 1 else {names[0]: found}

    def wait_for_element(self, key: str, seconds: float) -> None:
        """Block until an element can be popped from the list, or for ``seconds``."""
        with _service_errors():
            self._client.blpop([key], timeout=seconds)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values of string keys. One MGET on a single server, which costs a fifth of the GETs."""
        if not keys:
            return []
        if isinstance(self._client, RedisCluster):
            return self.run([("GET", key) for key in keys])
        return cast("list[bytes | None]", self.call("MGET", *keys))

    def scan(self, pattern: str) -> Iterator[list[bytes]]:
        """Matching keys of all servers, in batches, each at least once. A key that a resharding cluster moves during
        the scan may be missing.
        """
        keys = iter(self._client.scan_iter(match=pattern, count=_SCANNED_AT_ONCE))
        while True:
            with _service_errors():
                batch = list(islice(keys, _SCANNED_AT_ONCE))
            if not batch:
                return
            yield batch

    def hash_pages(self, key: str) -> Iterator[dict[bytes, bytes]]:
        """A hash in pages of some hundred fields, so that a large one neither blocks Redis nor fills the reader.

        A field that is there throughout is in at least one page; while the hash grows, it may be in two.
        """
        cursor = None
        while cursor != 0:
            cursor, page = self.call("HSCAN", key, cursor or 0, "COUNT", _SCANNED_AT_ONCE)
            yield page

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
    """Raise transient Redis errors as :class:`ServiceError`."""
    try:
        yield
    except _TRANSIENT as error:
        raise ServiceError(f"Redis: {error}") from error
    except exceptions.ResponseError as error:
        if str(error).startswith(_TRANSIENT_PREFIXES):
            raise ServiceError(f"Redis: {error}") from error
        raise
