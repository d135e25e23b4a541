"""``partners``: creation, keys, limits and usage."""

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
    """The key of a new partner."""
    text: str = stage.run_for_json("partners", "create", "acme")["key"]
    return text


def _acme(stage: Stage) -> Partner:
    partner = stage.store.partners.one("acme")
    assert partner is not None
    return partner


def test_a_partner_is_created_with_a_key(stage: Stage) -> None:
    """The key is the last line, and only its digest is stored."""
    result = stage.run("partners", "create", "acme")

    key = result.stdout.splitlines()[-1]
    assert result.exit_code == 0
    assert _acme(stage).keys[0].digest == key_digest(key)
    assert _acme(stage).keys[0].id == key_id(key)


def test_two_partners_have_different_keys(stage: Stage) -> None:
    """Keys come from the system's random source."""
    keys = [stage.run_for_json("partners", "create", name)["key"] for name in ("acme", "birch")]

    assert keys[0] != keys[1]


def test_services_limits_and_roles_are_stored(stage: Stage) -> None:
    """The document has the stored values."""
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
def test_invalid_values_are_usage_errors(stage: Stage, words: tuple[str, ...], says: str) -> None:
    """The error is one line, and nothing is stored."""
    result = stage.run("partners", *words)

    assert result.exit_code == 2
    assert says in result.stderr
    assert stage.store.partners.all() == []


def test_an_existing_name_is_rejected(stage: Stage, key: str) -> None:
    """The partner stays unchanged, and no key is printed."""
    before = _acme(stage)

    result = stage.run("partners", "create", "acme")

    assert result.exit_code == 1
    assert "already" in result.stderr
    assert "sk_" not in result.output
    assert _acme(stage) == before


@pytest.mark.parametrize(
    "words", [("show",), ("change", "--preview", "yes"), ("add-key",), ("rotate-key",), ("remove", "--yes")]
)
def test_an_unknown_partner_is_answered_with_the_closest(
    stage: Stage, key: str, words: tuple[str, ...]
) -> None:
    """Every command about one partner gives the same error."""
    result = stage.run("partners", words[0], "acne", *words[1:])

    assert result.exit_code == 1
    assert "there is no partner acne: did you mean acme?" in result.stderr


def test_the_list_shows_limits_and_usage(stage: Stage, key: str) -> None:
    """Each partner is one row, with the requests of today."""
    stage.store.partners.add_usage(stage.clock().date(), {_REQUESTS: 1_234, _BYTES: 5})

    result = stage.run("partners", "list")

    assert result.exit_code == 0
    row = next(line for line in result.output.splitlines() if "acme" in line)
    assert row.split() == ["acme", "*", "1,200", "200,000", "20", "no", "no", "no", "1", "1,234"]


def test_an_empty_list_says_how_to_begin(stage: Stage) -> None:
    """It ends with 0, and names the command that creates partners."""
    result = stage.run("partners", "list")

    assert result.exit_code == 0
    assert "partners create" in result.output


def test_an_undecodable_record_is_reported(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list ends with 1, and the record can be removed."""
    monkeypatch.setattr(stage.store.partners, "unreadable", lambda: ["acme"])
    monkeypatch.setattr(stage.store.partners, "remove", lambda name: name == "acme")

    listed, removed = stage.run("partners", "list"), stage.run("partners", "remove", "acme", "--yes")

    assert listed.exit_code == 1
    assert "acme" in listed.output
    assert removed.exit_code == 0


def test_a_partner_is_shown_with_keys_and_usage(stage: Stage, key: str) -> None:
    """Keys have id and age, usage covers eight days; neither key nor digest is shown."""
    stage.clock.advance(timedelta(days=2))
    stage.store.partners.add_usage(stage.clock().date(), {_REQUESTS: 4, _BYTES: 2_000})

    result = stage.run("partners", "show", "acme")

    assert key_id(key) is not None
    assert f"{key_id(key)}   2 days 0 h ago   never" in result.output
    assert "2026-03-30          4" in result.output
    assert key not in result.output
    assert key_digest(key) not in result.output


def test_usage_is_shown_by_day(stage: Stage, key: str) -> None:
    """The sums of one partner, without those of others."""
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


def test_a_change_keeps_other_values(stage: Stage, key: str) -> None:
    """Keys and other limits stay; named services replace the previous ones."""
    before = _acme(stage)

    result = stage.run("partners", "change", "acme", "--service", "alder_one", "--preview", "yes")

    assert result.exit_code == 0
    assert _acme(stage) == replace(before, services=("alder_one",), is_preview=True)
    assert stage.run_for_json("partners", "change", "acme", "--preview", "no")["preview"] is False


def test_a_concurrent_change_is_kept(stage: Stage, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The change is applied again to the partner's new state."""
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


def test_attempts_of_a_change_are_limited(stage: Stage, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After several concurrent changes the command ends with 3."""
    monkeypatch.setattr(stage.store.partners, "change", lambda before, after: False)

    result = stage.run("partners", "add-key", "acme")

    assert result.exit_code == 3
    assert "try again" in result.stderr
    assert "sk_" not in result.output


def test_a_further_key_may_expire(stage: Stage, key: str) -> None:
    """The old key stays valid, and the new one is printed."""
    result = stage.run("partners", "add-key", "acme", "--expires-in-days", 3)

    old, new = _acme(stage).keys
    assert result.exit_code == 0
    assert old.digest == key_digest(key)
    assert new.digest == key_digest(result.stdout.splitlines()[-1])
    assert new.expires_at == stage.clock() + timedelta(days=3)


def test_the_number_of_keys_is_limited(stage: Stage, key: str) -> None:
    """One key too many is rejected and not printed."""
    for _ in range(MOST_KEYS - 1):
        stage.run("partners", "add-key", "acme")

    result = stage.run("partners", "add-key", "acme")

    assert result.exit_code == 1
    assert "revoke one first" in result.stderr
    assert "sk_" not in result.output


def test_rotating_lets_the_old_key_expire(stage: Stage, key: str) -> None:
    """After the overlap only the new key is valid."""
    document = stage.run_for_json("partners", "rotate-key", "acme", "--overlap-hours", 2)

    old, new = _acme(stage).keys
    assert old.expires_at == stage.clock() + timedelta(hours=2)
    assert new.digest == key_digest(document["key"])
    assert [k["is_valid"] for k in document["keys"]] == [True, True]
    stage.clock.advance(timedelta(hours=2))
    assert [k["is_valid"] for k in stage.run_for_json("partners", "show", "acme")["keys"]] == [False, True]


def test_a_revoked_key_is_gone_at_once(stage: Stage, key: str) -> None:
    """The command does not ask, and warns if no key is left."""
    result = stage.run("partners", "revoke-key", "acme", key_id(key))

    assert result.exit_code == 0
    assert _acme(stage).keys == ()
    assert "no key left" in result.output


def test_an_unknown_key_cannot_be_revoked(stage: Stage, key: str) -> None:
    """The error lists the existing ids."""
    result = stage.run("partners", "revoke-key", "acme", "another1")

    assert result.exit_code == 1
    assert str(key_id(key)) in result.stderr


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1)])
def test_removing_asks(stage: Stage, key: str, answer: str, left: int) -> None:
    """A partner is removed only if the operator agrees."""
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
    """Only the commands that create a key print it, and no command prints a digest."""
    output = stage.run("partners", *words, *form).output

    assert key not in output
    assert key_digest(key) not in output


def test_no_key_is_logged(stage: Stage) -> None:
    """The logs of commands that create keys do not contain them."""
    with capture_logs() as logs:
        documents: list[Any] = [
            stage.run_for_json("partners", "create", "acme"),
            stage.run_for_json("partners", "add-key", "acme"),
            stage.run_for_json("partners", "rotate-key", "acme"),
        ]

    assert len({document["key"] for document in documents}) == 3
    assert not [document for document in documents if document["key"] in str(logs)]
