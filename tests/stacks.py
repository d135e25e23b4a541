"""The templates of ``deploy/cloudformation`` as CloudFormation reads them, with the parameters of the example."""

import importlib.util
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
FOLDER = REPOSITORY / "deploy/cloudformation"
ACCOUNT = "123456789012"
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()
"""``AWS::NoValue``."""


class _Loader(yaml.SafeLoader):
    """Reads ``!Sub`` and the others as ``{"Fn::Sub": …}``."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


@cache
def deploy_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy", FOLDER / "deploy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def example_parameters() -> Mapping[str, str]:
    found: dict[str, str] = json.loads((FOLDER / "parameters.example.json").read_text())
    return found


def template(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((FOLDER / f"{name}.yaml").read_text(), _Loader)
    return found


@cache
def resources(name: str) -> Mapping[str, Any]:
    """The resources of a template with parameters and conditions resolved; outputs of earlier stacks are ``<name>``.

    A reference to a parameter is a text, also of a number.
    """
    read = template(name)
    declared = read["Parameters"]
    values = {
        key: example_parameters().get(key, str(each.get("Default", f"<{key}>")))
        for key, each in declared.items()
    }
    groups = {
        key: each["Properties"]["LogGroupName"]
        for key, each in read["Resources"].items()
        if each["Type"] == "AWS::Logs::LogGroup"
    }
    resolver = _Resolver({**_PSEUDO, **values, **groups}, read.get("Conditions", {}))
    found: dict[str, Any] = resolver.resolve(read["Resources"])
    return found


def of_type(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of a template's resources of one type, by their logical names."""
    return {key: each["Properties"] for key, each in resources(name).items() if each["Type"] == kind}


class _Resolver:
    def __init__(self, values: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
        self._values, self._conditions = values, conditions

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, argument)
        found = {key: self.resolve(each) for key, each in value.items()}
        return {key: each for key, each in found.items() if each is not _NOTHING}

    def _call(self, name: str, argument: Any) -> Any:
        if name == "Ref":
            return _NOTHING if argument == "AWS::NoValue" else self._values.get(argument, f"<{argument}>")
        if name == "Fn::GetAtt":
            return f"<{argument}>"
        if name == "Fn::Sub":
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: str(self._call("Ref", found[1])), argument)
        if name == "Fn::If":
            condition, yes, no = argument
            left, right = self.resolve(self._conditions[condition]["Fn::Equals"])
            return self.resolve(yes if left == right else no)
        if name == "Fn::Equals":
            return {name: self.resolve(argument)}
        raise NotImplementedError(name)
