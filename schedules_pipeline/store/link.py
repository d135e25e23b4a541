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
- ``claim`` and ``acquire_subscription`` lease something else or nothing. What the lost reply leased is leased again
  when that lease ends. ``acquire_lease`` and ``release_lease`` recognise their holder.
- Coldstart scripts check the stage. ``end_coldstart`` replies that the coldstart had ended, so its pass is not
  recorded; ``record_built`` counts twice.
- ``record_discontinuity`` replies that another witness was first; the caller reads again. ``end_repair`` finds it done.
- ``compact_version`` and ``compact_rows`` no longer find what they replace.
- ``keep_rejections`` stores the same rejections again; it may evict fewer.
- Plain commands set values. Increments count twice: a source mark costs one fetch too many; operators' counters and
  partners' usage are too high by one.
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha1
from importlib.resources import files
from itertools import islice
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis import Redis, exceptions
from redis.backoff import ExponentialBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from schedules_pipeline.errors import ConfigurationError, ServiceError
from schedules_pipeline.store.exchange import Command, Exchange, exchange, exchange_with_cluster

_INCLUDE = re.compile(r"^-- include (\w+)\n", re.MULTILINE)

Arguments = Command
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
_TRANSIENT_PREFIXES = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED", "MASTERDOWN")
"""Errors without a class in redis-py: disk full, replica missing, script running too long, blocked call ended by a
moved slot or a demotion, replica without its primary.
"""

_OF_ANOTHER_SERVER = ("READONLY You", "NOREPLICAS", "UNBLOCKED", "MASTERDOWN")
"""After such an error, or without an answer, the address may name another server than the connections do.
``READONLY`` may stand inside the error of a script.
"""

_WITHOUT_ITS_CODE = (exceptions.ReadOnlyError, exceptions.ConnectionError, exceptions.TimeoutError)

_REPEATED_AT_ONCE = 3
_PRIMARY = b"master"
_WAIT_MILLISECONDS = 1_000
_ADDRESS_HOLDS_SECONDS = 1.0
_READS = frozenset(
    [
        *("EXISTS", "GET", "MGET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HSCAN", "INFO"),
        *("LRANGE", "SCAN", "TIME", "XINFO STREAM", "XINFO GROUPS", "XRANGE", "XREAD", "XREVRANGE"),
        *("ZCARD", "ZCOUNT", "ZMSCORE", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGE", "ZSCORE"),
    ]
)
"""The commands that write nothing, so that no replica has to confirm them."""


def connect(url: str, *, cluster: bool = False, timeout_seconds: float = 10.0) -> Client:
    """A client for ``redis://`` or ``rediss://`` that connects at its first command.

    ``redis+sentinel://user:password@host:26379,host:26379/service/0`` names Sentinels, which are asked for the primary
    of the service at every new connection; ``rediss+sentinel://`` uses TLS for both.

    Raises :class:`ConfigurationError` if the address cannot be parsed.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "protocol": 2,
        # Otherwise redis-py searches the installed packages for its own version at every connection.
        "driver_info": None,
    }
    try:
        if cluster:
            return RedisCluster.from_url(url, **options)
        # Timeouts are not retried: the caller has waited long enough.
        options["retry"] = Retry(ExponentialBackoff(), _REPEATED_AT_ONCE, (exceptions.ConnectionError,))
        if "+sentinel:" in url:
            return _connect_by_sentinels(url, options)
        return Redis.from_url(url, **options)
    except ValueError:
        # The original error may quote part of a password.
        raise ConfigurationError(
            "not a Redis address: expected redis:// or rediss://, a host and port, and a percent-encoded password"
        ) from None


def _connect_by_sentinels(url: str, options: Mapping[str, Any]) -> Redis:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    found = [host.rpartition(":") for host in hosts.split(",")]
    if not service or not all(host for host, _, _ in found):
        raise ValueError(url)
    tls = {"ssl": True} if parts.scheme == "rediss+sentinel" else {}
    sentinel: Any = Sentinel([(host, int(port)) for host, _, port in found], **{**options, **tls})  # type: ignore[no-untyped-call]
    login = {"username": unquote(user) or None, "password": unquote(password) or None}
    client: Redis = sentinel.master_for(service, db=int(database or 0), **login)
    return client


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

    After a failover the address names another server. The link closes its connections at the first sign of that: an
    error that says so, no answer, or a batch whose server turns out to be a replica.
    """

    def __init__(
        self,
        client: Client,
        scripts: Sequence[Script] = (),
        *,
        reads_replicas: bool = False,
        replicas_to_wait_for: int = 0,
    ) -> None:
        """``reads_replicas``: for a keyspace that is only read. ``replicas_to_wait_for``: how many replicas confirm a
        batch that may write, before its replies are returned; not for a cluster.
        """
        self._client = client
        self._scripts = list(scripts)
        self._requires_primary = not reads_replicas and not isinstance(client, RedisCluster)
        self._replicas_to_wait_for = replicas_to_wait_for
        self._run_id = ""
        self._resolves_at = 0.0

    @property
    def waits_for_replicas(self) -> bool:
        return self._replicas_to_wait_for > 0

    def script(self, name: str) -> Script:
        """Register a script, so that :meth:`run` can load it onto a server that lacks it."""
        script = Script(name)
        self._scripts.append(script)
        return script

    def run(self, commands: Iterable[Command]) -> list[Any]:
        """All replies, in order. Commands that are made one by one are sent before the last one is made.

        Loads scripts that the server lacks and repeats those calls.
        """
        with self._service_errors():
            sent, replies = self._exchange(commands)
            forgotten = [i for i, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
            if forgotten:
                self._load_scripts()
                again = self._exchange([sent[i] for i in forgotten])
                for i, reply in zip(forgotten, again.replies, strict=True):
                    replies[i] = reply
            _raise_first_error(replies)
        return replies

    def call(self, *command: str | bytes | float) -> Any:
        """One command and its reply."""
        return self.run([command])[0]

    def info(self) -> dict[str, dict[str, Any]]:
        """The parsed ``INFO`` of the server, or of each primary of a cluster, by address."""
        return self.run_with_info(())[0]

    def run_with_info(self, commands: Sequence[Command]) -> tuple[dict[str, dict[str, Any]], list[Any]]:
        """:meth:`info`, and the replies to commands that are no scripts.

        Once a second a new connection resolves the address again. If another process answers, the old connections are
        closed: it may be that their server still calls itself a primary. A cluster's client follows the servers by
        itself.
        """
        client: Any = self._client
        if isinstance(client, RedisCluster):
            with self._service_errors():
                names = [node.name for node in client.get_primaries()]  # type: ignore[no-untyped-call]
                found = client.info(target_nodes=RedisCluster.PRIMARIES)
            # One node's answer comes without its name.
            return (found if len(names) > 1 else {names[0]: found}), self.run(commands)
        *replies, info = self._run_resolved([*commands, ("INFO",)])
        if self._run_id not in ("", info["run_id"]):
            self.drop_connections()
        self._run_id = info["run_id"]
        at = client.connection_pool.connection_kwargs
        return {f"{at.get('host', '')}:{at.get('port', '')}": info}, replies

    def run_with_time(self, key: str, commands: Sequence[Command]) -> tuple[float, list[Any]]:
        """The time of the server that holds the key, in seconds since 1970, and the replies to the commands."""
        if not isinstance(self._client, RedisCluster):
            (seconds, microseconds), *replies = self.run([("TIME",), *commands])
            return seconds + microseconds / 1e6, replies
        client: Any = self._client
        with self._service_errors():
            seconds, microseconds = client.execute_command("TIME", target_nodes=client.get_node_from_key(key))
        return seconds + microseconds / 1e6, self.run(commands)

    def wait_for_element(self, key: str, seconds: float) -> None:
        """Block until an element can be popped from the list, or for ``seconds``."""
        with self._service_errors():
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
        client: Any = self._client
        if not isinstance(client, RedisCluster):
            yield from filter(None, self._pages("SCAN", (), ("MATCH", pattern)))
            return
        keys = iter(client.scan_iter(match=pattern, count=_SCANNED_AT_ONCE))
        while True:
            with self._service_errors():
                batch = list(islice(keys, _SCANNED_AT_ONCE))
            if not batch:
                return
            yield batch

    def hash_pages(self, key: str) -> Iterator[dict[bytes, bytes]]:
        """A hash in pages of some hundred fields, so that a large one neither blocks Redis nor fills the reader.

        A field that is there throughout is in at least one page; while the hash grows, it may be in two.
        """
        return self._pages("HSCAN", (key,), ())

    def _pages(self, name: str, before: Command, after: Command) -> Iterator[Any]:
        """The pages of a scan. ``before``, ``after``: the arguments around the cursor.

        Raises :class:`ServiceError` if another server answers half way, as after a failover: the cursor would mean
        another place there, so the scan would miss keys.
        """
        identity: list[Command] = [("INFO", "server")] if self._requires_primary else []
        cursor, server = None, ""
        while cursor != 0:
            scanned = (name, *before, cursor or 0, *after, "COUNT", _SCANNED_AT_ONCE)
            (cursor, page), *infos = self.run([scanned, *identity])
            for info in infos:
                if server not in ("", info["run_id"]):
                    raise ServiceError("Redis: another server answers in the middle of a scan")
                server = info["run_id"]
            yield page

    def _exchange(self, commands: Iterable[Command]) -> Exchange:
        if isinstance(self._client, RedisCluster):
            return exchange_with_cluster(self._client, list(commands))
        sent, replies = exchange(self._client, commands, self._closing)
        return Exchange(sent, self._without_closing(replies, len(sent)))

    def _closing(self, commands: Sequence[Command]) -> list[Command]:
        """The end of a batch: replicas confirm its writes, and the server tells its role."""
        closing: list[Command] = []
        if self._replicas_to_wait_for and not all(name in _READS for name, *_ in commands):
            closing.append(("WAIT", self._replicas_to_wait_for, _WAIT_MILLISECONDS))
        if self._requires_primary:
            closing.append(("ROLE",))
        return closing

    def _without_closing(self, replies: list[Any], count: int) -> list[Any]:
        """The replies to the batch itself. Raises :class:`ServiceError` if another server should have answered."""
        closing = replies[count:]
        if self._requires_primary and closing:
            _raise_first_error(closing)
            if closing[-1][0] != _PRIMARY:
                self.drop_connections()
                raise ServiceError("Redis: the server has become a replica; connecting again")
            if len(closing) > 1 and closing[0] < self._replicas_to_wait_for:
                self.drop_connections()
                raise ServiceError(
                    f"Redis: {closing[0]} of {self._replicas_to_wait_for} replicas have confirmed the writes within "
                    f"{_WAIT_MILLISECONDS} ms"
                )
        return replies[:count]

    def _run_resolved(self, commands: Sequence[Command]) -> list[Any]:
        """The replies of the server that the address names, or named less than a second ago."""
        now = time.monotonic()
        if now < self._resolves_at:
            return self.run(commands)
        replies = self._run_afresh(commands)
        self._resolves_at = now + _ADDRESS_HOLDS_SECONDS
        return replies

    def _run_afresh(self, commands: Sequence[Command]) -> list[Any]:
        client: Any = self._client
        pool = client.connection_pool
        # The role is a part of INFO, which a replica may answer too.
        sent = [*commands, *(self._closing(commands) if len(commands) > 1 else ())]
        with self._service_errors():
            connection = pool.connection_class(**pool.connection_kwargs)
            try:
                connection.connect()
                connection.send_packed_command(connection.pack_commands(sent))
                replies = [client.parse_response(connection, str(name)) for name, *_ in sent]
            finally:
                connection.disconnect()
            return self._without_closing(replies, len(commands))

    def drop_connections(self) -> None:
        """Connect anew from now on. Calls that are running end on the connections that they have."""
        if not isinstance(self._client, RedisCluster):
            self._resolves_at = 0.0
            pool = self._client.connection_pool
            pool.disconnect(inuse_connections=False)
            pool.reset()

    def _load_scripts(self) -> None:
        for script in self._scripts:
            self._client.script_load(script.source)

    @contextmanager
    def _service_errors(self) -> Iterator[None]:
        """Raise transient Redis errors as :class:`ServiceError`."""
        try:
            yield
        except (*_TRANSIENT, exceptions.ResponseError) as error:
            says_so = any(name in str(error) for name in _OF_ANOTHER_SERVER)
            if says_so or isinstance(error, _WITHOUT_ITS_CODE):
                self.drop_connections()
            is_transient = isinstance(error, _TRANSIENT) or "READONLY You" in str(error)
            if not is_transient and not str(error).startswith(_TRANSIENT_PREFIXES):
                raise
            raise ServiceError(f"Redis: {error}") from error


def _raise_first_error(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, exceptions.RedisError | exceptions.RedisClusterException):
            raise reply
