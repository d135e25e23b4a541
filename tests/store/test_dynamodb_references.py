"""The back-reference index in DynamoDB: large answers, parallel writers, and errors."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import ANY, Stubber

from demo.provision import AwsEndpoints, provision_references
from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.store.dynamodb import DynamoReferenceIndex, dynamodb_client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = ScheduleKey.parse("alder/2026-03-28")
_EPISODE, _BRAND = Pid("p0000001"), Pid("b0000001")
_LONG_KEYSPACE = "k" * 900
_MORE_THAN_A_PAGE = 1_200
"""Entries of this keyspace are more than the megabyte that one page holds."""

_ANY_KEYS = {"RequestItems": ANY}

Ask = Callable[[DynamoReferenceIndex], object]
_ASK: dict[str, Ask] = {
    "update_item": lambda index: index.register({_KEY: [Entry(_BRAND)]}, 1),
    "delete_item": lambda index: index.unregister({_KEY: [Entry(_BRAND)]}, 1),
    "query": lambda index: index.references([_BRAND]),
    "batch_get_item": lambda index: index.missing({_KEY: [Entry(_BRAND)]}),
    "scan": lambda index: list(index.pids()),
}


@pytest.fixture
def table(references_table: "tuple[DynamoDBClient, str]") -> "tuple[DynamoDBClient, str]":
    return references_table


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> tuple[DynamoReferenceIndex, Stubber]:
    """An index on a client with stubbed answers."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    client = dynamodb_client("eu-west-1", "http://127.0.0.1:9")
    stubber = Stubber(client)
    stubber.activate()
    return DynamoReferenceIndex(client, "a-table", "stubbed"), stubber


def _long_key(number: int) -> ScheduleKey:
    return ScheduleKey.parse(f"{number:06}{'x' * 58}/2026-03-28")


def test_many_references_come_in_pages(table: "tuple[DynamoDBClient, str]") -> None:
    """Dependants and entries are found on all pages of an answer."""
    client, name = table
    index = DynamoReferenceIndex(client, name, _LONG_KEYSPACE)
    entries = {_long_key(number): [Entry(_BRAND)] for number in range(_MORE_THAN_A_PAGE)}

    index.register(entries, 1)

    first_page = client.query(
        TableName=name,
        KeyConditionExpression="#item = :item",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":item": {"S": f"{_LONG_KEYSPACE}:{_BRAND}"}},
    )
    assert "LastEvaluatedKey" in first_page
    assert {reference.key for reference in index.references([_BRAND])[_BRAND]} == set(entries)
    assert index.missing(entries) == {}
    assert {pid for pids in index.pids() for pid in pids} == {_BRAND}


def test_keyspaces_share_a_table_and_nothing_else(table: "tuple[DynamoDBClient, str]") -> None:
    """Keyspaces are separate, even if one's name is a prefix of the other's."""
    one, other = (DynamoReferenceIndex(*table, keyspace) for keyspace in ("shared", "shared-2"))
    one.register({_KEY: [Entry(_BRAND)]}, 1)
    other.register({_KEY: [Entry(_EPISODE, Pid("w0000001"))]}, 1)

    assert one.depended_on([_BRAND, _EPISODE]) == {_BRAND}
    assert other.references([_BRAND, _EPISODE])[_BRAND] == []
    assert [pid for pids in one.pids() for pid in pids] == [_BRAND]
    assert [pid for pids in other.pids() for pid in pids] == [_EPISODE]


def test_parallel_writers_leave_the_greatest_score(table: "tuple[DynamoDBClient, str]") -> None:
    """Among parallel writers the newest token wins, and older removals have no effect."""
    index = DynamoReferenceIndex(*table, "parallel")
    tokens = [7, 3, 9, 1, 5, 8, 2, 6, 4] * 4

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(lambda token: index.register({_KEY: [Entry(_BRAND)]}, token), tokens))
        removed = sum(pool.map(lambda token: index.unregister({_KEY: [Entry(_BRAND)]}, token), range(1, 9)))

    assert removed == 0
    assert index.references([_BRAND]) == {_BRAND: [Reference(_KEY)]}
    assert index.unregister({_KEY: [Entry(_BRAND)]}, 9) == 1


def test_parallel_registration_and_removal_of_one_token_end_either_way(
    table: "tuple[DynamoDBClient, str]",
) -> None:
    """A registration survives a removal with an older token, in either order."""
    index = DynamoReferenceIndex(*table, "either")
    keys = [_long_key(number) for number in range(40)]
    entries = {key: [Entry(_BRAND)] for key in keys}
    index.register(entries, 1)

    with ThreadPoolExecutor(2) as pool:
        removal = pool.submit(index.unregister, entries, 1)
        pool.submit(index.register, entries, 2).result()
        removal.result()

    assert index.missing(entries) == {}


def test_an_entry_that_is_named_twice_is_asked_for_once(table: "tuple[DynamoDBClient, str]") -> None:
    """A batch may name an entry twice."""
    index = DynamoReferenceIndex(*table, "twice")
    index.register({_KEY: [Entry(_BRAND), Entry(_BRAND)]}, 1)

    missing = index.missing({_KEY: [Entry(_BRAND), Entry(_BRAND), Entry(_EPISODE), Entry(_EPISODE)]})

    assert missing == {_KEY: [Entry(_EPISODE), Entry(_EPISODE)]}


def test_a_table_that_is_not_there_is_named(aws_endpoints: AwsEndpoints) -> None:
    """The error says which table, and which settings name it."""
    index = DynamoReferenceIndex(aws_endpoints.dynamodb(), "no-such-table", "lost")

    with pytest.raises(ServiceError, match=r"no-such-table: .*SCHEDULES_REFERENCES_TABLE"):
        index.references([_BRAND])


@pytest.mark.parametrize("operation", sorted(_ASK.keys() - {"scan"}))
def test_a_table_with_other_keys_is_named(aws_endpoints: AwsEndpoints, operation: str) -> None:
    """On a table with other keys, every operation fails with an error that names the required keys."""
    client = aws_endpoints.dynamodb()
    client.create_table(
        TableName="theirs",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with pytest.raises(ServiceError, match=r"theirs: .*`item` as partition key"):
        _ASK[operation](DynamoReferenceIndex(client, "theirs", "lost"))


def test_provisioning_again_leaves_the_table_as_it_is(aws_endpoints: AwsEndpoints) -> None:
    """Creating an existing table is harmless."""
    provision_references(aws_endpoints, "again")
    index = DynamoReferenceIndex(aws_endpoints.dynamodb(), "again", "kept")
    index.register({_KEY: [Entry(_BRAND)]}, 1)

    provision_references(aws_endpoints, "again")

    assert index.depended_on([_BRAND]) == {_BRAND}


@pytest.mark.parametrize("operation", _ASK)
@pytest.mark.parametrize(
    "code",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"],
)
def test_what_passes_by_itself_is_an_outage(
    stubbed: tuple[DynamoReferenceIndex, Stubber], operation: str, code: str
) -> None:
    """Throttling and faults of DynamoDB are raised as ``ServiceError``."""
    index, stubber = stubbed
    stubber.add_client_error(operation, service_error_code=code, http_status_code=400)

    with pytest.raises(ServiceError, match="a-table"):
        _ASK[operation](index)


@pytest.mark.parametrize("operation", _ASK)
def test_a_missing_permission_is_named(stubbed: tuple[DynamoReferenceIndex, Stubber], operation: str) -> None:
    """The error names the missing permissions."""
    index, stubber = stubbed
    stubber.add_client_error(operation, service_error_code="AccessDeniedException", http_status_code=400)

    with pytest.raises(ServiceError, match=r"a-table: .*allow .*UpdateItem"):
        _ASK[operation](index)


@pytest.mark.parametrize("operation", _ASK)
def test_a_defect_is_raised_unchanged(stubbed: tuple[DynamoReferenceIndex, Stubber], operation: str) -> None:
    """An invalid request is a defect and not a ``ServiceError``."""
    index, stubber = stubbed
    stubber.add_client_error(
        operation,
        service_error_code="ValidationException",
        http_status_code=400,
        response_meta={"RequestId": "1"},
    )

    with pytest.raises(ClientError, match="ValidationException"):
        _ASK[operation](index)


def test_no_answer_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout is raised as ``ServiceError``."""

    class Silent:
        def query(self, **_: Any) -> None:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:9")

    silent: Any = Silent()

    with pytest.raises(ServiceError, match="a-table"):
        DynamoReferenceIndex(silent, "a-table", "lost").depended_on([_BRAND])


def test_keys_that_were_left_out_are_asked_for_again(
    stubbed: tuple[DynamoReferenceIndex, Stubber],
) -> None:
    """Unprocessed keys of a batch are requested again; a batch without any answer is an outage."""
    index, stubber = stubbed
    keys = [_stubbed_key(_BRAND), _stubbed_key(_EPISODE)]
    left_out = {"a-table": {"Keys": keys[1:]}}
    stubber.add_response(
        "batch_get_item", {"Responses": {"a-table": keys[:1]}, "UnprocessedKeys": left_out}, _ANY_KEYS
    )
    stubber.add_response("batch_get_item", {"Responses": {"a-table": []}, "UnprocessedKeys": {}}, _ANY_KEYS)
    stubber.add_response(
        "batch_get_item", {"Responses": {}, "UnprocessedKeys": {"a-table": {"Keys": keys}}}, _ANY_KEYS
    )
    entries = {_KEY: [Entry(_BRAND), Entry(_EPISODE)]}

    found = index.missing(entries)

    assert found == {_KEY: [Entry(_EPISODE)]}
    with pytest.raises(ServiceError, match="throttled"):
        index.missing(entries)


def _stubbed_key(pid: Pid) -> dict[str, Any]:
    return {"item": {"S": f"stubbed:{pid}"}, "member": {"S": str(_KEY)}}
