"""The wheel of the client library stands alone."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from docs.site.pages import REPOSITORY

_ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
import schedules_client.cli
assert schedules_client.__file__.startswith(sys.argv[1]), schedules_client.__file__
assert not {"schedules_pipeline", "redis", "dagster", "lxml", "pydantic"} & sys.modules.keys()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(REPOSITORY / "clients/python")).build(directory=str(directory))
    return Path(built)


def test_wheel_is_typed_and_needs_only_httpx(wheel: Path) -> None:
    """It has the marker of PEP 561, its licence and the command, and none of the tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        (commands,) = (archive.read(name).decode() for name in names if name.endswith("/entry_points.txt"))

    assert "schedules_client/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {"schedules_client"}
    assert [line for line in about.splitlines() if line.startswith("Requires-Dist")] == [
        "Requires-Dist: httpx<1,>=0.27"
    ]
    assert "schedules-client = schedules_client.cli:main" in commands


def test_wheel_imports_without_the_pipeline(wheel: Path, tmp_path: Path) -> None:
    """From an unpacked wheel, in a directory of its own."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)

    finished = subprocess.run(
        [sys.executable, "-P", "-c", _ALONE, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
