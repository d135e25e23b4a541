"""The start script of Redis: it makes the users of ``deploy/redis/users.acl`` for the keyspaces of a server."""

import re
import subprocess
from pathlib import Path

import pytest
from redis import Redis, exceptions
from redis_users import PASSWORD, RULES, url_as
from stacks import deploy_script

from demo.servers import RedisServer, is_free

_USERS = ("pipeline", "operator", "monitoring", "delivery", "pusher")


def test_the_start_script_puts_the_hashes_of_the_passwords_in_place(tmp_path: Path) -> None:
    """The rules have no placeholder left, and only the hash of each user's password."""
    for user in _USERS:
        (tmp_path / f"redis_{user}_password").write_text(f"{PASSWORD}-{user}\n")

    _start(tmp_path)

    loaded = (tmp_path / "users.acl").read_text()
    hashes = re.findall(r"#([0-9a-f]{64}) ", loaded)
    assert len(set(hashes)) == len(_USERS)
    assert "@" not in re.sub(r"-@all", "", loaded)
    assert PASSWORD not in loaded


@pytest.mark.parametrize("keyspaces", ["schedules", "schedules schedules-2"])
def test_elasticache_gets_the_rules_that_the_start_script_makes(tmp_path: Path, keyspaces: str) -> None:
    """Each access string is the user's line without the password, and short enough for a parameter."""
    for user in _USERS:
        (tmp_path / f"redis_{user}_password").write_text(PASSWORD)
    _start(tmp_path, KEYSPACES=keyspaces)
    made = [line.split() for line in (tmp_path / "users.acl").read_text().splitlines()]

    passed = deploy_script().redis_users(keyspaces.split(), RULES.read_text())

    assert passed == {
        f"AccessOf{name.capitalize()}": " ".join(rule for rule in rules if not rule.startswith("#"))
        for _, name, *rules in made
        if name != "default"
    }
    assert all(len(access) <= 4_096 for access in passed.values()), "CloudFormation takes no longer parameter"


def test_the_start_script_rejects_an_empty_password(tmp_path: Path) -> None:
    """An empty secret does not create a user without a password."""
    for user in _USERS:
        (tmp_path / f"redis_{user}_password").write_text("" if user == "delivery" else "x")

    with pytest.raises(subprocess.CalledProcessError):
        _start(tmp_path)


@pytest.mark.parametrize(
    ("keyspaces", "reached", "rejected"),
    [
        ("schedules-staging", ["schedules-staging"], ["schedules", "schedules-2"]),
        ("schedules schedules-2", ["schedules", "schedules-2"], ["schedules-staging", "schedules-22"]),
    ],
)
def test_a_server_serves_the_keyspaces_that_it_was_started_for(
    redis_executable: Path, tmp_path: Path, keyspaces: str, reached: list[str], rejected: list[str]
) -> None:
    """The start script makes the users of one keyspace, or of two while one is built beside the other."""
    for user in _USERS:
        (tmp_path / f"redis_{user}_password").write_text(PASSWORD)
    _start(tmp_path, KEYSPACES=keyspaces)

    with _WithUsers(tmp_path / "redis", redis_executable, tmp_path / "users.acl") as started:
        for user in _USERS:
            with Redis.from_url(url_as(user, started.url)) as client:
                assert all(not _rejected(client, "GET", f"{name}:{{feed}}:trimmed") for name in reached)
                assert all(_rejected(client, "GET", f"{name}:{{feed}}:trimmed") for name in rejected)
        with Redis.from_url(url_as("monitoring", started.url)) as client:
            for name in reached:
                client.xgroup_create(f"{name}:{{feed}}:changes", "dagster", mkstream=True)


class _WithUsers(RedisServer):
    """Has no user ``default``, so it cannot be asked whether it is ready."""

    def __init__(self, directory: Path, executable: Path, users: Path) -> None:
        super().__init__(directory, executable=executable, extra_arguments=("--aclfile", str(users)))

    def _is_ready(self, port: int, pid: int) -> bool:
        return not is_free(port)


@pytest.mark.parametrize("keyspaces", ["schedules*", "a b;c", " ", "Schedules", "a/b"])
def test_the_start_script_rejects_what_is_no_keyspace(tmp_path: Path, keyspaces: str) -> None:
    """A pattern in a name would reach other keyspaces."""
    for user in _USERS:
        (tmp_path / f"redis_{user}_password").write_text("x")

    with pytest.raises(subprocess.CalledProcessError):
        _start(tmp_path, KEYSPACES=keyspaces)


def _start(directory: Path, **more: str) -> None:
    environment = {
        "SECRETS": str(directory),
        "RULES": str(RULES),
        "LOADED": str(directory / "users.acl"),
        **more,
    }
    subprocess.run(
        ["/bin/sh", str(RULES.parent / "start.sh"), "true"],
        env={"PATH": "/usr/bin:/bin", **environment},
        check=True,
        capture_output=True,
    )


def _rejected(client: Redis, *command: str) -> bool:
    try:
        client.execute_command(*command)  # type: ignore[no-untyped-call]
    except exceptions.NoPermissionError:
        return True
    return False
