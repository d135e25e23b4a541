"""The arrangement of queues, topics and bucket on the emulator, as the demonstration makes it, and broken."""

from datetime import timedelta

import pytest
from loopback import HTML, S3_HEADERS, HttpAnswer, loopback, s3_error

from demo.provision import SOURCE_EVENTS, AwsEndpoints, ProvisionedResources, announce_schedules
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import NotPermitted, ServiceError
from schedules_pipeline.health.probes.ports import Announcement
from schedules_pipeline.health.probes.probe import Probe, ProbeName, Verdict, run_probes
from schedules_pipeline.health.probes.queues import (
    judge_announcements,
    judge_queue,
    judge_subscriptions,
    topics_of,
)
from schedules_pipeline.health.probes.sources import probe_bucket
from schedules_pipeline.upstream.arrangement import AwsArrangement
from schedules_pipeline.upstream.bucket import S3ScheduleSource

_LISTING = (
    b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
    b"<IsTruncated>false</IsTruncated><Contents><Key>schedules/alder/2026-03-28.json</Key></Contents>"
    b"</ListBucketResult>"
)


@pytest.fixture
def arrangement(aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> AwsArrangement:
    return AwsArrangement(aws_endpoints.sqs(), aws_endpoints.sns(), aws_endpoints.s3(), provisioned.bucket)


def test_the_arrangement_of_the_demonstration_is_as_documented(
    arrangement: AwsArrangement, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Attributes, subscriptions and events pass, as they are read from the emulator."""
    announce_schedules(aws_endpoints, provisioned)
    queue, dead = arrangement.queue("schedule-events"), arrangement.queue("schedule-events-dead")
    assert queue is not None
    topics = topics_of(queue)
    findings = [
        *judge_queue("schedule-events", queue, "schedule-events-dead", dead),
        *judge_subscriptions("schedule-events", queue, {t: arrangement.subscriptions(t) for t in topics}),
        *judge_announcements(provisioned.bucket, arrangement.announcements(), [queue.arn, *topics]),
    ]

    assert topics == [provisioned.schedule_events.topic_arn]
    assert [finding.verdict for finding in findings] == [Verdict.PASSED] * 3
    assert arrangement.announcements() == [Announcement(topics[0], SOURCE_EVENTS, "schedules/")]


def test_a_queue_that_was_created_again_has_neither_redrive_policy_nor_senders(
    arrangement: AwsArrangement, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Its attributes are SQS's defaults, and its topic delivers nothing to it."""
    sqs = aws_endpoints.sqs()
    sqs.delete_queue(QueueUrl=provisioned.catalogue_events.queue_url)
    sqs.create_queue(QueueName="catalogue-events")

    queue = arrangement.queue("catalogue-events")

    assert queue is not None
    assert (queue.dead_letters_to, queue.policy) == ("", "")
    assert queue.visibility == timedelta(seconds=30)


def test_a_missing_queue_is_none_and_a_new_bucket_announces_nothing(arrangement: AwsArrangement) -> None:
    """Neither is an error."""
    assert arrangement.queue("no-such-queue") is None
    assert arrangement.announcements() == []


@pytest.mark.parametrize(
    ("answer", "denied"),
    [(s3_error("AccessDenied", 403), True), (HttpAnswer(403, HTML), False), (HttpAnswer(200, HTML), False)],
)
def test_a_denial_is_told_from_a_failure(answer: HttpAnswer, denied: bool) -> None:
    """Without the permission nothing is known; an answer that is not from AWS is a failure of the service."""
    with loopback() as server:
        server.answers(answer)
        sqs, sns, s3 = map(server.client, ("sqs", "sns", "s3"))
        broken = AwsArrangement(sqs, sns, s3, "a-bucket")
        with pytest.raises(ServiceError) as raised:
            broken.announcements()

    assert isinstance(raised.value, NotPermitted) == denied


@pytest.mark.parametrize("answer", [HttpAnswer(404, HTML), s3_error("NoSuchKey", 404, {})])
def test_a_gateway_in_place_of_s3_is_found_by_its_absences(answer: HttpAnswer) -> None:
    """It serves the listing and denies each object by a 404 that is not S3's."""
    absent = ScheduleKey.parse("doctor_canary_1/2026-03-28")
    with loopback() as server:
        server.answer = lambda _, path, __: (
            HttpAnswer(200, _LISTING, S3_HEADERS) if "list-type" in path else answer
        )
        source = S3ScheduleSource(server.client("s3"), "a-bucket", 1_000)
        probe = Probe(ProbeName.S3_ANSWERS, "S3", "", lambda: probe_bucket(source, absent))
        [result] = run_probes([probe])

    assert result.verdict is Verdict.FAILED
    assert "the answer is not from AWS" in result.findings[0].text
