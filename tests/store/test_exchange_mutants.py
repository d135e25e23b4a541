"""The tests of batches that are sent while they are made notice a defect in the sending."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import getsource, signature
from types import ModuleType

import pytest
from redis import Redis
from store import test_exchange

from demo.servers import RedisServer
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.store import exchange, link


@dataclass(frozen=True, slots=True)
class _Mutant:
    """``noticed_by``: the test that fails."""

    name: str
    text: str
    replacement: str
    noticed_by: Callable[..., None]


_MUTANTS = (
    _Mutant(
        "sends nothing before the last command is made",
        "_SENT_TOGETHER = 20",
        "_SENT_TOGETHER = 1_000",
        test_exchange.test_redis_has_the_first_commands_before_the_last_is_made,
    ),
    _Mutant(
        "forgets the commands that it has sent",
        "made.extend(unsent)",
        "made[:] = unsent or made",
        test_exchange.test_a_batch_whose_connection_breaks_is_sent_again_from_its_start,
    ),
    _Mutant(
        "keeps a connection with unread replies",
        "connection.disconnect()\n        raise",
        "raise",
        test_exchange.test_late_replies_to_a_batch_that_cannot_be_made_are_not_those_of_the_next,
    ),
    _Mutant(
        "loses the error of an early command",
        "return error",
        "return None",
        test_exchange.test_an_early_error_is_raised_after_the_last_command,
    ),
)


@pytest.mark.parametrize("mutant", _MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_noticed(
    mutant: _Mutant, redis_server: RedisServer, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this step of the sending, the test of it fails."""
    source = getsource(exchange)
    assert source.count(mutant.text) == 1
    mutated = ModuleType("mutated")
    exec(source.replace(mutant.text, mutant.replacement), mutated.__dict__)
    monkeypatch.setattr(link, "exchange", mutated.exchange)
    monkeypatch.setattr(test_exchange, "SENT_WITHIN", 0.1)
    fixtures = {"redis_server": redis_server, "redis_client": redis_client}

    with pytest.raises((AssertionError, ServiceError, pytest.fail.Exception)):
        mutant.noticed_by(**{name: fixtures[name] for name in signature(mutant.noticed_by).parameters})
