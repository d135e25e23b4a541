"""The command ``schedules-client``."""

import json
from pathlib import Path

import pytest
from client.partners import changing, client_of, published
from delivery_stage import DeliveryStage
from schedules_client import cli


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A copy of some schedules."""
    stage = DeliveryStage()
    list(changing(stage, 2, 6))
    client, _ = client_of(stage, tmp_path / "schedules.db")
    with client:
        client.sync()
    return tmp_path / "schedules.db"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an environment, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCHEDULES_DELIVERY_URL", raising=False)
    monkeypatch.delenv("SCHEDULES_API_KEY", raising=False)


def _run(*arguments: str) -> int:
    return cli.main(arguments)


def test_sync_counts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """How many schedules the copy has, and what changed."""
    stage = DeliveryStage()
    list(changing(stage, 2, 6))
    monkeypatch.setattr(cli, "Client", lambda store: client_of(stage, store)[0])

    assert _run("sync") == 0
    assert _run("sync") == 0

    first, second = (line for line in capsys.readouterr().out.splitlines() if "schedules of" in line)
    count = len(published(stage))
    assert first.startswith(f"{count} schedules of ")
    assert first.endswith(f"schedules.db: {count} new or changed, 0 removed")
    assert second.endswith("0 new or changed, 0 removed")


def test_show_and_xmltv_need_no_service(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is on, the days of a service, one schedule, its document, and a guide."""
    commands = [[], ["alder"], ["alder", "2026-03-28"], ["alder", "2026-03-28", "--json"]]
    shown = []
    for arguments in commands:
        assert _run("show", *arguments) == 0
        shown.append(capsys.readouterr().out)
    assert _run("xmltv", "guide.xml") == 0

    assert "next" in shown[0]
    assert "alder/2026-03-28 seq " in shown[1]
    assert len(shown[2]) > len(shown[1].splitlines()[0])
    assert json.loads(shown[3])["sid"] == "alder"
    assert (store.parent / "guide.xml").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sync"], "SCHEDULES_DELIVERY_URL"),
        (["--store", "absent.db", "show"], "--store absent.db sync"),
        (["--store", "absent/schedules.db", "show"], "sync"),
        (["--store", "absent.db", "xmltv", "guide.xml"], "sync"),
    ],
)
def test_errors_say_what_to_do(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with status 1, and no file is made."""
    assert _run(*arguments) == 1

    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert words in told
    assert not Path("absent.db").exists()


def test_a_guide_that_cannot_be_written_is_one_line(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the path and the system's reason."""
    assert _run("xmltv", "absent/guide.xml") == 1

    assert capsys.readouterr().err == "error: absent/guide.xml: No such file or directory\n"


def test_unknown_schedule_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("show", "nowhere", "2026-03-28") == 1

    assert "no schedule of 2026-03-28 of nowhere" in capsys.readouterr().err
    assert store.exists()


def test_unreachable_service_is_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its address, and without the key."""
    monkeypatch.setenv("SCHEDULES_DELIVERY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SCHEDULES_API_KEY", "sk_secretpart")

    assert _run("sync", "--give-up", "0") == 1

    told = capsys.readouterr().err
    assert "cannot reach http://127.0.0.1:9" in told
    assert "secretpart" not in told
