"""A pipeline as settings make it, with its back-references in DynamoDB: coldstart, and one brand change."""

from datetime import UTC, datetime

import orjson
import pytest
from redis import Redis

from demo.provision import AwsEndpoints, ProvisionedResources, provision_references
from demo.sample import Sample, make_sample
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.documents.notification import object_key
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.settings import load_settings
from schedules_pipeline.store.keys import Keys

_SCHEDULES = 4


@pytest.fixture
def pipeline(
    redis_server: RedisServer,
    redis_client: Redis,
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
    monkeypatch: pytest.MonkeyPatch,
) -> Pipeline:
    """What a process has whose environment says so."""
    provision_references(aws_endpoints, "references-of-a-test")
    for name, value in {
        "SCHEDULES_REDIS_URL": redis_server.url,
        "SCHEDULES_AWS_ENDPOINT_URL": aws_endpoints.endpoint_url or "",
        "SCHEDULES_AWS_REGION": aws_endpoints.region,
        "SCHEDULES_SCHEDULE_BUCKET": provisioned.bucket,
        "SCHEDULES_REFERENCES_HOME": "dynamodb",
        "SCHEDULES_REFERENCES_TABLE": "references-of-a-test",
        "AWS_ACCESS_KEY_ID": aws_endpoints.access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, value)
    return build_pipeline(load_settings())


def _load(
    sample: Sample, redis: Redis, endpoints: AwsEndpoints, bucket: str
) -> dict[ScheduleKey, dict[str, object]]:
    documents = {ScheduleKey(Sid(sid), day): document for (sid, day), document in sample.schedules.items()}
    documents = dict(list(documents.items())[:_SCHEDULES])
    s3 = endpoints.s3()
    for key, document in documents.items():
        s3.put_object(Bucket=bucket, Key=object_key(key), Body=orjson.dumps(document))
    redis.mset({f"catalogue:{pid}": orjson.dumps(item) for pid, item in sample.catalogue.items()})
    return documents


def test_a_brand_change_reaches_its_schedules_and_no_others(
    pipeline: Pipeline, redis_client: Redis, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """After a coldstart the index is in the table and not in Redis, and leads from a brand to what shows it."""
    sample = make_sample(datetime.now(UTC).date(), days=1, clock_change_days=False)
    documents = _load(sample, redis_client, aws_endpoints, provisioned.bucket)
    now = datetime.now(UTC)
    pipeline.publisher.rebuild_from_sources(list(documents), Cause("opening", Origin.COLDSTART, "all", now))
    before = pipeline.store.schedules.documents(list(documents))
    brand = next(
        pid
        for pids in pipeline.store.references.pids()
        for pid in pids
        if sample.catalogue.get(pid, {}).get("type") == "brand"
    )
    expected = {reference.key for reference in pipeline.store.references.references([brand])[brand]}

    redis_client.set(
        f"catalogue:{brand}", orjson.dumps({**sample.catalogue[brand], "title": "Another Title"})
    )
    followed = pipeline.follower.follow({brand: Cause("change", Origin.CATALOGUE, brand, now)})
    unknown = pipeline.follower.follow({Pid("b9999999"): Cause("change", Origin.CATALOGUE, "", now)})
    pipeline.publisher.publish_all()

    after = pipeline.store.schedules.documents(list(documents))
    changed = {key for key in documents if split_document(before[key])[1] != split_document(after[key])[1]}
    assert not redis_client.keys(Keys("schedules").dependants(brand))
    assert pipeline.store.references.missing({key: [Entry(brand)] for key in expected}) == {}
    assert followed.schedules_marked == len(expected)
    assert unknown.unneeded == {"b9999999"}
    assert changed == expected
    assert all(b"Another Title" in after[key] for key in expected)
