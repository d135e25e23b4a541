"""The permissions of each user of ``deploy/redis/users.acl`` on a real server, and the processes that work as these
users.

The contract tests also run as the operator (``tests/contract/conftest.py``).
"""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from prometheus_client import CollectorRegistry, generate_latest
from redis import Redis, exceptions
from redis_users import commands_of, grant, rules_of, url_as
from workers import Server, build_everything, contents, load_sample, pipeline_on, write_item

from demo.redis_cluster import Cluster
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.metrics.collector import PipelineCollector
from schedules_pipeline.health.metrics.parts import parts_of
from schedules_pipeline.maintenance.ports import Stage
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import UsageKind, UsageLine
from schedules_pipeline.publishing.ports.counters import Counter
from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.upstream.legacy import RedisLegacyKeyspace

_REPOSITORY = Path(__file__).parents[2]
_ADAPTERS = _REPOSITORY / "schedules_pipeline/store"
_USERS = ("pipeline", "operator", "monitoring", "delivery", "pusher")
_KEYSPACE = "schedules"
_WORD = re.compile(r"^[A-Z]{3,}(?: [A-Z]+)?$")
_CALL_IN_A_SCRIPT = re.compile(r"redis\.p?call\(\s*['\"](\w+)['\"]")
_OF_THE_CLIENT = {
    "blpop": {"blpop"},
    "info": {"info"},
    "get_primaries": set(),
    "get_node_from_key": set(),
    "get_redis_connection": set(),
    "execute_command": {"time"},
    "parse_response": set(),
    "scan_iter": {"scan"},
    "script_load": {"script|load"},
    "pipeline": set(),
}
"""The client methods that the link calls, and the commands that they send."""
_OF_CONNECTING = {"cluster|slots", "asking", "command"}
"""Sent to a cluster. The client's CLIENT SETINFO may fail, as it does on Redis 7.0."""


@pytest.fixture
def server(redis_server: RedisServer, redis_client: Redis) -> Iterator[Server]:
    """A connection of the server's administrator, with all five users created."""
    grant(redis_client, _USERS)
    yield Server(redis_server.url, is_cluster=False)
    redis_client.execute_command("ACL DELUSER", *_USERS)  # type: ignore[no-untyped-call]


@pytest.fixture
def source() -> FakeUpstreams:
    return fake_upstreams(FakeClock(), Random(0))


def _as(user: str, server: Server) -> Server:
    return Server(url_as(user, server.url), is_cluster=server.is_cluster)


def _rejected(client: Redis, *command: str) -> bool:
    try:
        client.execute_command(*command)  # type: ignore[no-untyped-call]
    except exceptions.NoPermissionError:
        return True
    return False


def _publish_follow_collect_and_coldstart(
    pipeline: Pipeline, keys: list[ScheduleKey], brand: Pid, now: FakeClock
) -> None:
    build_everything(pipeline, keys)
    pipeline.follower.follow({brand: Cause("change", Origin.CATALOGUE, brand, now())})
    while pipeline.publisher.publish_next(50) is not None:
        continue
    assert pipeline.collector.collect().problem == ""
    pipeline.coldstarter.request("coldstart-1", "to see that it may")
    pipeline.coldstarter.work_at("coldstart-1", "the test", 1, lambda _: None)


def test_the_pipelines_user_can_do_all_that_its_processes_do(server: Server, source: FakeUpstreams) -> None:
    """Publishing, following a change, garbage collection and a coldstart have the same results as without users."""
    sample, keys = load_sample(server, source)
    brand = next(item for item in sample.catalogue.values() if item["type"] == "brand")
    pipeline = pipeline_on(_as("pipeline", server), _KEYSPACE, source)
    server.link().run([write_item({**brand, "title": "Another"})])

    _publish_follow_collect_and_coldstart(pipeline, keys, Pid(brand["pid"]), FakeClock())

    latest = pipeline.store.coldstarts.latest()
    unrestricted = pipeline_on(server, "scratch", source)
    build_everything(unrestricted, keys)
    assert latest is not None
    assert latest.stage is Stage.FINISHED
    assert contents(pipeline, keys) == contents(unrestricted, keys)


def test_the_pipelines_user_can_write_nothing_that_is_not_its_own(server: Server) -> None:
    """The user may read, and not write, the catalogue, the old system's keyspace and the record of the switch."""
    with connect(url_as("pipeline", server.url)) as client:
        for key in ("catalogue:brand:b0000001", "legacy:alder/2026-03-28", "schedules:{delivery}:served"):
            assert not _rejected(client, "EXISTS", key)
            assert _rejected(client, "SET", key, "ours now")
            assert _rejected(client, "DEL", key)
        legacy = RedisLegacyKeyspace(RedisLink(client), "legacy:")
        assert list(legacy.list_keys()) == []


@pytest.mark.parametrize("user", _USERS)
@pytest.mark.usefixtures("server")
def test_a_user_of_one_keyspace_reaches_no_other(redis_client: Redis, user: str) -> None:
    """Neither a keyspace whose name begins with the same word, nor one whose name ends with it."""
    granted = [re.sub(r"^[(]?(%RW?|%W)?~|[)]$", "", word) for word in _patterns(user)]
    own = [pattern.replace("*", "any") for pattern in granted if pattern.startswith(f"{_KEYSPACE}:")]

    def may(key: str) -> bool:
        commands = ("GET", "EXISTS")
        asked = (redis_client.execute_command("ACL DRYRUN", user, command, key) for command in commands)  # type: ignore[no-untyped-call]
        return b"OK" in asked

    assert all(may(key) for key in own)
    for other in ("schedules-staging", "schedules2", "schedules_staging", "other-schedules"):
        assert not any(may(key.replace(_KEYSPACE, other, 1)) for key in own)


def _patterns(user: str) -> list[str]:
    return [word for rule in rules_of(user) for word in rule.split() if "~" in word]


@pytest.mark.parametrize("user", _USERS)
def test_no_user_can_do_what_no_process_does(server: Server, user: str) -> None:
    """No user may empty the server, list all keys, change the configuration, or write another keyspace."""
    with connect(url_as(user, server.url)) as client:
        for command in (
            ("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("CONFIG", "GET", "requirepass"), ("SHUTDOWN",), ("SAVE",),
            ("ACL", "LIST"),  ("EVAL", "return 1", "0"), ("MONITOR",), ("REPLICAOF", "NO", "ONE"),
            ("SCRIPT", "FLUSH"), ("CLIENT", "LIST"), ("CLUSTER", "RESET"), ("SET", "somebody:else", "1"),
            ("GET", "somebody:else"), ("PUBLISH", "anything", "1"),
        ):  # fmt: skip
            assert _rejected(client, *command), command


def test_a_script_can_do_no_more_than_who_calls_it(server: Server) -> None:
    """The pipeline's user cannot change the record of the switch by its script either."""
    switched = ServedState(1, ServedSource.OURS, FakeClock()(), "somebody", "to see", None, forced=True)
    source = fake_upstreams(FakeClock(), Random(0))

    with pytest.raises(exceptions.ResponseError, match=r"(?i)permission|can't|NOPERM|No permissions"):
        pipeline_on(_as("pipeline", server), _KEYSPACE, source).store.served.change(switched)

    assert pipeline_on(_as("operator", server), _KEYSPACE, source).store.served.change(switched)


def test_the_monitoring_user_reads_every_part_and_writes_nothing(
    server: Server, source: FakeUpstreams
) -> None:
    """A scrape as the user has no errors; marking, claiming, committing and counting are denied."""
    keys = load_sample(server, source)[1]
    build_everything(pipeline_on(server, _KEYSPACE, source), keys)
    watching = pipeline_on(_as("monitoring", server), _KEYSPACE, source)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PipelineCollector(parts_of(watching.health), 30))

    text = generate_latest(registry).decode()
    checkup = watching.health.check()

    errors = re.findall(r'^schedules_scrape_errors\{part="(\w+)"\} (\S+)$', text, re.MULTILINE)
    assert {part for part, count in errors if float(count)} == set()
    assert {"feed", "backlog", "passes", "conditions"} <= {part for part, _ in errors}
    assert ConditionName.STORE_UNREACHABLE not in {condition.name for condition in checkup.conditions}
    with pytest.raises(exceptions.NoPermissionError):
        watching.store.counters.add({Counter.SCHEDULES_PUBLISHED: 1})
    with pytest.raises(exceptions.NoPermissionError):
        watching.store.presence.leave("a run")
    with pytest.raises(exceptions.NoPermissionError):
        watching.store.work.claim(1, FakeClock()(), timedelta(seconds=60))


def test_the_delivery_user_reads_what_partners_are_served(server: Server, source: FakeUpstreams) -> None:
    """The user may read documents and their versions, the change feed, the record of the switch, and what the guide
    shows operators; no accepted source, and it may not write.
    """
    keys = load_sample(server, source)[1]
    build_everything(pipeline_on(server, _KEYSPACE, source), keys)
    names = Keys(_KEYSPACE)

    with connect(url_as("delivery", server.url)) as client:
        assert client.get(names.document(keys[0]))
        assert client.hget(names.feed("heads"), str(keys[0]))
        assert client.xread({names.feed("changes"): "0"}, count=1)
        assert client.lrange(names.versions(keys[0]), 0, -1) == []
        assert client.hget(names.losses("holds"), str(keys[0])) is None
        assert _rejected(client, "HDEL", names.losses("holds"), str(keys[0]))
        assert client.hget(names.delivery("served"), "record") is None
        assert _rejected(client, "HGETALL", names.state(keys[0]))
        assert _rejected(client, "SET", names.document(keys[0]), "another")
        assert _rejected(client, "XTRIM", names.feed("changes"), "MAXLEN", "0")


def test_the_delivery_user_counts_what_partners_use(server: Server, source: FakeUpstreams) -> None:
    """The user reads partners and adds to their usage, which monitoring reads; it cannot create or change partners."""
    partner, day = Partner("acme", FakeClock()()), FakeClock()().date()
    line = UsageLine("acme", UsageKind.REQUESTS, "/v1/changes", "200")
    books = {user: pipeline_on(_as(user, server), _KEYSPACE, source).store.partners for user in _USERS}
    books["operator"].create(partner)

    books["delivery"].add_usage(day, {line: 2})

    assert books["delivery"].all() == [partner]
    assert books["delivery"].was_ever_used()
    assert books["delivery"].usage(day) == books["monitoring"].usage_totals() == {line: 2}
    for user in ("delivery", "pipeline", "monitoring"):
        with pytest.raises((exceptions.NoPermissionError, exceptions.ResponseError)):
            books[user].remove("acme")
    with pytest.raises(exceptions.NoPermissionError):
        books["monitoring"].all()
    with pytest.raises(exceptions.NoPermissionError):
        books["pipeline"].add_usage(day, {line: 1})


def test_serving_processes_write_heartbeats_and_monitoring_reads_them(
    server: Server, source: FakeUpstreams
) -> None:
    """The delivery service and the pusher write heartbeats, which the watch and monitoring can only read."""
    now = FakeClock()()
    books = {user: pipeline_on(_as(user, server), _KEYSPACE, source).store.heartbeats for user in _USERS}

    for process in DeliveryProcess:
        books[process.value].record(process, now)

    assert books["pipeline"].all() == books["monitoring"].all() == dict.fromkeys(DeliveryProcess, now)
    for user in ("pipeline", "monitoring"):
        with pytest.raises(exceptions.NoPermissionError):
            books[user].record(DeliveryProcess.PUSHER, now)


def test_the_users_have_the_commands_that_the_code_sends_and_no_others(redis_client: Redis) -> None:
    """Pipeline and operator may send exactly the commands that the adapters and scripts use."""
    sent = _commands_in_adapters(_known_to(redis_client)) | _commands_in_scripts() | _OF_CONNECTING

    assert commands_of("pipeline") == commands_of("operator") == sent


def test_the_pipeline_may_write_every_registered_key() -> None:
    """Every registered kind of key is writable, except the record of the switch."""
    keys = Keys(_KEYSPACE)
    key, pid = ScheduleKey.parse("alder/2026-03-28"), Pid("b0000001")
    spelled = [
        *(name(key) for name in (keys.state, keys.document, keys.outbox, keys.history, keys.versions)),
        keys.version(key, 1),
        *(name(pid) for name in (keys.copy, keys.version_token, keys.dependants)),
        *(
            name("any")
            for name in (keys.work, keys.feed, keys.coldstart, keys.losses, keys.alarms, keys.journal)
        ),
    ]
    writable = {rule.removeprefix("~") for rule in rules_of("pipeline") if rule.startswith("~")}

    assert {f"schedules:{name.split(':')[1]}:*" for name in spelled} == writable
    assert {name for name in vars(Keys) if not name.startswith("_")} == {
        *(
            "keyspace",
            "state",
            "document",
            "outbox",
            "history",
            "version",
            "versions",
            "copy",
            "version_token",
            "dependants",
        ),
        *("work", "feed", "coldstart", "losses", "alarms", "journal", "delivery"),
    }


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_the_pipelines_user_can_work_on_a_cluster(cluster: Cluster, source: FakeUpstreams) -> None:
    """On three masters that each know the user, a sample is published as that user."""
    for master in cluster.masters:
        grant(master.client, ["pipeline"], "schedules-as-a-user")
    server = Server(cluster.url, is_cluster=True)
    keys = load_sample(server, source)[1]
    restricted = pipeline_on(_as("pipeline", server), "schedules-as-a-user", source)

    build_everything(restricted, keys)

    assert all(contents(restricted, keys).values())


def _known_to(client: Redis) -> set[str]:
    """Every command of the server, such as ``xgroup|create``."""
    names = client.execute_command("COMMAND LIST")  # type: ignore[no-untyped-call]
    return {name.decode() for name in names}


def _commands_in_adapters(known: set[str]) -> set[str]:
    texts, methods = set[str](), set[str]()
    upstream = _REPOSITORY / "schedules_pipeline/upstream"
    on_redis = [path for path in _ADAPTERS.glob("*.py") if path.name != "dynamodb.py"]
    for path in (*on_redis, upstream / "legacy.py", upstream / "catalogue.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _WORD.match(node.value):
                texts.add(node.value.lower().replace(" ", "|"))
            if isinstance(node, ast.Call) and (method := _method_of_a_client(node)):
                methods.add(method)
    assert methods == _OF_THE_CLIENT.keys(), "the link calls another method: say which command it sends"
    named = {text for text in texts if text in known or text.partition("|")[2]}
    return named.union(*_OF_THE_CLIENT.values()) - _NOT_COMMANDS


_NOT_COMMANDS = {"type", "sort"}
"""Words of options and of error messages that are also commands."""


def _method_of_a_client(call: ast.Call) -> str | None:
    function = call.func
    if not isinstance(function, ast.Attribute):
        return None
    of = function.value
    is_client = (isinstance(of, ast.Attribute) and of.attr == "_client") or (
        isinstance(of, ast.Name) and of.id == "client"
    )
    return function.attr if is_client else None


def _commands_in_scripts() -> set[str]:
    scripts = (_ADAPTERS / "scripts").glob("*.lua")
    return {name.lower() for script in scripts for name in _CALL_IN_A_SCRIPT.findall(script.read_text())}
