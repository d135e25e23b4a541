"""The script that compose runs against the emulator needs only the files that compose mounts."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml

from demo.provision import AwsEndpoints

_DEPLOY = Path(__file__).parents[2] / "deploy"


def test_script_creates_everything_on_the_emulator(tmp_path: Path, aws_endpoints: AwsEndpoints) -> None:
    """It runs without the checkout: -S leaves out the editable installation."""
    service = yaml.safe_load((_DEPLOY / "compose.yaml").read_text())["services"]["provision"]
    for volume in service["volumes"]:
        source, target, _ = volume.split(":")
        mounted = tmp_path / target.lstrip("/")
        mounted.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_DEPLOY / source, mounted)
    environment = os.environ | {
        "PYTHONPATH": sysconfig.get_paths()["purelib"],
        "SCHEDULES_AWS_ENDPOINT_URL": str(aws_endpoints.endpoint_url),
        "SCHEDULES_AWS_REGION": aws_endpoints.region,
        "SCHEDULES_FILES_BUCKET": f"files-{aws_endpoints.access_key_id}",
        "SCHEDULES_STATE_EXPORT_BUCKET": f"state-{aws_endpoints.access_key_id}",
        "AWS_ACCESS_KEY_ID": str(aws_endpoints.access_key_id),
        "AWS_SECRET_ACCESS_KEY": "local",
    }

    script = str(tmp_path / service["command"][1].lstrip("/"))
    done = subprocess.run(
        [sys.executable, "-S", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    queues = aws_endpoints.sqs().list_queues()["QueueUrls"]
    assert {url.rsplit("/")[-1] for url in queues} >= {"schedule-events", "catalogue-events"}
    assert aws_endpoints.dynamodb().list_tables()["TableNames"] == ["schedules-references"]
