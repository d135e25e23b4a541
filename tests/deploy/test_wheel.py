"""The wheel holds the package, its data and the licence, and nothing else; it works without the checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

_REPOSITORY = Path(__file__).parents[2]
_PACKAGE = _REPOSITORY / "schedules_pipeline"

# Imports every module of the unpacked wheel; -S leaves out the checkout, which is installed as editable.
_IMPORT_EVERYTHING = """
import importlib, importlib.util, pathlib, pkgutil, sys
unpacked, libraries = sys.argv[1:]
sys.path[:0] = [unpacked, libraries]
import schedules_pipeline
names = [module.name for module in pkgutil.walk_packages(schedules_pipeline.__path__, "schedules_pipeline.")]
# What the extra `traces` brings may not be there.
has_sdk = importlib.util.find_spec("opentelemetry") and importlib.util.find_spec("opentelemetry.sdk")
for name in names:
    if not name.endswith("__main__") and (has_sdk or not name.endswith("opentelemetry_spans")):
        module = importlib.import_module(name)
        assert pathlib.Path(module.__file__).is_relative_to(unpacked), module.__file__
assert not any(name.split(".")[0] in ("demo", "tests", "benchmarks", "docs") for name in sys.modules)
print(len(names))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=_REPOSITORY, check=True, capture_output=True)
    [path] = directory.glob("*.whl")
    return path


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    """The demonstration, the tests, the benchmarks and the documents stay in the repository."""
    tops = {PurePosixPath(name).parts[0] for name in _names(wheel)}

    assert sorted(top for top in tops if not top.endswith(".dist-info")) == ["schedules_pipeline"]
    assert len(tops) == 2


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Scripts for Redis, templates and static files are data of the package, and Python modules need them."""
    expected = {
        path.relative_to(_REPOSITORY).as_posix()
        for path in _PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    packed = {name for name in _names(wheel) if name.startswith("schedules_pipeline/")}

    assert packed == expected
    assert {".lua", ".html", ".css", ".js"} <= {PurePosixPath(name).suffix for name in packed}


def test_the_licence_is_in_the_wheel_and_in_its_metadata(wheel: Path) -> None:
    """A reader of the metadata sees the licence's identifier, and finds its text beside it."""
    metadata = _metadata(wheel)

    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    [packed] = [name for name in _names(wheel) if name.endswith(".dist-info/licenses/LICENSE")]
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(packed) == (_REPOSITORY / "LICENSE").read_bytes()


def test_the_supported_pythons_are_stated(wheel: Path) -> None:
    """3.11 is the oldest; the classifiers name those that the tests were run on."""
    metadata = _metadata(wheel)
    stated = [c for c in metadata.get_all("Classifier", []) if c.startswith("Programming Language")]

    assert metadata["Requires-Python"] == ">=3.11"
    assert [c.rsplit(" ")[-1] for c in stated if "3." in c] == ["3.11", "3.12", "3.13"]


def test_every_module_of_the_wheel_is_imported_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Nothing of the package needs the demonstration, the tests or a development tool."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    libraries = sysconfig.get_paths()["purelib"]

    command = [sys.executable, "-I", "-S", "-c", _IMPORT_EVERYTHING, str(tmp_path), libraries]
    # Celery's worker connects to it at its start, and not when it is imported.
    environment = {**os.environ, "DAGSTER_CELERY_BROKER_URL": "redis://127.0.0.1:6379/0"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
