"""The templates of ``deploy/cloudformation``: linted, and created on the AWS emulator by the script that an operator
runs. The doctor's own probes judge what it made.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from stacks import ACCOUNT, FOLDER, REPOSITORY, deploy_script, example_parameters, of_type, template

from demo.servers import AwsEmulator
from schedules_pipeline.health.probes.queues import (
    judge_announcements,
    judge_queue,
    judge_subscriptions,
    topics_of,
)
from schedules_pipeline.upstream.arrangement import AwsArrangement

STACKS = deploy_script().STACKS
_PARAMETERS = {name: template(name)["Parameters"] for name in STACKS}
_OUTPUTS = {name: set(template(name).get("Outputs", {})) for name in STACKS}


pytestmark = pytest.mark.xdist_group("cloudformation")


@dataclass(frozen=True)
class Account:
    """An account on the emulator with the stacks, and what the script said, by call."""

    session: boto3.Session
    endpoint_url: str
    said: list[list[str]]

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def account(emulator_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """All stacks in an account that had a network and the secret of the login, twice applied."""
    directory = tmp_path_factory.mktemp("emulator")
    with AwsEmulator(emulator_executable, directory, region="eu-west-1", services=None) as server:
        session = boto3.Session(ACCOUNT, "local", region_name=server.region)
        made = Account(session, server.endpoint_url, [[], []])
        secret = json.dumps({"client_secret": "of the test"})
        made.client("secretsmanager").create_secret(Name="schedules/oidc", SecretString=secret)
        parameters = {**example_parameters(), **_network(made.client("ec2"))}
        for said in made.said:
            deploy_script().Deployment(
                made.client("cloudformation"), parameters, said.append, folder=_for_the_emulator(directory)
            ).apply()
        yield made


def _network(ec2: Any) -> dict[str, str]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}")
        for n, zone in enumerate("abab")
    ]
    a, b, c, d = (each["Subnet"]["SubnetId"] for each in subnets)
    private = f"{a},{b}"
    return {
        "Vpc": vpc,
        "DataSubnets": private,
        "TaskSubnets": private,
        "ReportsSubnetA": a,
        "ReportsSubnetB": b,
        "PartnersSubnets": f"{c},{d}",
    }


def _for_the_emulator(directory: Path) -> Path:
    """The templates. The emulator cannot count by a parameter, which it keeps as a text."""
    folder = directory / "templates"
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    services = folder / "services.yaml"
    counted = services.read_text().replace("DesiredCount: !Ref DeliveryTasks", "DesiredCount: 2")
    services.write_text(counted)
    return folder


def test_the_linter_finds_nothing() -> None:
    """cfn-lint accepts every template in two regions: names, types, values and references."""
    named = os.environ.get("SCHEDULES_CFN_LINT", str(Path(sys.executable).with_name("cfn-lint")))
    if not Path(named).is_file():
        pytest.skip(f"no cfn-lint at {named}: install it there, or name it in SCHEDULES_CFN_LINT")
    templates = sorted(str(path) for path in FOLDER.glob("*.yaml"))

    done = subprocess.run(
        [named, "--regions", "us-east-1", "eu-west-1", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", STACKS)
def test_a_template_can_be_sent_as_it_is(name: str) -> None:
    """CloudFormation accepts bodies of 51,200 bytes at most without a bucket for them."""
    assert len((FOLDER / f"{name}.yaml").read_bytes()) <= 51_200


def test_every_template_has_its_place_in_the_order() -> None:
    """The script knows every template, and gets each parameter from the file, an earlier stack or a default."""
    given = {*example_parameters(), *deploy_script().redis_users(["schedules"], _rules())}
    for place, name in enumerate(STACKS):
        known = given.union(*(_OUTPUTS[earlier] for earlier in STACKS[:place]))
        assert {key for key, each in _PARAMETERS[name].items() if "Default" not in each} <= known

    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(STACKS)


def test_the_example_has_no_parameter_that_no_template_has() -> None:
    """Every parameter of the example is some template's."""
    assert example_parameters().keys() <= set().union(*_PARAMETERS.values())


def test_a_parameter_has_one_default() -> None:
    """Templates that share a parameter agree about its default, so that it means one thing."""
    defaults: dict[str, set[str]] = {}
    for parameters in _PARAMETERS.values():
        for key, each in parameters.items():
            defaults.setdefault(key, set()).add(str(each.get("Default")))
    shared = {key: found for key, found in defaults.items() if len(found - {"None"}) > 1}

    assert shared == {}


def test_no_template_and_no_example_has_a_secret() -> None:
    """Values of secrets are generated, or resolved from Secrets Manager."""
    for properties in of_type("data", "AWS::SecretsManager::Secret").values():
        generated = properties.get("GenerateSecretString")
        assert generated or "{{resolve:secretsmanager:" in properties["SecretString"]
    for user in of_type("data", "AWS::ElastiCache::User").values():
        assert all("{{resolve:" in each for each in user["AuthenticationMode"]["Passwords"])
    [database] = of_type("data", "AWS::RDS::DBInstance").values()
    assert database["MasterUserPassword"].startswith("{{resolve:")
    assert not any(re.search("secret|password", key, re.IGNORECASE) for key in example_parameters())


def test_redis_loses_nothing_that_it_accepted() -> None:
    """It never evicts, has a replica for a write to wait for, and accepts no plain connection."""
    [redis] = of_type("data", "AWS::ElastiCache::ReplicationGroup").values()
    [parameters] = of_type("data", "AWS::ElastiCache::ParameterGroup").values()

    assert parameters["Properties"]["maxmemory-policy"] == "noeviction"
    assert redis["NumCacheClusters"] == "3"
    assert redis["AutomaticFailoverEnabled"] is redis["MultiAZEnabled"] is True
    assert (redis["TransitEncryptionEnabled"], redis["TransitEncryptionMode"]) == (True, "required")


def test_single_processes_are_never_two() -> None:
    """A deployment stops the code server and the daemon before it starts the new one."""
    limits = {
        each["ServiceName"]: (
            each["DeploymentConfiguration"]["MinimumHealthyPercent"],
            each["DeploymentConfiguration"]["MaximumPercent"],
        )
        for each in of_type("services", "AWS::ECS::Service").values()
    }

    assert {name for name, found in limits.items() if found == (0, 100)} == {"code-server", "daemon"}


def test_a_bucket_is_private_and_outlives_its_stack() -> None:
    """No bucket can be made public, and deleting a stack keeps the documents."""
    for name in ("inputs", "data"):
        for bucket in of_type(name, "AWS::S3::Bucket").values():
            assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        for each in template(name)["Resources"].values():
            assert (each["Type"] == "AWS::S3::Bucket") <= (each.get("DeletionPolicy") == "Retain")


def test_the_stacks_are_created_and_a_second_deployment_changes_nothing(account: Account) -> None:
    """Every resource of every template was added, and then each stack was unchanged."""
    first, second = account.said
    added = {line.rpartition(" ")[2] for line in first}

    assert second == [f"schedules-{name}: unchanged" for name in STACKS]
    wanted = {key for name in STACKS for key, each in template(name)["Resources"].items()}
    assert wanted - added <= {"References"}
    assert account.client("dynamodb").list_tables()["TableNames"] == [], "the table is made on demand"


def test_a_review_says_what_would_change_and_changes_nothing(account: Account) -> None:
    """Another installation's security groups are listed, and the account has no more groups than before."""
    ec2, said = account.client("ec2"), list[str]()
    before = ec2.describe_security_groups()["SecurityGroups"]
    parameters = {**example_parameters(), "Vpc": before[0]["VpcId"]}
    client = account.client("cloudformation")

    deploy_script().Deployment(client, parameters, said.append, "other").apply(["network"], review=True)

    assert len(said) == len(template("network")["Resources"])
    assert all(line.startswith("other-network: Add AWS::EC2::SecurityGroup ") for line in said)
    assert ec2.describe_security_groups()["SecurityGroups"] == before


def test_the_doctor_finds_the_queues_as_documented(account: Account) -> None:
    """Queues, dead-letter queues, subscriptions and the bucket's events pass the doctor's probes."""
    bucket = example_parameters()["ScheduleBucket"]
    arrangement = AwsArrangement(account.client("sqs"), account.client("sns"), account.client("s3"), bucket)
    findings = []
    for name in ("schedule-events", "catalogue-events"):
        queue, dead = arrangement.queue(name), arrangement.queue(f"{name}-dead")
        assert queue is not None
        topics = topics_of(queue)
        findings += [
            *judge_queue(name, queue, f"{name}-dead", dead),
            *judge_subscriptions(name, queue, {topic: arrangement.subscriptions(topic) for topic in topics}),
        ]
        if name == "schedule-events":
            findings += judge_announcements(bucket, arrangement.announcements(), {queue.arn, *topics})

    assert [finding for finding in findings if finding.verdict != "passed"] == []
    assert len(findings) == 5


def test_a_document_is_announced_to_the_queue(account: Account) -> None:
    """A put reaches the queue of schedules through the topic."""
    key = "schedules/alder_one/2026-03-28.json"
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="schedule-events")["QueueUrl"]

    account.client("s3").put_object(Bucket=example_parameters()["ScheduleBucket"], Key=key, Body=b"{}")

    assert any(key in text for text in _received(sqs, url))


def _received(sqs: Any, url: str) -> Iterator[str]:
    """The messages of a queue until it is empty."""
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
        "Messages"
    ):
        yield from (each["Body"] for each in messages)


def test_every_process_has_its_service_task_and_roles(account: Account) -> None:
    """Runs and the command line have tasks only."""
    ecs, iam = account.client("ecs"), account.client("iam")
    processes = {task["Family"] for task in of_type("services", "AWS::ECS::TaskDefinition").values()}

    services = {arn.rpartition("/")[2] for arn in ecs.list_services(cluster="schedules")["serviceArns"]}
    for family in processes:
        task = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        for kind in ("taskRoleArn", "executionRoleArn"):
            role = task[kind].rpartition("/")[2]
            assert iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]["Statement"]

    assert {f"schedules-{name}" for name in services} == processes - {"schedules-run", "schedules-cli"}


def test_the_users_of_redis_have_the_rules_of_the_file(account: Account) -> None:
    """ElastiCache got each line of deploy/redis/users.acl but for the mark of the password."""
    found = {
        each["UserName"]: each["AccessString"]
        for each in account.client("elasticache").describe_users()["Users"]
    }
    lines = [line.split() for line in _rules().replace("@keyspace@", "schedules").splitlines()]
    written = {name: [rule for rule in rules if not rule.startswith("#")] for _, name, *rules in lines}

    assert found["default"].split()[0] == "off"
    assert {name: rules.split() for name, rules in found.items() if name != "default"} == {
        name: rules for name, rules in written.items() if name != "default"
    }


def test_the_address_of_redis_is_made_from_the_generated_password(account: Account) -> None:
    """Each process reads an address with TLS, its own user and password, and the primary's endpoint."""
    secrets = account.client("secretsmanager")
    for user in ("pipeline", "operator", "monitoring", "delivery", "pusher"):
        password = json.loads(
            secrets.get_secret_value(SecretId=f"schedules/password-of-{user}")["SecretString"]
        )["password"]
        address = secrets.get_secret_value(SecretId=f"schedules/redis-{user}")["SecretString"]

        assert f"rediss://{user}:{password}@" in address
        assert address.endswith(':6379/0"}')


def test_alarms_reach_the_topic_of_the_pipeline(account: Account) -> None:
    """CloudWatch's alarms and the pipeline's own notices have one topic."""
    alarms = account.client("cloudwatch").describe_alarms()["MetricAlarms"]

    topic = f"arn:aws:sns:eu-west-1:{ACCOUNT}:schedules-alarms"
    assert len(alarms) == len(template("alarms")["Resources"])
    assert {action for alarm in alarms for action in alarm["AlarmActions"]} == {topic}


def test_a_missing_parameter_is_named_before_anything_changes() -> None:
    """The script ends with the names of the parameters that have no value."""

    class NoAccount:
        def validate_template(self, TemplateBody: str) -> Any:  # noqa: N803 - the client's own name
            return {"Parameters": [{"ParameterKey": "Vpc"}, {"ParameterKey": "Days", "DefaultValue": "30"}]}

    deployment = deploy_script().Deployment(NoAccount(), {}, print)

    with pytest.raises(SystemExit, match=r"^schedules-network: no value for Vpc$"):
        deployment.apply(["network"])


def _rules() -> str:
    return (REPOSITORY / "deploy/redis/users.acl").read_text()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"", b"[]"])
def test_a_file_that_has_no_parameters_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    """The script names it, and asks AWS nothing."""
    path = tmp_path / "parameters.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SystemExit) as ended:
        deploy_script().main([str(path)])

    assert ended.value.code == 2
    assert str(path) in capsys.readouterr().err.splitlines()[-1]
