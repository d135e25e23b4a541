"""Creates or updates the stacks of this folder, in order, and prints what each changes.

``python deploy/cloudformation/deploy.py parameters.json [--only STACK] [--review]``. The value of a parameter is in the
file, or else it is the output of that name of an earlier stack. The rules of Redis' users are read from
``deploy/redis/users.acl``. ``--review`` prints the changes and makes none. Credentials come from the default chain.
"""  # noqa: INP001 - a script

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

STACKS = ("network", "inputs", "data", "roles", "services", "alarms")
_HERE = Path(__file__).parent
_RULES = _HERE.parent / "redis/users.acl"
_PLACE = "@keyspace@"
_CAPABILITIES = ["CAPABILITY_NAMED_IAM"]
_WAIT = {"Delay": 2, "MaxAttempts": 2_000}
"""A database takes a quarter of an hour."""


def redis_users(keyspaces: Iterable[str], rules: str) -> dict[str, str]:
    """The access string of each named user, as the parameters of ``data.yaml``. ElastiCache keeps the passwords.

    A rule with a keyspace in it is repeated for each, as ``deploy/redis/start.sh`` does.
    """
    lines = [line.split() for line in rules.splitlines() if line.startswith("user ")]
    return {
        f"AccessOf{name.capitalize()}": " ".join(_for_each(keyspaces, words))
        for _, name, *words in lines
        if name != "default"
    }


def _for_each(keyspaces: Iterable[str], rules: Iterable[str]) -> Iterator[str]:
    for rule in rules:
        if rule.startswith("#"):
            continue
        if _PLACE not in rule:
            yield rule
            continue
        for number, keyspace in enumerate(keyspaces):
            # The parenthesis of a selector stays with its first rule.
            yield (rule.removeprefix("(") if number else rule).replace(_PLACE, keyspace)


class Deployment:
    """The stacks ``<prefix>-<template>``, from the templates in ``folder``. ``client``: of CloudFormation."""

    def __init__(
        self,
        client: Any,
        settings: Mapping[str, str],
        say: Callable[[str], None],
        prefix: str = "schedules",
        folder: Path = _HERE,
    ) -> None:
        self._client, self._prefix, self._say, self._folder = client, prefix, say, folder
        keyspaces = settings.get("Keyspaces", settings.get("Keyspace", "schedules")).split()
        self._values = {**redis_users(keyspaces, _RULES.read_text()), **settings}

    def apply(self, templates: Iterable[str] = STACKS, *, review: bool = False) -> None:
        """Raises SystemExit if a parameter has no value, or WaiterError if a stack fails."""
        for template in STACKS:
            stack = f"{self._prefix}-{template}"
            if template in templates:
                self._change(stack, (self._folder / f"{template}.yaml").read_text(), review=review)
            self._values = {**self._outputs(stack), **self._values}

    def _change(self, stack: str, body: str, *, review: bool) -> None:
        names = self._client.validate_template(TemplateBody=body)["Parameters"]
        needed = {each["ParameterKey"]: "DefaultValue" in each for each in names}
        if missing := sorted(name for name, has in needed.items() if not has and name not in self._values):
            raise SystemExit(f"{stack}: no value for {', '.join(missing)}")
        kind = "UPDATE" if self._exists(stack) else "CREATE"
        changes = self._client.create_change_set(
            StackName=stack,
            ChangeSetName=f"deploy-{time.time_ns()}",
            ChangeSetType=kind,
            TemplateBody=body,
            Capabilities=_CAPABILITIES,
            Parameters=[
                {"ParameterKey": name, "ParameterValue": self._values[name]}
                for name in needed
                if name in self._values
            ],
        )["Id"]
        self._execute(stack, kind, changes, review=review)

    def _execute(self, stack: str, kind: str, changes: str, *, review: bool) -> None:
        try:
            self._client.get_waiter("change_set_create_complete").wait(
                ChangeSetName=changes, WaiterConfig=_WAIT
            )
        except WaiterError as error:
            self._client.delete_change_set(ChangeSetName=changes)
            reason = str(getattr(error, "last_response", {}).get("StatusReason", error))
            if "didn't contain changes" not in reason and "No updates" not in reason:
                raise
            self._say(f"{stack}: unchanged")
            return
        for change in self._client.describe_change_set(ChangeSetName=changes)["Changes"]:
            found = change["ResourceChange"]
            self._say(f"{stack}: {found['Action']} {found['ResourceType']} {found['LogicalResourceId']}")
        if review:
            self._client.delete_change_set(ChangeSetName=changes)
        else:
            self._client.execute_change_set(ChangeSetName=changes)
            self._client.get_waiter(f"stack_{kind.lower()}_complete").wait(
                StackName=stack, WaiterConfig=_WAIT
            )

    def _exists(self, stack: str) -> bool:
        found = self._described(stack)
        return found is not None and found["StackStatus"] != "REVIEW_IN_PROGRESS"

    def _outputs(self, stack: str) -> dict[str, str]:
        found = self._described(stack) or {}
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}

    def _described(self, stack: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError:
            return None
        return found


def _parameters(path: str) -> dict[str, str]:
    try:
        found = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ArgumentTypeError(f"{path} is no JSON object")
    return found


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(description="Creates or updates the stacks of the pipeline.")
    parser.add_argument("parameters", type=_parameters, help="a JSON object of parameters and their values")
    parser.add_argument("--only", choices=STACKS, action="append", help="this stack (may be repeated)")
    parser.add_argument("--prefix", default="schedules", help="of the stacks' names")
    parser.add_argument("--review", action="store_true", help="print the changes and make none")
    given = parser.parse_args(arguments)
    deployment = Deployment(boto3.client("cloudformation"), given.parameters, print, given.prefix)
    deployment.apply(given.only or STACKS, review=given.review)


if __name__ == "__main__":
    main(sys.argv[1:])
