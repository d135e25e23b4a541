"""The installed command line, on a real Redis and the AWS emulator."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_stage import BRAND, EPISODE, KEY, TOMORROW, Stage, schedule_put
from redis import Redis
from toy_world import ScheduleRemoved

from demo.provision import AwsEndpoints, ProvisionedResources
from demo.servers import LOOPBACK, RedisServer, find_free_port
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.history.recorded import CatalogueUpdated, SchedulePut, read_history

_COLOUR = re.compile("\x1b\\[[0-9;]*3[0-9]")
_SECRET = "correct-horse-battery"


@dataclass(frozen=True, slots=True)
class Terminal:
    """The installed command in a given environment."""

    environment: dict[str, str]

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        program = f"{sys.prefix}/bin/schedules-pipeline"
        return subprocess.run(
            [program, *map(str, words)], env=self.environment, capture_output=True, text=True, check=False
        )

    def run_on_a_terminal(self, *words: object) -> str:
        """The output on a terminal, escapes included."""
        ours, theirs = os.openpty()
        program = f"{sys.prefix}/bin/schedules-pipeline"
        with subprocess.Popen([program, *map(str, words)], env=self.environment, stdout=theirs):
            os.close(theirs)
            return b"".join(_read_all(ours)).decode()

    def run_for_json(self, *words: object) -> Any:
        result = self.run(*words, "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def status(self) -> Any:
        """What ``status`` says. It ends with 1, because no coldstart has filled the keyspace of these tests."""
        result = self.run("status", "--json")
        assert result.returncode in (0, 1), result.stderr
        return json.loads(result.stdout)

    def but(self, **changes: str) -> "Terminal":
        return Terminal({**self.environment, **changes})


def _read_all(terminal: int) -> Iterator[bytes]:
    """Read until the other side closes, which a terminal reports as an error."""
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):
        while piece := file.read(65_536):
            yield piece


@pytest.fixture
def terminal(
    redis_server: RedisServer,
    redis_client: Redis,
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
) -> Terminal:
    """Empty sources, queues and keyspace."""
    assert aws_endpoints.endpoint_url is not None
    return Terminal(
        {
            "PATH": os.environ["PATH"],
            "SCHEDULES_REDIS_URL": redis_server.url,
            "SCHEDULES_AWS_ENDPOINT_URL": aws_endpoints.endpoint_url,
            "SCHEDULES_AWS_REGION": aws_endpoints.region,
            # The stage's days are long over by a real clock.
            "SCHEDULES_RETENTION_DAYS": "0",
            "SCHEDULES_SCHEDULE_BUCKET": provisioned.bucket,
            "AWS_ACCESS_KEY_ID": str(aws_endpoints.access_key_id),
            "AWS_SECRET_ACCESS_KEY": str(aws_endpoints.secret_access_key),
        }
    )


@pytest.fixture
def exported(published: Stage, tmp_path: Path) -> Path:
    """Two schedules of the stage and their catalogue items, as a recorded history."""
    path = tmp_path / "exported.jsonl.gz"
    result = published.run("export", KEY, "--days", 2, "-o", path)
    assert result.exit_code == 0, result.output
    return path


def test_an_imported_export_gives_the_same_content(
    published: Stage, exported: Path, terminal: Terminal
) -> None:
    """The schedules have the same content in the other pipeline, byte for byte."""
    imported = terminal.run_for_json("import", exported)
    rebuilt = terminal.run_for_json("rebuild", "--all", "--yes")

    assert imported == {"schedules": 2, "items": 2, "schedules_removed": 0, "items_deleted": 0}
    assert rebuilt["counts"] == {"published": 2}
    ours = published.store.schedules.documents([KEY, TOMORROW])
    for key in (KEY, TOMORROW):
        theirs = terminal.run("show", key, "--json").stdout.strip().encode()
        assert split_document(theirs)[1] == split_document(ours[key])[1]


def test_an_import_is_announced(exported: Path, terminal: Terminal) -> None:
    """Every written document is announced on its queue."""
    terminal.run_for_json("import", exported, "--speed", 1000)

    status = terminal.status()

    assert (status["schedule_queue"]["waiting"], status["catalogue_queue"]["waiting"]) == (2, 2)


def test_status_shows_the_services_that_answer(terminal: Terminal) -> None:
    """If AWS is away, its sections say so, Redis's are shown, and the command ends with 3."""
    result = terminal.but(SCHEDULES_AWS_ENDPOINT_URL=f"http://{LOOPBACK}:{find_free_port()}").run("status")

    assert result.returncode == 3
    assert result.stdout.count("does not answer: queue ") == 4
    assert "0 schedules of 0 services" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(("changes", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_need_a_terminal_without_no_color(
    terminal: Terminal, changes: dict[str, str], is_coloured: bool
) -> None:
    """A pipe and NO_COLOR each turn colours off."""
    shown = terminal.but(TERM="xterm-256color", **changes).run_on_a_terminal("status")

    assert "conditions" in shown
    assert bool(_COLOUR.search(shown)) == is_coloured


def test_an_error_hides_the_password(terminal: Terminal) -> None:
    """The error names the service that does not answer."""
    url = f"redis://:{_SECRET}@{LOOPBACK}:{find_free_port()}/0"

    result = terminal.but(SCHEDULES_REDIS_URL=url).run("history", KEY)

    assert result.returncode == 3
    assert result.stderr.startswith("error: Redis: ")
    assert result.stderr.count("\n") == 1
    assert _SECRET not in result.stdout + result.stderr


def test_versions_are_explained_from_the_real_feed(exported: Path, terminal: Terminal) -> None:
    """Causes and other touched schedules come from the store's history and feed."""
    terminal.run_for_json("import", exported)
    terminal.run_for_json("rebuild", "--all", "--yes")

    why = terminal.run_for_json("why", KEY)
    versions = terminal.run_for_json("history", KEY)["versions"]

    assert [cause["origin"] for cause in why["causes"]] == ["operator"]
    assert [touched["schedule"] for touched in why["touched"]] == [str(TOMORROW)]
    assert [version["seq"] for version in versions] == [1]


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        (
            "SCHEDULES_AWS_ENDPOINT_URL",
            "https://s3.example.org",
            "SCHEDULES_AWS_ENDPOINT_URL (s3.example.org)",
        ),
        (
            "SCHEDULES_REDIS_URL",
            f"redis://:{_SECRET}@redis.example.org",
            "SCHEDULES_REDIS_URL (redis.example.org)",
        ),
        (
            "SCHEDULES_CATALOGUE_REDIS_URL",
            f"rediss://:{_SECRET}@10.0.0.7:6380",
            "SCHEDULES_CATALOGUE_REDIS_URL (10.0.0.7)",
        ),
    ],
)
def test_an_import_into_other_machines_is_rejected(
    exported: Path, terminal: Terminal, setting: str, value: str, shown: str
) -> None:
    """Nothing is written; the error names the setting and the option."""
    result = terminal.but(**{setting: value}).run("import", exported)

    assert result.returncode == 2
    assert f"the sources are not on this machine: {shown}; nothing was written" in result.stderr
    assert "--into-sources-elsewhere" in result.stderr
    assert _SECRET not in result.stderr


def test_an_import_into_aws_is_rejected(exported: Path, terminal: Terminal) -> None:
    """Without an endpoint the bucket is at AWS."""
    environment = {k: v for k, v in terminal.environment.items() if k != "SCHEDULES_AWS_ENDPOINT_URL"}

    result = Terminal(environment).run("import", exported)

    assert result.returncode == 2
    assert "SCHEDULES_AWS_ENDPOINT_URL (AWS itself)" in result.stderr


def test_a_damaged_history_writes_nothing(tmp_path: Path, terminal: Terminal) -> None:
    """The history is read to its end before anything is written."""
    path = tmp_path / "damaged.jsonl.gz"
    path.write_bytes(b"no gzip")

    result = terminal.run("import", path)

    assert result.returncode == 1
    assert "not a whole gzip file" in result.stderr
    assert terminal.status()["catalogue_queue"]["waiting"] == 0


def test_the_option_allows_an_import_into_other_machines(exported: Path, terminal: Terminal) -> None:
    """A service that does not answer then ends the command with 3."""
    # This address is not loopback by name, and no server listens on it.
    elsewhere = terminal.but(SCHEDULES_REDIS_URL=f"redis://0.0.0.0:{find_free_port()}/0")

    rejected = elsewhere.run("import", exported)
    allowed = elsewhere.run("import", exported, "--into-sources-elsewhere")

    assert (rejected.returncode, allowed.returncode) == (2, 3)
    assert "event 1 could not be written" in allowed.stderr


def test_an_export_contains_the_catalogue_items(exported: Path) -> None:
    """The items come first, then the schedules."""
    written = (CatalogueUpdated, SchedulePut)
    documents = [event.document for event in read_history(exported) if isinstance(event, written)]

    assert [d.get("pid", d.get("date")) for d in documents] == [BRAND, EPISODE, "2026-03-28", "2026-03-29"]


def test_an_export_skips_missing_items(stage: Stage, tmp_path: Path) -> None:
    """The schedule is exported without them."""
    stage.happen(schedule_put(KEY))

    document = stage.run_for_json("export", KEY, "-o", tmp_path / "out.jsonl.gz")

    assert (document["schedules"], document["items"]) == (1, 0)


def test_equal_exports_have_equal_bytes(published: Stage, tmp_path: Path) -> None:
    """The same schedules at the same instant give the same file."""
    first, second = tmp_path / "first.jsonl.gz", tmp_path / "second.jsonl.gz"

    for path in (first, second):
        published.run("export", KEY, "-o", path)

    assert first.read_bytes() == second.read_bytes()


def test_an_export_needs_overwrite_for_an_existing_file(published: Stage, tmp_path: Path) -> None:
    """Without the option the file stays unchanged."""
    path = tmp_path / "there.jsonl.gz"
    path.write_text("precious")

    rejected = published.run("export", KEY, "-o", path)
    kept = path.read_text()
    allowed = published.run("export", KEY, "-o", path, "--overwrite")

    assert (rejected.exit_code, kept, allowed.exit_code) == (1, "precious", 0)
    assert "exists already" in rejected.stderr
    assert len(list(read_history(path))) == 3


def test_an_export_that_cannot_be_written(published: Stage, tmp_path: Path) -> None:
    """A missing folder is a one-line error."""
    result = published.run("export", KEY, "-o", tmp_path / "nowhere" / "out.jsonl.gz")

    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr


def test_a_removed_schedule_cannot_be_exported(published: Stage, tmp_path: Path) -> None:
    """The command ends with 1 and creates no file."""
    published.happen(ScheduleRemoved(KEY))

    result = published.run("export", KEY, "-o", tmp_path / "out.jsonl.gz")

    assert result.exit_code == 1
    assert not (tmp_path / "out.jsonl.gz").exists()
