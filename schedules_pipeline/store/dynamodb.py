"""The back-reference index in a DynamoDB table: one item for each entry, written conditionally. Optional.

The partition key ``item`` is ``<keyspace>:<pid>``. The sort key ``member`` is the schedule key and, for an episode, the
broadcast. The number ``score`` is the latest token that registered the entry. A failed condition on ``score`` means
that a newer writer was first, so the write is no longer needed.

Every read is consistent: a build that has registered must be visible to every later read, or a change of the item would
never reach it.

Belongs here: the table's shape, requests, and the meaning of their errors. Does not belong here: the steps that need
the index and the copies in Redis together (``external_index.py``).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.references import EntriesBySchedule
from schedules_pipeline.store.aws_answers import is_from_aws, require_from_aws, service_errors
from schedules_pipeline.store.members import parse_member, render_member

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UniversalAttributeValueTypeDef

_PARALLEL_REQUESTS = 32

_MOST_KEYS_PER_GET = 100
_CONDITION_FAILED = "ConditionalCheckFailedException"

_TRANSIENT = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
    }
)

_REPAIRABLE = {
    "AccessDeniedException": "access is denied: allow BatchGetItem, Query, Scan, UpdateItem and DeleteItem",
    "ResourceNotFoundException": "it does not exist: create it in this region, or correct "
    "SCHEDULES_REFERENCES_TABLE and SCHEDULES_AWS_REGION",
}
"""Errors that an operator can repair. Until then they are an outage: schedules wait, and no attempt counts."""

_OTHER_KEYS = "its keys are wrong: it needs the texts `item` as partition key and `member` as sort key"

_Key = tuple[Pid, str]
_T = TypeVar("_T")
_R = TypeVar("_R")


def dynamodb_client(region: str, endpoint_url: str | None) -> "DynamoDBClient":
    """Retries are safe, because a repeated request changes nothing."""
    config = Config(
        max_pool_connections=_PARALLEL_REQUESTS,
        connect_timeout=5,
        read_timeout=10,
        retries={"mode": "standard", "max_attempts": 5},
    )
    return boto3.session.Session().client(
        "dynamodb", region_name=region, endpoint_url=endpoint_url, config=config
    )


class DynamoReferenceIndex:
    """Implements :class:`~schedules_pipeline.store.external_index.ExternalReferenceIndex`.

    A batch is sent as parallel requests, which take effect in no order.
    """

    def __init__(self, client: "DynamoDBClient", table: str, keyspace: str) -> None:
        self._client = client
        self._table = table
        self._what = f"DynamoDB table {table}"
        self._keyspace = keyspace

    def register(self, entries: EntriesBySchedule, token: int) -> None:
        """One conditional write for each entry; a score is never lowered."""

        def raise_score(key: _Key) -> None:
            with self._unless_newer():
                reply = self._client.update_item(
                    TableName=self._table,
                    Key=self._key(key),
                    UpdateExpression="SET score = :token",
                    ConditionExpression="attribute_not_exists(score) OR score < :token",
                    ExpressionAttributeValues={":token": {"N": str(token)}},
                )
                require_from_aws(self._what, reply)

        _in_parallel(raise_score, _keys(entries))

    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        """One conditional removal for each entry. A removal whose reply was lost is not counted."""

        def remove(key: _Key) -> bool:
            with self._unless_newer():
                reply = self._client.delete_item(
                    TableName=self._table,
                    Key=self._key(key),
                    ConditionExpression="score <= :token",
                    ExpressionAttributeValues={":token": {"N": str(token)}},
                )
                require_from_aws(self._what, reply)
                return True
            return False

        return sum(_in_parallel(remove, _keys(entries)))

    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        return dict(zip(pids, _in_parallel(self._references, pids), strict=True))

    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        keys = _keys(entries)
        chunks = [
            keys[start : start + _MOST_KEYS_PER_GET] for start in range(0, len(keys), _MOST_KEYS_PER_GET)
        ]
        present = set().union(*_in_parallel(self._there, chunks))
        lacking: dict[ScheduleKey, list[Entry]] = defaultdict(list)
        for key, wanted in entries.items():
            for entry in wanted:
                if (entry.pid, render_member(key, entry)) not in present:
                    lacking[key].append(entry)
        return dict(lacking)

    def pids(self) -> Iterator[list[Pid]]:
        """One batch for each page. Reads the whole table, including other keyspaces."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="begins_with(#item, :keyspace)",
            ProjectionExpression="#item",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues={":keyspace": {"S": self._item("")}},
            ConsistentRead=True,
        )
        with self._as_service_error():
            for page in pages:
                yield list({self._pid(row["item"]["S"]): None for row in page["Items"]})

    def depended_on(self, pids: Sequence[Pid]) -> set[Pid]:
        """The pids that have dependants."""
        found = _in_parallel(self._is_depended_on, pids)
        return {pid for pid, is_depended_on in zip(pids, found, strict=True) if is_depended_on}

    def _references(self, pid: Pid) -> list[Reference]:
        """All pages; one holds at most 1 MB, some ten thousand entries."""
        references: list[Reference] = []
        with self._as_service_error():
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="#item = :item",
                ProjectionExpression="#member",
                ExpressionAttributeNames={"#item": "item", "#member": "member"},
                ExpressionAttributeValues={":item": {"S": self._item(pid)}},
                ConsistentRead=True,
            ):
                references += [parse_member(row["member"]["S"]) for row in page["Items"]]
        return references

    def _is_depended_on(self, pid: Pid) -> bool:
        with self._as_service_error():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="#item = :item",
                ExpressionAttributeNames={"#item": "item"},
                ExpressionAttributeValues={":item": {"S": self._item(pid)}},
                ConsistentRead=True,
                Limit=1,
            )
            return bool(page["Items"])

    def _there(self, keys: Sequence[_Key]) -> set[_Key]:
        there: set[_Key] = set()
        pending = [self._key(key) for key in keys]
        while pending:
            with self._as_service_error():
                reply = self._client.batch_get_item(
                    RequestItems={
                        self._table: {
                            "Keys": pending,
                            "ConsistentRead": True,
                            "ProjectionExpression": "#item, #member",
                            "ExpressionAttributeNames": {"#item": "item", "#member": "member"},
                        }
                    }
                )
                rows = reply["Responses"].get(self._table, [])
                there |= {(self._pid(row["item"]["S"]), row["member"]["S"]) for row in rows}
                left = reply["UnprocessedKeys"].get(self._table, {"Keys": []})["Keys"]
            if len(left) == len(pending):
                raise ServiceError(f"{self._what}: throttled, no key was read")
            pending = [cast("dict[str, UniversalAttributeValueTypeDef]", dict(key)) for key in left]
        return there

    def _key(self, key: _Key) -> "dict[str, UniversalAttributeValueTypeDef]":
        pid, member = key
        return {"item": {"S": self._item(pid)}, "member": {"S": member}}

    def _item(self, pid: str) -> str:
        return f"{self._keyspace}:{pid}"

    def _pid(self, item: str) -> Pid:
        return Pid(item.rpartition(":")[2])

    @contextmanager
    def _unless_newer(self) -> Iterator[None]:
        """Ignore a failed condition: a newer writer was first."""
        try:
            with self._as_service_error():
                yield
        except ClientError as error:
            if _code(error) != _CONDITION_FAILED:
                raise

    @contextmanager
    def _as_service_error(self) -> Iterator[None]:
        """Raise transient and repairable errors as :class:`ServiceError`, and answers of something in front of
        DynamoDB. Other errors are defects and pass through.
        """
        with service_errors(self._what, passes=_is_defect):
            try:
                yield
            except ClientError as error:
                if (meaning := _meaning(error)) is not None:
                    raise ServiceError(f"{self._what}: {meaning}") from error
                raise


def _in_parallel(ask: Callable[[_T], _R], things: Sequence[_T]) -> list[_R]:
    if len(things) <= 1:
        return [ask(thing) for thing in things]
    with ThreadPoolExecutor(min(len(things), _PARALLEL_REQUESTS)) as pool:
        return list(pool.map(ask, things))


def _keys(entries: EntriesBySchedule) -> list[_Key]:
    """Each key once, because DynamoDB rejects a batch that names a key twice."""
    return list(
        {(entry.pid, render_member(key, entry)): None for key, wanted in entries.items() for entry in wanted}
    )


def _meaning(error: ClientError) -> str | None:
    """The message for an outage; None for a defect."""
    code = _code(error)
    if code in _TRANSIENT:
        return str(error)
    if code == "ValidationException" and "schema" in str(error):
        return f"{_OTHER_KEYS} ({error})"
    return f"{_REPAIRABLE[code]} ({error})" if code in _REPAIRABLE else None


def _is_defect(error: ClientError) -> bool:
    return is_from_aws(error) and _meaning(error) is None


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
