"""A real Prometheus and a real Alertmanager with the shipped files: what an operator's webhook hears."""

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import uvicorn
import yaml
from scraping import Stage

from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.health.service import build_service

_DEPLOY = Path(__file__).parents[2] / "deploy"
_PATIENCE_SECONDS = 40.0


class Receiver:
    """A webhook on loopback, which keeps what Alertmanager posts."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append({"path": self.path, **json.loads(body)})
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def notices(self) -> list[str]:
        """The status and the condition of each notice to operators."""
        return [
            f"{notice['status']} {notice['groupLabels']['name']}"
            for notice in self.heard
            if notice["path"] == "/alarms"
        ]


def _free_port() -> int:
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _process(directory: Path, *command: str) -> Iterator[None]:
    with (directory / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


@contextmanager
def _monitoring(stage: Stage) -> Iterator[int]:
    port = _free_port()
    server = uvicorn.Server(
        uvicorn.Config(build_service(stage.pipeline.health), host="127.0.0.1", port=port, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


def _write_alertmanager(directory: Path, receiver: int) -> None:
    """The shipped file with the test's webhook, without SNS, and with waits of a second."""
    settings = yaml.safe_load((_DEPLOY / "alertmanager/alertmanager.yml").read_text())
    for route in (settings["route"], *settings["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    for each in settings["receivers"]:
        each.pop("sns_configs", None)
        for webhook in each["webhook_configs"]:
            webhook["url"] = webhook["url"].replace(":9095", f":{receiver}")
    (directory / "alertmanager.yml").write_text(yaml.safe_dump(settings))


def _write_prometheus(directory: Path, monitoring: int, alertmanager: int) -> None:
    """The shipped files with the test's ports, a scrape every second, and no patience."""
    settings = yaml.safe_load((_DEPLOY / "prometheus/prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{monitoring}"]}]
    settings["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(settings))
    rules = yaml.safe_load((_DEPLOY / "prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if "schedules_condition" in rule["expr"]:
                rule["for"] = "0s"
    (directory / "alerts.yml").write_text(yaml.safe_dump(rules))


def _wait_until(holds: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def _find_programs() -> tuple[str, str]:
    prometheus = shutil.which("prometheus")
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if prometheus is None or alertmanager is None:
        pytest.skip("Prometheus and Alertmanager are not on the path: Debian has both")
    return prometheus, alertmanager


def test_an_operator_hears_once_when_a_condition_begins_and_once_when_it_is_over(tmp_path: Path) -> None:
    """From the pipeline's state to the webhook: one notice each, however often Prometheus looks."""
    stage, receiver = Stage(), Receiver()
    stage.publish()
    stage.pipeline.watch.check(DagsterSnapshot(stage.clock()))
    with ExitStack() as running:
        _start_alerting(running, tmp_path, stage, receiver)
        _wait_until(
            lambda: any(each["path"] == "/watchdog" for each in receiver.heard), lambda: "no watchdog"
        )
        before = receiver.notices()

        stage.upstreams.schedule_dead_letters.post("{}")
        _wait_until(lambda: bool(receiver.notices()), receiver.notices)
        time.sleep(3)
        raised = receiver.notices()
        letters = stage.upstreams.schedule_dead_letters
        letters.delete(letters.receive(0))
        _wait_until(lambda: len(receiver.notices()) > 1, receiver.notices)

    assert (before, raised) == ([], ["firing dead-letters"])
    assert receiver.notices() == ["firing dead-letters", "resolved dead-letters"]
    (alert,) = next(each["alerts"] for each in receiver.heard if each["path"] == "/alarms")
    assert alert["labels"]["severity"] == "error"
    assert alert["annotations"]["runbook"] == "docs/runbook.md#dead-letters"


def _start_alerting(running: ExitStack, tmp_path: Path, stage: Stage, receiver: Receiver) -> None:
    """Start the receiver, the monitoring service, Alertmanager and Prometheus, which end with the stack."""
    prometheus, alertmanager = _find_programs()
    threading.Thread(target=receiver.server.serve_forever, daemon=True).start()
    running.callback(receiver.server.shutdown)
    monitoring, ports = running.enter_context(_monitoring(stage)), (_free_port(), _free_port())
    _write_alertmanager(tmp_path, receiver.server.server_port)
    _write_prometheus(tmp_path, monitoring, ports[0])
    running.enter_context(
        _process(
            tmp_path,
            *(alertmanager, "--config.file=alertmanager.yml", f"--storage.path={tmp_path}/alerts"),
            *(f"--web.listen-address=127.0.0.1:{ports[0]}", "--cluster.listen-address="),
        )
    )
    running.enter_context(
        _process(
            tmp_path,
            *(prometheus, "--config.file=prometheus.yml", f"--storage.tsdb.path={tmp_path}/series"),
            *(f"--web.listen-address=127.0.0.1:{ports[1]}", "--rules.alert.resend-delay=1s"),
        )
    )
