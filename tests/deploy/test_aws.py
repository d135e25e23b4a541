"""The task definitions of ``deploy/cloudformation`` against botocore's model of the API, and the roles' permissions
against the calls in the code.

A new call without a permission fails here, and so does an unused permission.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from stacks import REPOSITORY, of_type

from demo.provision import SOURCE_EVENTS, SOURCE_PREFIX

_NAMES_OF_THE_API = {
    "EFSVolumeConfiguration": "efsVolumeConfiguration",
    "FilesystemId": "fileSystemId",
    "IAM": "iam",
}
"""Of members that CloudFormation does not write as the API, but for the first letter."""


def _of_the_api(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_the_api(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        _NAMES_OF_THE_API.get(key, key[0].lower() + key[1:]): each if key == "Options" else _of_the_api(each)
        for key, each in value.items()
    }


_TASKS: Mapping[str, Any] = {
    task["Family"].removeprefix("schedules-"): _of_the_api(task)
    for task in of_type("services", "AWS::ECS::TaskDefinition").values()
}
"""By process."""

_ROLES = {role["RoleName"]: role for role in of_type("roles", "AWS::IAM::Role").values()}

_OURS = {
    "receive_message": {"sqs:ReceiveMessage"},
    "delete_message_batch": {"sqs:DeleteMessage"},
    "change_message_visibility_batch": {"sqs:ChangeMessageVisibility"},
    "send_message_batch": {"sqs:SendMessage"},
    "purge_queue": {"sqs:PurgeQueue"},
    "get_queue_attributes": {"sqs:GetQueueAttributes"},
    "get_queue_url": {"sqs:GetQueueUrl"},
    "get_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "put_object": {"s3:PutObject"},
    "delete_object": {"s3:DeleteObject"},
    "publish": {"sns:Publish"},
    "list_subscriptions_by_topic": {"sns:ListSubscriptionsByTopic"},
    "confirm_subscription": {"sns:ConfirmSubscription"},
    "get_bucket_notification_configuration": {"s3:GetBucketNotification"},
    "update_item": {"dynamodb:UpdateItem"},
    "delete_item": {"dynamodb:DeleteItem"},
    "batch_get_item": {"dynamodb:BatchGetItem"},
    "query": {"dynamodb:Query"},
    "scan": {"dynamodb:Scan"},
}
"""The permissions of each call in ``upstream``, ``outbound`` and ``store/dynamodb``."""

_DAGSTERS = {
    # Compute logs and op outputs: dagster_aws.s3.
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"),
    # The run launcher: dagster_aws.ecs.
    *("ecs:DescribeTaskDefinition", "ecs:RunTask", "ecs:TagResource", "ecs:DescribeTasks", "ecs:StopTask"),
    *("ec2:DescribeNetworkInterfaces", "iam:PassRole"),
}
_THE_REPORTS_VOLUMES = {"elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"}
_MAY_BE_EVERYTHING = {
    *("ecr:GetAuthorizationToken", "ecs:DescribeTaskDefinition", "ec2:DescribeNetworkInterfaces"),
}
"""Actions for which IAM has no resources."""

_LOOKING = {"sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
_TAKING_IN = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}
_SOURCE = {"s3:GetObject", "s3:ListBucket"}
_DOCTORS = {"s3:GetBucketNotification", "sns:ListSubscriptionsByTopic", "sns:ConfirmSubscription"}
_REFERENCES = {f"dynamodb:{name}" for name in ("BatchGetItem", "DeleteItem", "Query", "Scan", "UpdateItem")}
_NEEDED = {
    "code-server": _LOOKING
    | _TAKING_IN
    | _SOURCE
    | _REFERENCES
    | {"sns:Publish", "sqs:SendMessage"}
    | {"s3:GetBucketNotification", "sns:ListSubscriptionsByTopic"},
    "run": _LOOKING
    | _TAKING_IN
    | {"sqs:SendMessage", "sqs:PurgeQueue"}
    | _SOURCE
    | _REFERENCES
    | {"s3:PutObject", "s3:DeleteObject"},
    "monitoring": _LOOKING,
    "delivery": {"dynamodb:Query"},
    "pusher": {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
    "cli": _LOOKING | _TAKING_IN | {"sqs:SendMessage", "sqs:PurgeQueue"} | _SOURCE | _REFERENCES | _DOCTORS,
    "daemon": set(),
    "webserver": set(),
}
"""The calls of each process: sensors in the code server, workflows in runs and the command line. Delivery reads
back-references in DynamoDB; the pusher writes files.
"""


@pytest.mark.parametrize("process", _TASKS)
def test_a_task_definition_is_one_by_the_apis_model(process: str) -> None:
    """ECS accepts it: names, types, required members."""
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    assert shape is not None

    report = ParamValidator().validate(_TASKS[process], shape)

    assert report.generate_report() == ""


@pytest.mark.parametrize("process", _TASKS)
def test_a_task_is_not_root_and_knows_how_it_is_asked_for_its_health(process: str) -> None:
    """Each task runs on Fargate with its own network and role. Services have a health check, except the pusher, which
    listens on no port; a metric shows its delay.
    """
    task = _TASKS[process]
    [container] = task["containerDefinitions"]

    assert task["networkMode"] == "awsvpc"
    assert task["requiresCompatibilities"] == ["FARGATE"]
    assert task["taskRoleArn"].endswith(f"role/schedules-{process}")
    assert container["user"] == "10001:10001"
    assert ("healthCheck" in container) == (process not in {"run", "cli", "pusher"})


@pytest.mark.parametrize("process", _TASKS)
def test_secrets_come_from_secrets_manager_and_keys_from_the_role(process: str) -> None:
    """No variable holds a password, a token or an AWS key; secrets are named by ARN."""
    container = _TASKS[process]["containerDefinitions"][0]
    plain = {entry["name"] for entry in container["environment"]}
    secret = {entry["name"]: entry["valueFrom"] for entry in container["secrets"]}
    secret_settings = {
        *("SCHEDULES_REDIS_URL", "SCHEDULES_ALARM_WEBHOOK_URL", "SCHEDULES_WEBHOOK_MASTER_SECRET"),
        "DAGSTER_PG_PASSWORD",
    }

    assert not plain & (secret_settings | {"SCHEDULES_CATALOGUE_REDIS_URL", "SCHEDULES_LEGACY_REDIS_URL"})
    assert not any(re.search(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY", name) for name in plain)
    assert secret
    assert secret.keys() <= secret_settings
    assert all(arn.startswith("arn:aws:secretsmanager:") for arn in secret.values())


@pytest.mark.parametrize("process", _TASKS)
def test_a_task_may_read_the_secrets_that_it_names_and_no_others(process: str) -> None:
    """The execution role's policy has exactly the task's secrets, and its own log group."""
    container = _TASKS[process]["containerDefinitions"][0]
    statements = {s["Sid"]: s for s in _statements(f"schedules-execution-{process}")}

    named = {entry["valueFrom"].rsplit(":", 3)[0] for entry in container["secrets"]}

    assert {arn.removesuffix("-??????") for arn in _listed(statements["ReadItsSecrets"]["Resource"])} == named
    group = container["logConfiguration"]["options"]["awslogs-group"]
    assert statements["WriteItsLog"]["Resource"].endswith(f":log-group:{group}:*")


def test_no_process_shares_a_redis_user_that_it_needs_not() -> None:
    """Monitoring, the command line, delivery and the pusher have their own Redis users; daemon and webserver have
    none.
    """
    users = {}
    for process, task in _TASKS.items():
        secrets = task["containerDefinitions"][0]["secrets"]
        found = [s["valueFrom"] for s in secrets if s["name"] == "SCHEDULES_REDIS_URL"]
        users[process] = [re.search(r"/redis-(\w+):", arn).group(1) for arn in found]  # type: ignore[union-attr]

    assert users == {
        "cli": ["operator"],
        "code-server": ["pipeline"],
        "daemon": [],
        "delivery": ["delivery"],
        "monitoring": ["monitoring"],
        "pusher": ["pusher"],
        "run": ["pipeline"],
        "webserver": [],
    }


@pytest.mark.parametrize("role", _ROLES)
def test_a_policy_names_its_actions_and_its_resources(role: str) -> None:
    """No action has a wildcard, and no resource, except for actions without resources in IAM."""
    for statement in _statements(role):
        actions = _listed(statement["Action"])
        assert not any("*" in action for action in actions)
        if "Resource" in statement and "*" in _listed(statement["Resource"]):
            assert set(actions) <= _MAY_BE_EVERYTHING


def test_every_call_of_the_adapters_is_known() -> None:
    """Every client call is listed here, so that a new call gets its permission."""
    assert set(_calls()) == _OURS.keys()


def test_together_the_processes_may_do_what_the_adapters_do() -> None:
    """The actions of all calls equal the actions that processes need."""
    assert set().union(*_NEEDED.values()) == set().union(*_OURS.values())


@pytest.mark.parametrize("process", sorted(_NEEDED))
def test_a_process_may_do_what_it_needs_and_nothing_else(process: str) -> None:
    """A role's policy has the needs of its process; other permissions are Dagster's or for the volume of reports."""
    allowed = {
        action for statement in _statements(f"schedules-{process}") for action in _listed(statement["Action"])
    }
    besides = {"run": _DAGSTERS | _THE_REPORTS_VOLUMES, "code-server": _DAGSTERS}
    besides |= dict.fromkeys(("daemon", "webserver"), _DAGSTERS)

    assert allowed >= _NEEDED[process]
    assert allowed - _NEEDED[process] <= besides.get(process, set())


def test_a_sensor_may_send_dead_letters_and_an_operator_may_send_them_back() -> None:
    """The code server sends to the dead-letter queues only, and the command line to the queues that they came from."""
    allowed = {
        process: {
            resource.rpartition(":")[2]
            for statement in _statements(f"schedules-{process}")
            if "sqs:SendMessage" in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        }
        for process in ("code-server", "cli")
    }

    assert allowed == {
        "code-server": {"schedule-events-dead", "catalogue-events-dead"},
        "cli": {"schedule-events", "catalogue-events"},
    }


def test_only_a_run_may_write_exports_of_the_state() -> None:
    """An operator restores from them. Partners' files are in another bucket, so the pusher reads no digest of a key."""
    allowed = {
        process: set(_listed(statement["Action"]))
        for process in _NEEDED
        for statement in _statements(f"schedules-{process}")
        if any("example-schedules-state/" in resource for resource in _listed(statement["Resource"]))
    }

    assert allowed == {"run": {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, "cli": {"s3:GetObject"}}


def test_the_bucket_announces_what_the_demonstration_does() -> None:
    """Puts, removals and expiry, below the prefix of the schedules."""
    [bucket] = of_type("inputs", "AWS::S3::Bucket").values()
    announced = bucket["NotificationConfiguration"]["TopicConfigurations"]

    assert [each["Event"] for each in announced] == list(SOURCE_EVENTS)
    assert {json.dumps(each["Filter"]["S3Key"]["Rules"]) for each in announced} == {
        json.dumps([{"Name": "prefix", "Value": SOURCE_PREFIX}])
    }


def test_no_process_may_write_upstream_data() -> None:
    """Processes read the schedule documents and never write them."""
    for process in _NEEDED:
        for statement in _statements(f"schedules-{process}"):
            if any("example-schedule-source" in resource for resource in _listed(statement["Resource"])):
                assert set(_listed(statement["Action"])) <= {*_SOURCE, "s3:GetBucketNotification"}


def _calls() -> Iterator[str]:
    """The client methods that the adapters call, paginate, or call directly (``JsonCalls``)."""
    package = REPOSITORY / "schedules_pipeline"
    rooms = [*package.glob("upstream/*.py"), *package.glob("outbound/*.py"), package / "store/dynamodb.py"]
    for path in rooms:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(ast.Attribute(owner, "get_paginator"), [operation]) if _is_client(owner):
                    yield ast.literal_eval(operation)
                case ast.Call(ast.Attribute(owner, name)) if _is_client(owner):
                    yield name
                case ast.Call(ast.Name("JsonCalls"), [_, _, ast.Attribute(_, name)]):
                    yield name


def _is_client(value: ast.expr) -> bool:
    return isinstance(value, ast.Attribute) and value.attr in ("_client", "client", "s3", "sns", "sqs")


def _statements(role: str) -> list[dict[str, Any]]:
    [policy] = _ROLES[role]["Policies"]
    assert policy["PolicyDocument"]["Version"] == "2012-10-17"
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("process", _TASKS)
def test_a_task_can_change_nothing_of_its_container(process: str) -> None:
    """Its root is read-only, its image is named by digest, and what it writes to is a declared volume of the image."""
    task = _TASKS[process]
    (container,) = task["containerDefinitions"]
    mounted = {mount["containerPath"]: mount["sourceVolume"] for mount in container["mountPoints"]}
    declared = re.search(r"^VOLUME (\[.*\])$", (REPOSITORY / "deploy/Dockerfile").read_text(), re.MULTILINE)

    assert container["readonlyRootFilesystem"] is True
    assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"])
    assert {volume["name"] for volume in task["volumes"]} == set(mounted.values())
    assert declared is not None
    assert set(mounted) - {"/var/lib/dagster/reports"} <= set(json.loads(declared[1]))
    assert ("/var/lib/dagster" in mounted) == ("DAGSTER_PG_HOST" in json.dumps(task))
