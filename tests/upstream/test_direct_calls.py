"""Calls without the most of AWS's library, through a real socket and on the emulator."""

from collections.abc import Iterator
from typing import Any

import pytest
from loopback import HTML, OBJECT_HEADERS, HttpAnswer, Loopback, json_answer, loopback, s3_error

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.documents.notification import object_key
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.upstream import Outgoing, SourceObject
from schedules_pipeline.upstream import direct_calls
from schedules_pipeline.upstream.bucket import S3ScheduleSource
from schedules_pipeline.upstream.queue import SqsQueue

_KEY = ScheduleKey.parse("alder/2026-03-28")
_OTHER = ScheduleKey.parse("alder/2026-03-29")
_DOCUMENT = HttpAnswer(200, b"{}", OBJECT_HEADERS)


class Library:
    """Counts the calls that AWS's library makes."""

    def __init__(self, client: Any) -> None:
        self.calls = 0
        client.meta.events.register("before-call", self._count)

    def _count(self, **_: object) -> None:
        self.calls += 1


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


def _source(server: Loopback) -> tuple[S3ScheduleSource, Library]:
    """It has fetched once, by the library."""
    client = server.client("s3")
    source, library = S3ScheduleSource(client, "a-bucket", 1_000), Library(client)
    server.answers(_DOCUMENT)
    source.fetch([_KEY])
    assert library.calls == 1
    return source, library


def test_the_library_fetches_only_the_first_document(server: Loopback) -> None:
    """Later ones have the same identity as by the library, also in a version of S3 and with an encoding."""
    source, library = _source(server)
    server.answers(
        HttpAnswer(200, b"{}", {**OBJECT_HEADERS, "x-amz-version-id": "v1", "Content-Encoding": "identity"})
    )
    directly = source.fetch([_OTHER])
    assert library.calls == 1

    by_library = S3ScheduleSource(server.client("s3"), "a-bucket", 1_000)._get_by_library(_OTHER)

    assert directly == {_OTHER: SourceObject(b"{}", "2026-03-28T12:00:00+00:00 v1")}
    assert by_library == (directly[_OTHER], "identity")
    assert {path for _, path, __ in server.requests[1:]} == {f"/a-bucket/{object_key(_OTHER)}"}


def test_an_absent_document_is_confirmed_by_the_library(server: Loopback) -> None:
    """The next document is fetched directly again."""
    source, library = _source(server)
    server.answers(s3_error("NoSuchKey", 404))
    assert source.fetch([_KEY]) == {_KEY: None}
    assert library.calls == 2

    server.answers(_DOCUMENT)
    source.fetch([_KEY])

    assert library.calls == 2


def test_a_document_that_is_too_large_is_left_to_the_library(server: Loopback) -> None:
    """A direct call reads nothing of it."""
    source, library = _source(server)
    server.answers(HttpAnswer(200, b"x" * 10_000, OBJECT_HEADERS))

    found = source.fetch([_KEY])[_KEY]

    assert isinstance(found, SourceObject)
    assert len(found.content) + found.unread_bytes == 10_000
    assert found.unread_bytes > 0
    assert library.calls == 2


@pytest.mark.parametrize("answer", [HttpAnswer(503, HTML), s3_error("AccessDenied", 403)], ids=["503", "403"])
def test_after_a_failure_the_library_calls_for_a_minute(server: Loopback, answer: HttpAnswer) -> None:
    """So an outage does not double the requests."""
    source, library = _source(server)
    server.answers(answer)
    source.fetch([_KEY])
    server.answers(_DOCUMENT)
    before = len(server.requests)
    source.fetch([_KEY])
    assert (library.calls, len(server.requests)) == (3, before + 1)

    source._objects._calls._from -= 61
    source.fetch([_KEY])

    assert library.calls == 3


def test_an_object_of_another_bucket_changes_no_address(server: Loopback) -> None:
    """A client that fetched from elsewhere is asked, as for the first document."""
    source, library = _source(server)
    server.client("s3").get_object(Bucket="other-bucket", Key=object_key(_KEY))

    source.fetch([_KEY])

    assert server.requests[-1][1] == f"/a-bucket/{object_key(_KEY)}"
    assert library.calls == 3


def test_an_unsigned_client_calls_by_the_library(server: Loopback) -> None:
    """What cannot be signed is not called directly, and neither is a client without connections of the known form."""
    calls = direct_calls.DirectCalls(server.client("s3"), "GetObject")
    server.answers(_DOCUMENT)
    server.client("s3").get_object(Bucket="a-bucket", Key="a")
    assert calls.url == f"{server.url}/a-bucket/a"

    calls._session = None

    assert calls.url is None
    assert calls.send(f"{server.url}/a-bucket/a") is None


def test_the_emulator_verifies_nothing_but_answers_alike(
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
) -> None:
    """A message that is received and deleted directly equals one that the library receives, and is gone."""
    client = aws_endpoints.sqs()
    queue, library = SqsQueue(client, "schedule-events"), Library(client)
    queue.purge()
    queue.send([Outgoing("one", "a reason")])
    (first,) = queue.receive(1)
    queue.show_again([first])
    before = library.calls

    (second,) = queue.receive(1)
    queue.delete([second])
    queue.delete([second])

    assert (second.message_id, second.body, second.reason, second.sent_at) == (
        first.message_id,
        first.body,
        first.reason,
        first.sent_at,
    )
    assert second.deliveries == 2
    assert library.calls == before + 1
    assert queue.depth().waiting == queue.depth().in_flight == 0


def test_a_json_answer_without_a_request_id_is_left_to_the_library(server: Loopback) -> None:
    """What a gateway answers with status 200 is no empty queue."""
    client = server.client("sqs")
    calls = direct_calls.JsonCalls(client, "ReceiveMessage", client.receive_message)
    server.answers(json_answer(b"{}"))
    calls(QueueUrl=f"{server.url}/1/a-queue")
    library = Library(client)
    assert calls(QueueUrl=f"{server.url}/1/a-queue")["ResponseMetadata"]["RequestId"] == "4442587F"
    assert library.calls == 0

    server.answers(HttpAnswer(200, b"{}"))
    reply = calls(QueueUrl=f"{server.url}/1/a-queue")

    assert library.calls == 1
    assert not reply["ResponseMetadata"].get("RequestId")
