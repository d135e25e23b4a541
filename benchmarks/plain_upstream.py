"""The upstream systems of a stream of changes, without AWS's library, which would take a tenth of the machine.

The emulator verifies no signature; it finds the service by the name in one.
"""

import http.client
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

from benchmarks.harness import WrongResult
from benchmarks.stack import Services
from demo.upstream import Upstream
from schedules_pipeline.connections import utc_now

_REGION = "eu-west-1"


class _PlainClient:
    """One connection, for one thread. Has the two calls of boto's clients by which changes are made."""

    def __init__(self, service: str, endpoint_url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(endpoint_url).netloc)
        scope = f"Credential=local/20260101/{_REGION}/{service}/aws4_request"
        self._headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "x-amz-date": "20260101T000000Z",
        }

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803
        self._send("PUT", f"/{Bucket}/{Key}", Body, ContentType)

    def publish(self, *, TopicArn: str, Message: str) -> None:  # noqa: N803
        words = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": TopicArn, "Message": Message}
        self._send("POST", "/", urlencode(words).encode(), "application/x-www-form-urlencoded")

    def _send(self, method: str, path: str, body: bytes, content_type: str) -> None:
        self._connection.request(method, path, body, {**self._headers, "Content-Type": content_type})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise WrongResult(f"{method} {path} was answered with {answer.status}: {text[:200]!r}")


def plain_upstream(services: Services) -> Upstream:
    """The upstream systems of these services, for one thread."""
    url = str(services.endpoints.endpoint_url)
    return Upstream(
        s3=cast("Any", _PlainClient("s3", url)),
        sns=cast("Any", _PlainClient("sns", url)),
        redis=services.redis,
        topic_arn=services.provisioned.catalogue_events.topic_arn,
        clock=utc_now,
    )
