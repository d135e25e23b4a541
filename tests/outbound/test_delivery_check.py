"""The delivery service is asked whether it is ready; another server's answer is no answer."""

import pytest
from loopback import HTML, HttpAnswer, loopback

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.outbound.delivery_check import is_ready


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False)])
def test_the_answer_of_the_service_is_read(status: int, expected: bool) -> None:
    """It says 503 while it has nothing to serve."""
    with loopback() as server:
        server.answers(HttpAnswer(status, b'{"ready": true, "as_of": null, "stale": false}'))

        assert is_ready(server.url + "/") is expected
        assert [path for _, path, _ in server.requests] == ["/health/ready"]


@pytest.mark.parametrize(
    "answer",
    [
        HttpAnswer(200, HTML),
        HttpAnswer(404, b"{}"),
        HttpAnswer(200, b"[]"),
        HttpAnswer(301, b"", {"Location": "/login"}),
        HttpAnswer(200, b"\xff"),
    ],
)
def test_another_servers_answer_is_an_error(answer: HttpAnswer) -> None:
    """A gateway or a login page is not the service."""
    with loopback() as server:
        server.answers(answer)
        with pytest.raises(ServiceError, match="the delivery service at http"):
            is_ready(server.url)


def test_no_answer_is_an_error() -> None:
    """Nothing listens there any more."""
    with loopback() as server:
        url = server.url
    with pytest.raises(ServiceError, match="the delivery service at http"):
        is_ready(url)
