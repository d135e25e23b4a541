"""The back-reference index in a DynamoDB table: one item an entry, guarded by conditional writes.

An entry's item has the partition key ``item``, ``<keyspace>:<pid>``; the sort key ``member``, the schedule's key
and, for an episode, the broadcast; and the number ``score``, the token that registered it last. Every write
names the score that it expects to find, which is optimistic locking without a second attempt: a condition that
fails means that somebody newer was there, and then nothing is to be done.

Every read is consistent: a build that has registered must be seen by whoever looks afterwards, or a change of
the item would never reach it.

Belongs here: the table's shape, requests, and what their errors mean. Does not belong here: the steps that
have to agree with our copies in Redis, which are in ``adapters/redis/external_index.py``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UniversalAttributeValueTypeDef

ASKED_SIDE_BY_SIDE = 32
"""Requests under way at once; the client's connection pool must be as large."""

_MOST_KEYS_PER_GET = 100
_NEWER_WAS_THERE = "ConditionalCheckFailedException"

_PASSING = frozenset(
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

_MENDABLE = {
    "AccessDeniedException": "this process may not use it: allow BatchGetItem, Query, Scan, UpdateItem "
    "and DeleteItem on it",
    "ResourceNotFoundException": "it is not there: create it in this region, or correct "
    "SCHEDULES_REFERENCES_TABLE and SCHEDULES_AWS_REGION",
}
"""What an operator can put right. Until then it is an outage: the schedules wait, and count it as no failure."""

_OTHER_KEYS = "it does not take our keys: it needs the texts `item` as partition key and `member` as sort key"

EntriesBySchedule = Mapping[ScheduleKey, Iterable[Entry]]
_Key = tuple[Pid, str]
_T = TypeVar("_T")
_R = TypeVar("_R")


class DynamoReferenceIndex:
    """Implements :class:`ReferenceIndex`, and tells in addition which pids
    have dependants at all.

    The methods of one batch are many requests side by side. Each takes effect by itself, in no order.
    """

    def __init__(self, client: "DynamoDBClient", table: str, keyspace: str) -> None:
        self._client = client
        self._table = table
        self._keyspace = keyspace

    def register(self, entries: EntriesBySchedule, token: int) -> None:
        """One conditional write an entry; a score is never lowered."""

        def raise_score(key: _Key) -> None:
            with self._unless_newer():
                self._client.update_item(
                    TableName=self._table,
                    Key=self._key(key),
                    UpdateExpression="SET score = :token",
                    ConditionExpression="attribute_not_exists(score) OR score < :token",
                    ExpressionAttributeValues={":token": {"N": str(token)}},
                )

        _side_by_side(raise_score, _keys(entries))

    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        """One conditional removal an entry. One whose answer was lost may be removed and not counted."""

        def remove(key: _Key) -> bool:
            with self._unless_newer():
                self._client.delete_item(
                    TableName=self._table,
                    Key=self._key(key),
                    ConditionExpression="score <= :token",
                    ExpressionAttributeValues={":token": {"N": str(token)}},
                )
                return True
            return False

        return sum(_side_by_side(remove, _keys(entries)))

    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        return dict(zip(pids, _side_by_side(self._references, pids), strict=True))

    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        keys = _keys(entries)
        chunks = [
            keys[start : start + _MOST_KEYS_PER_GET] for start in range(0, len(keys), _MOST_KEYS_PER_GET)
        ]
        there = set().union(*_side_by_side(self._there, chunks))
        lacking: dict[ScheduleKey, list[Entry]] = defaultdict(list)
        for key, wanted in entries.items():
            for entry in wanted:
                if (entry.pid, _member(key, entry)) not in there:
                    lacking[key].append(entry)
        return dict(lacking)

    def pids(self) -> Iterator[list[Pid]]:
        """A batch a page. The whole table is read for it, also what belongs to other keyspaces."""
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
        """Those of the pids that anything depends on."""
        found = _side_by_side(self._is_depended_on, pids)
        return {pid for pid, is_depended_on in zip(pids, found, strict=True) if is_depended_on}

    def _references(self, pid: Pid) -> list[Reference]:
        """As many pages as there are: one holds at most 1 MB, some ten thousand entries."""
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
                references += [_reference(row["member"]["S"]) for row in page["Items"]]
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
                raise ServiceError(f"DynamoDB table {self._table}: throttled, no key was read")
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
        """A condition that fails is an answer: somebody newer was there, or somebody was first."""
        try:
            with self._as_service_error():
                yield
        except ClientError as error:
            if _code(error) != _NEWER_WAS_THERE:
                raise

    @contextmanager
    def _as_service_error(self) -> Iterator[None]:
        """What may pass by itself, or by an operator's hand; anything else is a defect and raised as it is."""
        try:
            yield
        except ClientError as error:
            if (meaning := _meaning(error)) is None:
                raise
            raise ServiceError(f"DynamoDB table {self._table}: {meaning}") from error
        except (BotoCoreError, OSError) as error:
            raise ServiceError(f"DynamoDB table {self._table}: {error}") from error


def _side_by_side(ask: Callable[[_T], _R], things: Sequence[_T]) -> list[_R]:
    if len(things) <= 1:
        return [ask(thing) for thing in things]
    with ThreadPoolExecutor(min(len(things), ASKED_SIDE_BY_SIDE)) as pool:
        return list(pool.map(ask, things))


def _keys(entries: EntriesBySchedule) -> list[_Key]:
    """Each once: DynamoDB refuses a batch that names a key twice."""
    return list(
        {(entry.pid, _member(key, entry)): None for key, wanted in entries.items() for entry in wanted}
    )


def _member(key: ScheduleKey, entry: Entry) -> str:
    return str(key) if entry.broadcast_pid is None else f"{key}/{entry.broadcast_pid}"


def _reference(member: str) -> Reference:
    sid, day, *broadcast = member.split("/")
    return Reference(ScheduleKey.parse(f"{sid}/{day}"), Pid(broadcast[0]) if broadcast else None)


def _meaning(error: ClientError) -> str | None:
    """What to tell of an outage; None where it is none."""
    code = _code(error)
    if code in _PASSING:
        return str(error)
    if code == "ValidationException" and "schema" in str(error):
        return f"{_OTHER_KEYS} ({error})"
    return f"{_MENDABLE[code]} ({error})" if code in _MENDABLE else None


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
