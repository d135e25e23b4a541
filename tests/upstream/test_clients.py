"""The clients of AWS."""

import pytest
from botocore.loaders import JSONFileLoader

from schedules_pipeline.upstream import clients


def test_a_second_client_reads_no_description_of_its_service_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has six clients, and reading takes most of the time in which a publisher starts."""
    clients.sqs_client("eu-west-1", None)
    monkeypatch.setattr(JSONFileLoader, "load_file", lambda *_: pytest.fail("reads a description"))

    clients.watching_sqs_client("eu-west-1", None)
