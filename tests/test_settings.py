"""Settings: defaults, old names, and errors that name the setting."""

import os

import pytest

from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.renamed_settings import REMOVED, RENAMED
from schedules_pipeline.settings import load_settings


@pytest.fixture(autouse=True)
def _no_settings_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SCHEDULES_")]:
        monkeypatch.delenv(name)


def test_settings_have_defaults() -> None:
    """All settings have defaults."""
    settings = load_settings()

    assert (settings.keyspace, settings.time_zone) == ("schedules", "Europe/London")


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting is read from the variable of its name, a list as JSON."""
    monkeypatch.setenv("SCHEDULES_KEYSPACE", "schedules.v2")
    monkeypatch.setenv("SCHEDULES_RADIO_SERVICES", '["*_fm"]')

    settings = load_settings()

    assert (settings.keyspace, settings.radio_services) == ("schedules.v2", ("*_fm",))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("KEYSPACE", "", id="no keyspace"),
        pytest.param("KEYSPACE", "Schedules", id="keyspace in upper case"),
        pytest.param("KEYSPACE", "schedules{1}", id="keyspace with a hash tag"),
        pytest.param("KEYSPACE", "schedules:1", id="keyspace with a colon"),
        pytest.param("KEYSPACE", "schedules\n", id="keyspace with a line end"),
        pytest.param("TIME_ZONE", "Europe/Alder", id="no such zone"),
        pytest.param("TIME_ZONE", "", id="no zone"),
        pytest.param("TIME_ZONE", "../etc/passwd", id="zone that is a path"),
        pytest.param("RETENTION_DAYS", "soon", id="not a number"),
        pytest.param("SMALLEST_AIRTIME_SHARE", "1.5", id="share above one"),
        pytest.param("DIFFERENCE_SEVERITY", "WARNING", id="severity with more behind it"),
        pytest.param("DIFFERENCE_SEVERITY", "error", id="severity in lower case"),
        pytest.param("COLDSTART_SHARDS", "0", id="no shard"),
        pytest.param("DELIVERY_TRUSTED_PROXIES", '["balancer"]', id="proxy by its name"),
        pytest.param("DELIVERY_TRUSTED_PROXIES", '["10.0.0.1/8"]', id="network with bits of a host"),
        pytest.param("CRID_AUTHORITY", "schedules", id="authority that is no domain name"),
        pytest.param("CRID_AUTHORITY", "Schedules.example", id="authority in upper case"),
        pytest.param("CRID_AUTHORITY", "schedules.example/x", id="authority with a path"),
        pytest.param("TAG_DATE", "24", id="half a year"),
        pytest.param("TAG_DATE", "2024-1-1", id="date of another form"),
        pytest.param("XMLTV_DOMAIN", "", id="no domain"),
        pytest.param("XMLTV_DOMAIN", "alder_one.example", id="domain with an underscore"),
        pytest.param("XMLTV_DOMAIN", ".example", id="domain that begins with a dot"),
        pytest.param("XMLTV_DOMAIN", "example\n", id="domain with a line end"),
        pytest.param("IMAGE_URL_TEMPLATE", "https://i.example/", id="template without a place"),
        pytest.param(
            "IMAGE_URL_TEMPLATE", "https://i.example/{image_pid}/{image_pid}", id="template with two"
        ),
        pytest.param("IMAGE_URL_TEMPLATE", "javascript:{image_pid}", id="template of another scheme"),
        pytest.param("IMAGE_URL_TEMPLATE", "https://{image_pid} x", id="template with a space"),
        pytest.param("IMAGE_URL_TEMPLATE", "https:///{image_pid}", id="template without a host"),
        pytest.param("CONTENT_LANGUAGE", "", id="no language"),
        pytest.param("CONTENT_LANGUAGE", "en_GB", id="language with an underscore"),
    ],
)
def test_settings_reject(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong value is an error that names the variable."""
    monkeypatch.setenv(f"SCHEDULES_{name}", value)

    with pytest.raises(ConfigurationError, match=f"SCHEDULES_{name}: "):
        load_settings()


@pytest.mark.parametrize("address", ["ftp://example.test/token", "token", "http://", "https://[token", ""])
def test_settings_reject_a_webhook_that_is_no_web_address(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """Only http and https are accepted; the error does not quote the address, which is a secret."""
    monkeypatch.setenv("SCHEDULES_ALARM_WEBHOOK_URL", address)

    with pytest.raises(ConfigurationError, match=r"SCHEDULES_ALARM_WEBHOOK_URL: .*expected http") as raised:
        load_settings()

    assert "token" not in str(raised.value)


def test_the_address_of_the_webhook_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printed settings do not show the address."""
    monkeypatch.setenv("SCHEDULES_ALARM_WEBHOOK_URL", "https://example.test/token")

    settings = load_settings()

    assert "token" not in f"{settings!r} {settings}"
    assert settings.alarm_webhook_url
    assert settings.alarm_webhook_url.get_secret_value() == "https://example.test/token"


def test_settings_reject_a_list_that_is_not_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is not JSON is an error that names the setting."""
    monkeypatch.setenv("SCHEDULES_RADIO_SERVICES", "*radio*")

    with pytest.raises(ConfigurationError, match=r"radio_services.*expected JSON"):
        load_settings()


def test_settings_do_not_show_the_address_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printed settings do not show the store's address, which may hold a password."""
    monkeypatch.setenv("SCHEDULES_REDIS_URL", "redis://:opensesame@127.0.0.1:6379/0")

    shown = repr(load_settings())

    assert "opensesame" not in shown


def test_settings_can_be_remembered_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are hashable, also with lists and objects."""
    monkeypatch.setenv("SCHEDULES_SERVICE_NAMES", '{"alder_one": "Alder One"}')

    settings = load_settings()

    assert {settings: "found"}[load_settings()] == "found"
    assert settings.service_names == (("alder_one", "Alder One"),)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_of_a_setting_is_understood(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """A variable under its old name has its effect, with a warning that names the new one."""
    monkeypatch.setenv(f"SCHEDULES_{old.upper()}", "7")

    with pytest.warns(FutureWarning, match=f"SCHEDULES_{old.upper()} is now SCHEDULES_{new.upper()}"):
        settings = load_settings()

    assert getattr(settings, new) == 7


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_new_name_of_a_setting_wins(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Where both names are set, the old one is ignored without a warning."""
    monkeypatch.setenv(f"SCHEDULES_{old.upper()}", "7")
    monkeypatch.setenv(f"SCHEDULES_{new.upper()}", "8")

    assert getattr(load_settings(), new) == 8


@pytest.mark.parametrize("name", REMOVED)
def test_a_removed_setting_is_accepted_with_a_warning(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An environment of the last release still starts; the warning says why the variable has no effect."""
    monkeypatch.setenv(f"SCHEDULES_{name.upper()}", "7")

    with pytest.warns(
        FutureWarning, match=f"SCHEDULES_{name.upper()} has no effect any more: Dagster's partitions"
    ):
        settings = load_settings()

    assert not hasattr(settings, name)


def test_a_wrong_value_under_an_old_name_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the new variable, after the warning has named both."""
    monkeypatch.setenv("SCHEDULES_REFUSED_KEPT_DAYS", "0")

    with (
        pytest.warns(FutureWarning, match="SCHEDULES_REFUSED_KEPT_DAYS"),
        pytest.raises(ConfigurationError, match="SCHEDULES_REJECTIONS_KEPT_DAYS: "),
    ):
        load_settings()
