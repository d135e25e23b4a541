"""What the demonstration leaves for a shell."""

import subprocess
from pathlib import Path

from schedules_pipeline.local.demonstration import write_environment


def test_the_environment_is_read_by_a_shell(tmp_path: Path) -> None:
    """A shell that reads the file exports every variable, whatever its value holds."""
    environment = {"FIRST": "redis://127.0.0.1:6379/0", "SECOND": 'it\'s $HOME; `true`\n"done"'}
    write_environment(tmp_path / "environment", environment)

    script = ". ./environment; printenv FIRST; printenv SECOND"
    result = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "".join(f"{value}\n" for value in environment.values())


def test_the_environment_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It holds credentials, so nobody else may read it, also where the file was there before."""
    path = tmp_path / "environment"
    path.write_text("old")
    path.chmod(0o644)

    write_environment(path, {"NAME": "value"})

    assert path.stat().st_mode & 0o777 == 0o600
