"""One published guide, one delivery service and one browser for all tests of the guide in a browser; an environment and
both upstreams for the tests in which Dagster's processes follow changes.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy
from browser import Browser, Tab, find_chromium
from end_to_end.guide_in_browser import DESKTOP, Broadcaster, enter, serving
from redis import Redis

from demo.dagster_services import write_dagster_home
from demo.delivery_service import DeliveryService
from demo.provision import AwsEndpoints, ProvisionedResources, announce_schedules
from demo.sample import Sample, make_sample
from demo.servers import RedisServer
from demo.upstream import Upstream

_CELERY_INSTANCE = Path(__file__).parents[2] / "deploy/celery/dagster.yaml"


@pytest.fixture(scope="session")
def broadcaster(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broadcaster]:
    with RedisServer(tmp_path_factory.mktemp("redis"), executable=redis_executable) as redis:
        yield Broadcaster(redis)


@pytest.fixture(scope="session")
def service(broadcaster: Broadcaster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeliveryService]:
    with serving(broadcaster, tmp_path_factory.mktemp("delivery")) as service:
        yield service


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(find_chromium(), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A tab of a reader without a cookie."""
    with browser.tab() as tab:
        tab.resize(*DESKTOP)
        tab.prefer(prefers_color_scheme="light", prefers_reduced_motion="reduce")
        yield tab


@pytest.fixture
def reader(tab: Tab, service: DeliveryService, broadcaster: Broadcaster) -> Tab:
    """A reader who signed in by a link, on the guide's page, which follows the feed."""
    enter(tab, service, broadcaster)
    return tab


@pytest.fixture
def own_redis(redis_executable: Path, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test's own, since other processes write to it until the test ends."""
    with RedisServer(tmp_path / "redis", executable=redis_executable) as server:
        yield server


@pytest.fixture
def environment(
    own_redis: RedisServer,
    aws_endpoints: AwsEndpoints,
    provisioned: ProvisionedResources,
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """The environment of every process; this one gets it too. Dagster's records are in Postgres."""
    variables = {
        "SCHEDULES_REDIS_URL": own_redis.url,
        "SCHEDULES_AWS_ENDPOINT_URL": aws_endpoints.endpoint_url or "",
        "SCHEDULES_AWS_REGION": aws_endpoints.region,
        "SCHEDULES_SCHEDULE_BUCKET": provisioned.bucket,
        # The sample's day may be long ago when this is run.
        "SCHEDULES_RETENTION_DAYS": "0",
        # The publisher goes soon after its work, so that its run can be seen to end well.
        "SCHEDULES_PUBLISHER_LINGER_SECONDS": "2",
        "AWS_ACCESS_KEY_ID": aws_endpoints.access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": "local",
        **write_dagster_home(tmp_path / "dagster", postgres_url),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.fixture
def sample() -> Sample:
    """One day of the invented broadcaster."""
    return make_sample(date(2026, 6, 1), days=1, clock_change_days=False)


@pytest.fixture
def upstream(
    own_redis: RedisServer, aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources, sample: Sample
) -> Upstream:
    """Both upstreams, loaded, with a bucket that announces from now on."""
    upstream = Upstream(
        s3=aws_endpoints.s3(),
        sns=aws_endpoints.sns(),
        redis=Redis.from_url(own_redis.url),
        topic_arn=provisioned.catalogue_events.topic_arn,
        clock=lambda: datetime.now(UTC),
        bucket=provisioned.bucket,
    )
    upstream.load(sample)
    announce_schedules(aws_endpoints, provisioned)
    return upstream


@pytest.fixture
def celery_environment(
    environment: dict[str, str], postgres_url: str, redis_executable: Path, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """The environment of every process, with a broker and the shipped instance."""
    database = sqlalchemy.make_url(postgres_url)
    home = Path(environment["DAGSTER_HOME"])
    text = _CELERY_INSTANCE.read_text().replace("/var/lib/dagster", str(home))
    text = text.replace("port: 5432", f"port: {database.port}")
    (home / "dagster.yaml").write_text(text.replace("poll_interval_seconds: 15", "poll_interval_seconds: 3"))
    with (
        RedisServer(tmp_path / "broker", executable=redis_executable) as broker,
        pytest.MonkeyPatch.context() as patch,
    ):
        variables = {
            "DAGSTER_CELERY_BROKER_URL": broker.url,
            "DAGSTER_PG_HOST": database.host or "",
            "DAGSTER_PG_DATABASE": database.database or "",
            "DAGSTER_PG_USER": database.username or "",
            "DAGSTER_PG_PASSWORD": database.password or "",
            "PGSSLMODE": "disable",
        }
        for name, value in variables.items():
            patch.setenv(name, value)
        yield {**environment, **variables}
