"""Creates the users of ``deploy/redis/users.acl`` on a server that a test has started. The file itself has their
permissions.
"""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from redis import Redis

RULES = Path(__file__).parent.parent / "deploy/redis/users.acl"
PASSWORD = "for-tests-only"


def rules_of(user: str, keyspace: str = "schedules") -> list[str]:
    """The user's rules in one keyspace; a selector is one rule."""
    text = RULES.read_text().replace("@keyspace@", keyspace)
    line = next(line for line in text.splitlines() if line.split()[1] == user)
    plain, *selectors = line.partition("user ")[2].split(" (")
    return [*plain.split()[1:], *(f"({selector}" for selector in selectors)]


def commands_of(user: str) -> set[str]:
    """The commands that the user has everywhere, such as ``xgroup|create``."""
    return {rule.removeprefix("+") for rule in rules_of(user) if rule.startswith("+")}


def grant(client: Redis, users: Iterable[str], keyspace: str = "schedules") -> None:
    """Create the users of this keyspace on the server, with the password of the tests."""
    for user in users:
        rules = [f">{PASSWORD}" if rule == f"#@{user}@" else rule for rule in rules_of(user, keyspace)]
        client.execute_command("ACL SETUSER", user, "reset", *rules)  # type: ignore[no-untyped-call]


def url_as(user: str, url: str) -> str:
    """The address with the user's name and password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{PASSWORD}@{parts.netloc}"))
