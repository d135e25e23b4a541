"""The I/O manager that stores op outputs in S3, on the AWS emulator."""

from datetime import date

import dagster as dg
import pytest

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.settings import Settings

_DAY = date(2026, 11, 1)


@dg.op
def counted() -> int:
    return 41


@dg.op
def one_more(number: int) -> int:
    return number + 1


@dg.job
def counting() -> None:
    one_more(counted())


def test_outputs_of_ops_go_to_the_bucket_that_is_named(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An op reads another op's output from the bucket, so they may run on different machines."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws_endpoints.access_key_id or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    settings = Settings(
        aws_endpoint_url=aws_endpoints.endpoint_url,
        aws_region=aws_endpoints.region,
        io_manager_bucket=provisioned.bucket,
    )
    definitions = dg.Definitions.merge(build_defs(settings), dg.Definitions(jobs=[counting]))

    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("counting").execute_in_process(instance=instance)

    kept = aws_endpoints.s3().list_objects_v2(Bucket=provisioned.bucket, Prefix="dagster/")["Contents"]
    assert result.output_for_node("one_more") == 42
    assert {row["Key"].rpartition(f"{result.run_id}/")[2] for row in kept} == {
        "counted/result",
        "one_more/result",
    }


def test_without_a_bucket_they_stay_where_dagster_puts_them() -> None:
    """Without a bucket, outputs stay on the local disk."""
    assert "io_manager" not in (build_defs(Settings()).resources or {})
