"""Calls that are signed and sent by AWS's library, without what the library does besides (docs/adr/0052).

Of the 1.3 ms of processor time that the library takes for a call, most is spent on choosing an endpoint, on events, and
on models of requests and answers. A hundred changes a second need some 110 calls a second.

The library makes the first call, from which the next ones take their address and signer. It also makes each call whose
direct answer is not exactly what AWS gives when all is well; so retries, redirections and errors are the library's.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from botocore import UNSIGNED
from botocore.awsrequest import AWSRequest

_LEFT_TO_LIBRARY_SECONDS = 60.0
"""After an answer that only the library can handle, so that an outage does not double the calls."""

_OF_ONE_ATTEMPT = "amz-sdk-"
_REQUEST_ID = "x-amzn-requestid"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What the calls of an operation have in common. ``sign``: adds the headers of the signature."""

    method: str
    url: str
    headers: Mapping[str, str]
    sign: Callable[[AWSRequest], None]


class DirectCalls:
    """Of one operation of a client."""

    def __init__(self, client: Any, operation: str, *, is_streamed: bool = False) -> None:
        """``operation``: by its name in AWS's interface. ``is_streamed``: the caller reads the body of an answer."""
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"before-sign.{service}.{operation}", self._learn)
        # Not public, but the only place with the connections as AWS's configuration wants them: proxies, authorities.
        self._session = getattr(getattr(client, "_endpoint", None), "http_session", None)
        self._is_streamed = is_streamed
        self._pattern: _Pattern | None = None
        self._from = 0.0

    @property
    def url(self) -> str | None:
        """Where the library sent its latest call, or None if the library must make the next one."""
        is_left = self._pattern is None or self._session is None or time.monotonic() < self._from
        return None if is_left or self._pattern is None else self._pattern.url

    def send(self, url: str, body: bytes = b"") -> Any | None:
        """The answer, as botocore's ``AWSResponse``, if its status is 200. Otherwise, or if :attr:`url` is None, the
        library must be asked.
        """
        pattern = self._pattern
        if pattern is None or self.url is None:
            return None
        request = AWSRequest(
            pattern.method, url, dict(pattern.headers), body, stream_output=self._is_streamed
        )
        try:
            pattern.sign(request)
            answer = self._session.send(request.prepare())  # type: ignore[union-attr]
        except Exception:  # noqa: BLE001 - the library meets the same failure, and knows what to do
            self.leave_to_library()
            return None
        if answer.status_code == HTTPStatus.OK:
            return answer
        if self._is_streamed:
            answer.raw.close()
        if answer.status_code != HTTPStatus.NOT_FOUND:
            self.leave_to_library()
        return None

    def leave_to_library(self) -> None:
        self._from = time.monotonic() + _LEFT_TO_LIBRARY_SECONDS

    def _learn(
        self, request: Any, signing_name: str, region_name: str, signature_version: Any, **given: Any
    ) -> None:
        """An event of the library, before it signs a request."""
        signing = request.context.get("signing", {})
        if signature_version is UNSIGNED:
            self._pattern = None
            return

        def sign(mine: AWSRequest) -> None:
            region = signing.get("region", region_name)
            signer = given["request_signer"]
            signer.get_auth_instance(signing_name, region, signature_version).add_auth(mine)

        headers = {name: value for name, value in request.headers.items() if not _is_of_attempt(name)}
        self._pattern = _Pattern(request.method, request.url, headers, sign)


class JsonCalls:
    """Calls of an operation whose parameters and answer are JSON."""

    def __init__(self, client: Any, operation: str, by_library: Callable[..., Mapping[str, Any]]) -> None:
        self._direct = DirectCalls(client, operation)
        self._by_library = by_library

    def __call__(self, **parameters: Any) -> Mapping[str, Any]:
        """The reply, in the form of the library's."""
        url = self._direct.url
        answer = None if url is None else self._direct.send(url, orjson.dumps(parameters))
        reply = None if answer is None else _json_reply(answer)
        if answer is not None and reply is None:
            self._direct.leave_to_library()
        return self._by_library(**parameters) if reply is None else reply


def _json_reply(answer: Any) -> dict[str, Any] | None:
    request_id = answer.headers.get(_REQUEST_ID)
    try:
        reply = orjson.loads(answer.content)
    except ValueError:
        return None
    if not request_id or not isinstance(reply, dict):
        return None
    return {**reply, "ResponseMetadata": {"RequestId": request_id, "HTTPStatusCode": answer.status_code}}


def _is_of_attempt(name: str) -> bool:
    return name.lower().startswith(_OF_ONE_ATTEMPT)
