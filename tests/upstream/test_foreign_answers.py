"""Answers that do not come from AWS, to every call of every adapter, through real botocore and a real socket.

Nothing is concluded from them: no schedule is absent, no listing is complete, and no message was sent.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from loopback import (
    HTML,
    OBJECT_HEADERS,
    S3_HEADERS,
    HttpAnswer,
    Loopback,
    json_answer,
    loopback,
    s3_error,
)

from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.outbound.files import S3FileStore
from schedules_pipeline.publishing.ports.upstream import Message, Outgoing, SourceObject
from schedules_pipeline.store.dynamodb import DynamoReferenceIndex
from schedules_pipeline.upstream.bucket import S3ScheduleSource
from schedules_pipeline.upstream.queue import SqsQueue

_KEY = ScheduleKey.parse("alder/2026-03-28")
_PID = Pid("b0000001")
_MESSAGE = Message("id", "body", datetime(2026, 3, 28, tzinfo=UTC), "receipt", 1)
_LISTING = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
    b"<IsTruncated>false</IsTruncated><Contents><Key>schedules/alder/2026-03-28.json</Key></Contents>"
    b"</ListBucketResult>"
)

_S3_FOREIGN = {
    "404 with HTML": HttpAnswer(404, HTML, {"Content-Type": "text/html"}),
    "404 with JSON": HttpAnswer(404, b'{"Code": "NoSuchKey"}', {"Content-Type": "application/json"}),
    "404 with nothing": HttpAnswer(404),
    "404 with bytes": HttpAnswer(404, b"\xff\xfe\x00"),
    "NoSuchKey without S3's headers": s3_error("NoSuchKey", 404, {}),
    "NoSuchKey with 403": s3_error("NoSuchKey", 403),
    "NoSuchKey cut off": HttpAnswer(404, s3_error("NoSuchKey", 404).body[:70], S3_HEADERS),
    "NoSuchBucket": s3_error("NoSuchBucket", 404),
    "NoSuchVersion": s3_error("NoSuchVersion", 404),
    "AccessDenied": s3_error("AccessDenied", 403),
    "403 of a gateway": HttpAnswer(403, HTML),
    "301 of S3": s3_error("PermanentRedirect", 301),
    "301 to itself": HttpAnswer(301, b"", {"Location": "/again"}),
    "302 to a login": HttpAnswer(302, HTML, {"Location": "/login"}),
    "304": HttpAnswer(304, b"", S3_HEADERS),
    "307 to itself": HttpAnswer(307, b"", {"Location": "/again"}),
    "401": HttpAnswer(401, HTML),
    "418": HttpAnswer(418, HTML),
    "503": HttpAnswer(503, HTML),
    "200 with HTML": HttpAnswer(200, HTML, {"Content-Type": "text/html"}),
}
_OBJECT_FOREIGN = {
    **_S3_FOREIGN,
    "200 without a time": HttpAnswer(200, b"{}", {**S3_HEADERS, "ETag": '"a"'}),
    "200 without an ETag": HttpAnswer(200, b"{}", {k: v for k, v in OBJECT_HEADERS.items() if k != "ETag"}),
    "200 without a request id": HttpAnswer(
        200, b"{}", {k: v for k, v in OBJECT_HEADERS.items() if k not in S3_HEADERS}
    ),
    "200 without a length": HttpAnswer(200, b"{}", OBJECT_HEADERS, None),
    "200 cut off": HttpAnswer(200, b"{}", OBJECT_HEADERS, 100),
    "200 with another time": HttpAnswer(200, b"{}", {**OBJECT_HEADERS, "Last-Modified": "yesterday"}),
    "204": HttpAnswer(204, b"", OBJECT_HEADERS),
    "206": HttpAnswer(206, b"{}", OBJECT_HEADERS),
}
_LISTING_FOREIGN = {
    **_S3_FOREIGN,
    "200 with nothing": HttpAnswer(200, b"", S3_HEADERS),
    "200 with XML of another kind": HttpAnswer(200, b"<Feed/>", S3_HEADERS),
    "200 with JSON": HttpAnswer(200, b"{}", S3_HEADERS),
    "200 cut off": HttpAnswer(200, _LISTING[:150], S3_HEADERS),
    "200 without a request id": HttpAnswer(200, _LISTING),
    "an object without a name": HttpAnswer(200, _LISTING.replace(b"Key>", b"Size>"), S3_HEADERS),
    "more pages without a token": HttpAnswer(200, _LISTING.replace(b"false", b"true"), S3_HEADERS),
}
_JSON_FOREIGN = {
    "200 with HTML": HttpAnswer(200, HTML, {"Content-Type": "text/html"}),
    "200 with an empty object": HttpAnswer(200, b"{}"),
    "200 with nothing": HttpAnswer(200),
    "JSON null": json_answer(b"null"),
    "JSON list": json_answer(b"[]"),
    "JSON text": json_answer(b'"a"'),
    "bytes that are not UTF-8": json_answer(b'{"Messages": [{"Body": "\xff"}], "Items": "\xff"}'),
    "302 to a login": HttpAnswer(302, HTML, {"Location": "/login"}),
    "404 with HTML": HttpAnswer(404, HTML, {"Content-Type": "text/html"}),
    "404 with a JSON text": json_answer(b'"text"', 404),
    "400 with a JSON list": json_answer(b"[1]", 400),
    "400 with numbers": json_answer(b'{"__type": 5, "message": 7}', 400),
    "503": HttpAnswer(503, HTML),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


def _source(server: Loopback) -> S3ScheduleSource:
    """It has fetched, so that it calls directly, and by AWS's library after a foreign answer."""
    source = S3ScheduleSource(server.client("s3"), "a-bucket", 1_000)
    server.answers(HttpAnswer(200, b"{}", OBJECT_HEADERS))
    source.fetch([_KEY])
    return source


def _queue(server: Loopback) -> SqsQueue:
    """It knows its address. It has received and deleted, so that it calls directly, and by AWS's library after a
    foreign answer.
    """
    queue = SqsQueue(server.client("sqs"), "a-queue")
    server.answers(json_answer(f'{{"QueueUrl": "{server.url}/1/a-queue"}}'.encode()))
    queue.receive(0)
    server.answers(json_answer(b'{"Successful": [{"Id": "0"}], "Failed": []}'))
    queue.delete([_MESSAGE])
    return queue


def _table(server: Loopback) -> DynamoReferenceIndex:
    return DynamoReferenceIndex(server.client("dynamodb"), "a-table", "keyspace")


@pytest.mark.parametrize("answer", _OBJECT_FOREIGN.values(), ids=_OBJECT_FOREIGN)
def test_no_foreign_answer_removes_a_schedule(server: Loopback, answer: HttpAnswer) -> None:
    """A fetch gives an error for its schedule, which names the schedule and the bucket."""
    source = _source(server)
    server.answers(answer)

    found = source.fetch([_KEY])[_KEY]

    assert isinstance(found, ServiceError)
    assert str(found).startswith(f"schedule {_KEY} in bucket a-bucket: ")


def test_only_the_error_of_s3_means_absence(server: Loopback) -> None:
    """``NoSuchKey`` in S3's form, with its status and headers, is None."""
    source = _source(server)
    server.answers(s3_error("NoSuchKey", 404))

    assert source.fetch([_KEY]) == {_KEY: None}


def test_an_object_is_fetched(server: Loopback) -> None:
    """An answer with the headers of S3 is the document."""
    source = _source(server)
    server.answers(HttpAnswer(200, b"{}", OBJECT_HEADERS))

    assert source.fetch([_KEY]) == {_KEY: SourceObject(b"{}", "2026-03-28T12:00:00+00:00")}


def test_one_foreign_answer_does_not_cost_its_siblings(server: Loopback) -> None:
    """Of two schedules that are fetched together, one is found and one gets the error."""
    source, other = _source(server), ScheduleKey.parse("alder/2026-03-29")
    server.answer = lambda _, path, __: (
        HttpAnswer(200, b"{}", OBJECT_HEADERS) if "28" in path else HttpAnswer(301, b"", {"Location": "/x"})
    )

    found = source.fetch([_KEY, other])

    assert isinstance(found[_KEY], SourceObject)
    assert isinstance(found[other], ServiceError)


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (s3_error("NoSuchBucket", 404), "create the bucket, or correct the setting that names it"),
        (s3_error("AccessDenied", 403), r"without s3:ListBucket S3 denies absent objects too"),
        (HttpAnswer(404, HTML), "check SCHEDULES_AWS_ENDPOINT_URL, and the proxy or gateway"),
        (HttpAnswer(200, HTML), "check SCHEDULES_AWS_ENDPOINT_URL, and the proxy or gateway"),
    ],
)
def test_the_error_says_what_to_do(server: Loopback, answer: HttpAnswer, remedy: str) -> None:
    """It names the setting or the permission."""
    source = _source(server)
    server.answers(answer)

    assert remedy in str(source.fetch([_KEY])[_KEY])


@pytest.mark.parametrize("answer", _LISTING_FOREIGN.values(), ids=_LISTING_FOREIGN)
def test_no_foreign_answer_is_a_listing(server: Loopback, answer: HttpAnswer) -> None:
    """A coldstart removes what the source does not list, so an empty or partial listing is an error."""
    source, files = _source(server), S3FileStore(server.client("s3"), "a-bucket")
    server.answers(answer)

    with pytest.raises(ServiceError, match="bucket a-bucket: "):
        list(source.list_keys())
    with pytest.raises(ServiceError, match="bucket a-bucket: "):
        list(files.names("to/"))


def test_a_listing_is_read(server: Loopback) -> None:
    """A listing of S3 names its schedules."""
    source = _source(server)
    server.answers(HttpAnswer(200, _LISTING, S3_HEADERS))

    assert list(source.list_keys()) == [_KEY]


@pytest.mark.parametrize("answer", _OBJECT_FOREIGN.values(), ids=_OBJECT_FOREIGN)
def test_no_foreign_answer_is_a_file_or_its_absence(server: Loopback, answer: HttpAnswer) -> None:
    """The pusher neither reads another content, nor takes a pointer for absent and writes everything anew."""
    files = S3FileStore(server.client("s3"), "a-bucket")
    server.answers(answer)

    with pytest.raises(ServiceError, match="bucket a-bucket: "):
        files.read("to/latest.json")


@pytest.mark.parametrize("answer", _S3_FOREIGN.values(), ids=_S3_FOREIGN)
def test_no_foreign_answer_means_that_a_file_was_written(server: Loopback, answer: HttpAnswer) -> None:
    """Writing and deleting are errors."""
    files = S3FileStore(server.client("s3"), "a-bucket")
    server.answers(answer)

    with pytest.raises(ServiceError, match="bucket a-bucket: "):
        files.put("to/a", b"content", "text/plain")
    with pytest.raises(ServiceError, match="bucket a-bucket: "):
        files.delete("to/a")


_QUEUE_CALLS: dict[str, Callable[[SqsQueue], object]] = {
    "receive": lambda queue: queue.receive(0),
    "delete": lambda queue: queue.delete([_MESSAGE]),
    "show again": lambda queue: queue.show_again([_MESSAGE]),
    "send": lambda queue: queue.send([Outgoing("body")]),
    "depth": lambda queue: queue.depth(),
    "purge": lambda queue: queue.purge(),
}


@pytest.mark.parametrize("call", _QUEUE_CALLS.values(), ids=_QUEUE_CALLS)
@pytest.mark.parametrize("answer", _JSON_FOREIGN.values(), ids=_JSON_FOREIGN)
def test_no_foreign_answer_is_one_of_a_queue(
    server: Loopback, answer: HttpAnswer, call: Callable[[SqsQueue], object]
) -> None:
    """No queue is empty, and no message was sent or deleted. A purge has no result, so its answer is not read."""
    queue = _queue(server)
    server.answers(answer)
    if call is _QUEUE_CALLS["purge"] and answer.status == 200 and "x-amzn-RequestId" in answer.headers:
        return

    with pytest.raises(ServiceError, match="queue a-queue: "):
        call(queue)


@pytest.mark.parametrize("answer", _JSON_FOREIGN.values(), ids=_JSON_FOREIGN)
def test_no_foreign_answer_is_the_address_of_a_queue(server: Loopback, answer: HttpAnswer) -> None:
    """The first call looks the address up, and fails."""
    queue = SqsQueue(server.client("sqs"), "a-queue")
    server.answers(answer)

    with pytest.raises(ServiceError, match="queue a-queue: "):
        queue.receive(0)


@pytest.mark.parametrize(
    "row",
    [
        b"{}",
        b'{"MessageId": "a", "Body": "b", "ReceiptHandle": "c"}',
        b'{"MessageId": "a", "Body": "b", "ReceiptHandle": "c", "Attributes": {"SentTimestamp": "now"}}',
    ],
)
def test_a_message_without_its_fields_is_a_failure_of_the_service(server: Loopback, row: bytes) -> None:
    """A delivery without id, body, receipt or time is an error, and not a rejected message."""
    queue = _queue(server)
    server.answers(json_answer(b'{"Messages": [' + row + b"]}"))

    with pytest.raises(ServiceError, match="queue a-queue: the answer cannot be decoded"):
        queue.receive(0)


@pytest.mark.parametrize(
    ("reply", "failing"),
    [
        pytest.param({"Failed": [(0, True)]}, {"send"}, id="refused as the sender's fault"),
        pytest.param({"Failed": [(0, False)]}, {"send", "delete", "show again"}, id="failed"),
        pytest.param({}, {"send", "delete", "show again"}, id="not mentioned"),
        pytest.param({"Successful": [0]}, set(), id="successful"),
    ],
)
def test_every_entry_of_a_batch_is_accounted_for(
    server: Loopback, reply: dict[str, list[Any]], failing: set[str]
) -> None:
    """A message counts as sent only if SQS says so. A stale receipt is no error: its message is delivered again."""
    queue = _queue(server)
    failed = [
        f'{{"Id": "{i}", "SenderFault": {str(f).lower()}, "Code": "C"}}' for i, f in reply.get("Failed", [])
    ]
    done = [
        f'{{"Id": "{i}", "MessageId": "m", "MD5OfMessageBody": "x"}}' for i in reply.get("Successful", [])
    ]
    body = f'{{"Failed": [{",".join(failed)}], "Successful": [{",".join(done)}]}}'
    server.answers(json_answer(body.encode()))

    for name in ("send", "delete", "show again"):
        if name in failing:
            with pytest.raises(ServiceError, match="queue a-queue: "):
                _QUEUE_CALLS[name](queue)
        elif name != "send":
            _QUEUE_CALLS[name](queue)


_TABLE_CALLS: dict[str, Callable[[DynamoReferenceIndex], object]] = {
    "register": lambda table: table.register({_KEY: [Entry(_PID)]}, 1),
    "unregister": lambda table: table.unregister({_KEY: [Entry(_PID)]}, 1),
    "references": lambda table: table.references([_PID]),
    "missing": lambda table: table.missing({_KEY: [Entry(_PID)]}),
    "pids": lambda table: list(table.pids()),
    "depended on": lambda table: table.depended_on([_PID]),
}


@pytest.mark.parametrize("call", _TABLE_CALLS.values(), ids=_TABLE_CALLS)
@pytest.mark.parametrize("answer", _JSON_FOREIGN.values(), ids=_JSON_FOREIGN)
def test_no_foreign_answer_is_one_of_a_table(
    server: Loopback, answer: HttpAnswer, call: Callable[[DynamoReferenceIndex], object]
) -> None:
    """No reference counts as registered, and no item counts as unused."""
    table = _table(server)
    server.answers(answer)

    with pytest.raises(ServiceError, match="DynamoDB table a-table: "):
        call(table)
