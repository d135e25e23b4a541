"""Entering partners, their keys, and looking at what they ask for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cli_stage import Stage
from structlog.testing import capture_logs

from schedules_pipeline.partners.partner import MOST_KEYS, Partner, key_digest, key_id
from schedules_pipeline.partners.ports import UsageKind, UsageLine

_REQUESTS = UsageLine("acme", UsageKind.REQUESTS, "/v1/changes", "200")
_BYTES = UsageLine("acme", UsageKind.BYTES)


@pytest.fixture
def key(stage: Stage) -> str:
    """The key of a partner that was just entered."""
    text: str = stage.run_for_json("partners", "create", "acme")["key"]
    return text


def _acme(stage: Stage) -> Partner:
    partner = stage.store.partners.one("acme")
    assert partner is not None
    return partner


def test_a_partner_is_entered_with_a_key(stage: Stage) -> None:
    """The key is the last line, and what is kept is its digest."""
    result = stage.run("partners", "create", "acme")

    key = result.stdout.splitlines()[-1]
    assert result.exit_code == 0
    assert _acme(stage).keys[0].digest == key_digest(key)
    assert _acme(stage).keys[0].id == key_id(key)


def test_two_partners_have_different_keys(stage: Stage) -> None:
    """Keys come from the system's randomness."""
    keys = [stage.run_for_json("partners", "create", name)["key"] for name in ("acme", "birch")]

    assert keys[0] != keys[1]


def test_everything_may_be_chosen(stage: Stage) -> None:
    """Services, limits and both roles; the document says what was entered."""
    document = stage.run_for_json(
        *("partners", "create", "acme", "--service", "alder_*", "--service", "birch_two", "--preview"),
        *("--operator", "--requests-per-minute", 7, "--requests-per-day", 8, "--waiting-at-once", 0),
    )

    expected = Partner("acme", stage.clock(), ("alder_*", "birch_two"), True, True, 7, 8, 0)
    assert replace(_acme(stage), keys=()) == expected
    assert document["services"] == ["alder_*", "birch_two"]
    assert document["waiting_at_once"] == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("create", "Acme Ltd"), "not a partner's name"),
        (("create", "acme", "--service", "[a-z]"), "not a pattern of services"),
        (("create", "acme", "--requests-per-minute", "0"), "0 is not in the range"),
        (("change", "acme"), "say what to change"),
        (("change", "acme", "--preview", "perhaps"), "perhaps"),
        (("rotate-key", "acme", "--overlap-hours", "-1"), "-1 is not in the range"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(stage: Stage, words: tuple[str, ...], says: str) -> None:
    """It is told in a line, before anything is entered."""
    result = stage.run("partners", *words)

    assert result.exit_code == 2
    assert says in result.stderr
    assert stage.store.partners.all() == []


def test_a_name_is_taken_once(stage: Stage, key: str) -> None:
    """Entering it again does not change the partner, and prints no key."""
    before = _acme(stage)

    result = stage.run("partners", "create", "acme")

    assert result.exit_code == 1
    assert "already" in result.stderr
    assert "sk_" not in result.output
    assert _acme(stage) == before


@pytest.mark.parametrize(
    "words", [("show",), ("change", "--preview", "yes"), ("add-key",), ("rotate-key",), ("remove", "--yes")]
)
def test_an_unknown_partner_is_named_with_what_may_be_meant(
    stage: Stage, key: str, words: tuple[str, ...]
) -> None:
    """Every command that is about one partner says so in the same words."""
    result = stage.run("partners", words[0], "acne", *words[1:])

    assert result.exit_code == 1
    assert "there is no partner acne: did you mean acme?" in result.stderr


def test_the_list_shows_limits_and_usage(stage: Stage, key: str) -> None:
    """A partner is one row, with the requests of today."""
    stage.store.partners.add_usage(stage.clock().date(), {_REQUESTS: 1_234, _BYTES: 5})

    result = stage.run("partners", "list")

    assert result.exit_code == 0
    row = next(line for line in result.output.splitlines() if "acme" in line)
    assert row.split() == ["acme", "*", "1,200", "200,000", "20", "no", "no", "1", "1,234"]


def test_an_empty_list_says_how_to_begin(stage: Stage) -> None:
    """Nobody is let in, and that is not an error."""
    result = stage.run("partners", "list")

    assert result.exit_code == 0
    assert "partners create" in result.output


def test_a_record_that_does_not_read_back_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let in by it, so the list ends with 1; to remove it is possible."""
    monkeypatch.setattr(stage.store.partners, "unreadable", lambda: ["acme"])
    monkeypatch.setattr(stage.store.partners, "remove", lambda name: name == "acme")

    listed, removed = stage.run("partners", "list"), stage.run("partners", "remove", "acme", "--yes")

    assert listed.exit_code == 1
    assert "acme" in listed.output
    assert removed.exit_code == 0


def test_a_partner_is_shown_with_keys_and_usage(stage: Stage, key: str) -> None:
    """Keys by id and age, eight days of usage; neither the key nor its digest."""
    stage.clock.advance(timedelta(days=2))
    stage.store.partners.add_usage(stage.clock().date(), {_REQUESTS: 4, _BYTES: 2_000})

    result = stage.run("partners", "show", "acme")

    assert key_id(key) is not None
    assert f"{key_id(key)}   2 days 0 h ago   never" in result.output
    assert "2026-03-30          4" in result.output
    assert key not in result.output
    assert key_digest(key) not in result.output


def test_usage_is_shown_by_day(stage: Stage, key: str) -> None:
    """Requests, those not modified, those over limits, problems and bytes; other partners' are not in it."""
    today = stage.clock().date()
    counts = {
        _REQUESTS: 4,
        _REQUESTS._replace(detail="304"): 3,
        _REQUESTS._replace(detail="429"): 2,
        _REQUESTS._replace(partner="birch"): 100,
        _BYTES: 7,
        UsageLine("acme", UsageKind.PROBLEMS, "", "too-many-requests"): 2,
    }
    stage.store.partners.add_usage(today, counts)
    stage.store.partners.add_usage(today - timedelta(days=7), {_REQUESTS: 1})

    days = stage.run_for_json("partners", "show", "acme")["usage"]

    assert len(days) == 8
    assert {
        name: days[0][name] for name in ("requests", "not_modified", "over_limits", "problems", "bytes")
    } == {
        "requests": 9,
        "not_modified": 3,
        "over_limits": 2,
        "problems": 2,
        "bytes": 7,
    }
    assert days[0]["lines"][0] == {"kind": "bytes", "route": "", "detail": "", "count": 7}
    assert days[7]["requests"] == 1


def test_a_change_leaves_what_is_not_named(stage: Stage, key: str) -> None:
    """Keys and the other limits stay; services that are named replace the others."""
    before = _acme(stage)

    result = stage.run("partners", "change", "acme", "--service", "alder_one", "--preview", "yes")

    assert result.exit_code == 0
    assert _acme(stage) == replace(before, services=("alder_one",), is_preview=True)
    assert stage.run_for_json("partners", "change", "acme", "--preview", "no")["preview"] is False


def test_what_another_operator_changes_meanwhile_is_kept(
    stage: Stage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is made again, of what is there by then."""
    change, others = stage.store.partners.change, iter([5, 6])

    def after_another(before: Partner, after: Partner) -> bool:
        if (day := next(others, None)) is not None:
            now = _acme(stage)
            change(now, replace(now, requests_per_day=day))
        return change(before, after)

    monkeypatch.setattr(stage.store.partners, "change", after_another)
    result = stage.run("partners", "change", "acme", "--requests-per-minute", 9)

    assert result.exit_code == 0
    assert (_acme(stage).requests_per_minute, _acme(stage).requests_per_day) == (9, 6)


def test_a_change_is_given_up_where_others_never_stop(
    stage: Stage, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends, and says that nothing was changed by it."""
    monkeypatch.setattr(stage.store.partners, "change", lambda before, after: False)

    result = stage.run("partners", "add-key", "acme")

    assert result.exit_code == 3
    assert "try again" in result.stderr
    assert "sk_" not in result.output


def test_a_further_key_may_expire(stage: Stage, key: str) -> None:
    """The old key stays as it is, and the new one is printed."""
    result = stage.run("partners", "add-key", "acme", "--expires-in-days", 3)

    old, new = _acme(stage).keys
    assert result.exit_code == 0
    assert old.digest == key_digest(key)
    assert new.digest == key_digest(result.stdout.splitlines()[-1])
    assert new.expires_at == stage.clock() + timedelta(days=3)


def test_there_are_so_many_keys_and_no_more(stage: Stage, key: str) -> None:
    """One too many is refused, says what to do, and is not printed."""
    for _ in range(MOST_KEYS - 1):
        stage.run("partners", "add-key", "acme")

    result = stage.run("partners", "add-key", "acme")

    assert result.exit_code == 1
    assert "revoke one first" in result.stderr
    assert "sk_" not in result.output


def test_rotating_lets_the_old_key_expire(stage: Stage, key: str) -> None:
    """After the overlap only the new one holds."""
    document = stage.run_for_json("partners", "rotate-key", "acme", "--overlap-hours", 2)

    old, new = _acme(stage).keys
    assert old.expires_at == stage.clock() + timedelta(hours=2)
    assert new.digest == key_digest(document["key"])
    assert [k["is_valid"] for k in document["keys"]] == [True, True]
    stage.clock.advance(timedelta(hours=2))
    assert [k["is_valid"] for k in stage.run_for_json("partners", "show", "acme")["keys"]] == [False, True]


def test_a_revoked_key_is_gone_at_once(stage: Stage, key: str) -> None:
    """Nobody is asked; where it was the last, that is said."""
    result = stage.run("partners", "revoke-key", "acme", key_id(key))

    assert result.exit_code == 0
    assert _acme(stage).keys == ()
    assert "no key left" in result.output


def test_a_key_that_is_not_there_cannot_be_revoked(stage: Stage, key: str) -> None:
    """The one line names the keys that there are."""
    result = stage.run("partners", "revoke-key", "acme", "another1")

    assert result.exit_code == 1
    assert str(key_id(key)) in result.stderr


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1)])
def test_removing_asks(stage: Stage, key: str, answer: str, left: int) -> None:
    """Only an operator who agrees removes a partner."""
    result = stage.run("partners", "remove", "acme", answer=answer)

    assert result.exit_code == left
    assert len(stage.store.partners.all()) == left


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("show", "acme"),
        ("change", "acme", "--preview", "yes"),
        ("remove", "acme", "--yes"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_other_command_shows_a_key_or_a_digest(
    stage: Stage, key: str, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    """Only what makes a key prints it, and no digest is printed by anything."""
    output = stage.run("partners", *words, *form).output

    assert key not in output
    assert key_digest(key) not in output


def test_no_key_is_logged(stage: Stage) -> None:
    """Whatever a command that makes a key logs, the key is not in it."""
    with capture_logs() as logs:
        documents: list[Any] = [
            stage.run_for_json("partners", "create", "acme"),
            stage.run_for_json("partners", "add-key", "acme"),
            stage.run_for_json("partners", "rotate-key", "acme"),
        ]

    assert len({document["key"] for document in documents}) == 3
    assert not [document for document in documents if document["key"] in str(logs)]
