"""The cost model: machines follow from a size by documented rules, dollars from dated prices, and both are the same in
the command, the page and the templates of the deployment.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli_stage import Stage
from hypothesis import given
from hypothesis import strategies as st
from stacks import of_type, template

from schedules_pipeline.errors import ConfigurationError
from schedules_pipeline.sizing.cost import ALARMS, SECRETS, cost_of
from schedules_pipeline.sizing.hardware import FIXED_TASKS, PUBLISHER, Use, hardware_for
from schedules_pipeline.sizing.memory import Installation, estimate
from schedules_pipeline.sizing.prices import InvalidPrices, built_in_prices, parse_prices, read_prices

_PAGE = Path(__file__).parents[1] / "docs/explanation/cost.md"
_SMALL = Installation(services=250, days=40, items=60_000, changes=5, partners=50)
_sizes = st.builds(
    Installation,
    services=st.integers(1, 20_000),
    days=st.integers(1, 50),
    items=st.integers(1, 5_000_000),
    changes=st.floats(0.1, 50),
    partners=st.integers(1, 500),
)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@given(_sizes, st.sampled_from(["services", "changes", "partners"]))
def test_more_never_costs_less(size: Installation, what: str) -> None:
    """Twice the services, changes or partners need at least the same machines and dollars."""
    more = replace(size, **{what: getattr(size, what) * 2})
    prices = built_in_prices()

    try:
        dearer = cost_of(more, Use(), prices).dollars
    except ConfigurationError:
        return
    assert dearer >= cost_of(size, Use(), prices).dollars


@given(_sizes)
def test_the_nodes_of_redis_have_room_for_twice_the_memory(size: Installation) -> None:
    """A quarter of each node is reserved; the rest is twice what the formula of sizing.md says."""
    try:
        hardware = hardware_for(size, Use())
    except ConfigurationError:
        return
    gibibytes = {
        "large": 13.08,
        "xlarge": 26.33,
        "2xlarge": 52.82,
        "4xlarge": 105.81,
        "8xlarge": 209.55,
        "12xlarge": 317.78,
        "16xlarge": 419.1,
    }[hardware.redis_node.rpartition(".")[2]]

    assert gibibytes * 2**30 * 0.75 * hardware.redis_shards >= 2 * estimate(size)


def test_what_no_task_can_hold_is_an_error_that_says_so() -> None:
    """Every task of delivery holds every schedule, so the size has a limit."""
    with pytest.raises(ConfigurationError, match="divide the services between installations"):
        hardware_for(Installation(100_000, 100, 1, 1, 1), Use())


def test_more_changes_than_one_master_accepts_are_an_error_that_says_so() -> None:
    """Work queue and feed are on one master, so more masters accept no more changes."""
    with pytest.raises(ConfigurationError, match="one master"):
        hardware_for(Installation(25_000, 40, 1, 40, 1), Use())


def test_traffic_is_in_proportion_to_what_partners_read() -> None:
    """A tenth of the schedules is a tenth of the bytes to partners."""
    prices = built_in_prices()

    def gigabytes(share: float) -> float:
        bill = cost_of(_SMALL, Use(share=share), prices)
        return next(line.quantity for line in bill.lines if line.price == "out")

    assert gigabytes(0.1) == pytest.approx(gigabytes(1) / 10)


def test_a_price_with_tiers_is_cheaper_for_more() -> None:
    """Each tier has its price, and the last one has no end."""
    price = built_in_prices().of["out"]

    assert price.of(10_240) == pytest.approx(921.6)
    assert price.of(10_240 + 40_960 + 5_800) == pytest.approx(921.6 + 3_481.6 + 406)
    assert price.of(1_000_000) == pytest.approx(921.6 + 3_481.6 + 7_168 + 846_400 * 0.05)


def test_every_price_has_a_date_and_an_address_or_is_called_an_assumption() -> None:
    """The page names each with its date; every line of a bill says whether its price is assumed."""
    page = _PAGE.read_text()
    bill = cost_of(_SMALL, Use(), built_in_prices())

    for name, price in built_in_prices().of.items():
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert str(price.date) in row
        assert (f"]({price.source})" in row) if price.source else ("**assumption**" in row)
    assumed = {name for name, price in built_in_prices().of.items() if price.source is None}
    assert {line.price for line in bill.lines if line.is_assumed} == assumed & {
        line.price for line in bill.lines
    }


def test_the_tasks_are_those_of_the_deployment() -> None:
    """CPUs and memory of every process, and one task of each, as in the templates."""
    tasks = {task["Family"]: task for task in of_type("services", "AWS::ECS::TaskDefinition").values()}
    counts = {
        each["ServiceName"]: each["DesiredCount"]
        for each in of_type("services", "AWS::ECS::Service").values()
    }

    for task in (*FIXED_TASKS, PUBLISHER):
        definition = tasks[f"schedules-{task.name}"]
        assert int(definition["Cpu"]) == task.cpus * 1024
        assert int(definition["Memory"]) == task.gigabytes * 1024
    assert {task.name: task.count for task in FIXED_TASKS} == {
        name: count for name, count in counts.items() if name != "delivery"
    }


def test_alarms_and_secrets_are_counted_in_the_templates() -> None:
    """One secret, of the login, is made by hand."""
    assert len(template("alarms")["Resources"]) == ALARMS
    assert len(of_type("data", "AWS::SecretsManager::Secret")) + 1 == SECRETS


def test_the_command_prints_a_line_for_each_cost_and_their_sum(stage: Stage) -> None:
    """The dollars of the lines are the total, and the program's document has the same."""
    document = stage.run_for_json("cost", "--services", 250, "--days", 40)
    shown = stage.run("cost", "--services", 250, "--days", 40).stdout

    assert document["dollars"] == pytest.approx(sum(line["dollars"] for line in document["lines"]), abs=0.2)
    assert document["schedules"] == 10_000
    assert f"{document['dollars']:,.0f} dollars a month in us-east-1" in shown
    assert "* the price is an assumption: replace it with --prices" in shown
    assert all(line["what"] in shown for line in document["lines"])


def test_own_prices_replace_the_built_in_ones(stage: Stage, tmp_path: Path) -> None:
    """The region is the file's, and a price with a source has no star any more."""
    own = {"unit": "node hour", "dollars": 0.5, "date": "2026-12-01", "source": "https://prices.example.org"}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"region": "eu-west-1", "prices": {"cache.r7g.large": own}}))

    document = stage.run_for_json("cost", "--services", 10, "--days", 10, "--prices", path)

    [redis] = [line for line in document["lines"] if line["part"] == "ElastiCache"]
    assert document["region"] == "eu-west-1"
    assert (redis["dollars"], redis["source"], redis["priced_on"]) == (
        3 * 730 * 0.5,
        own["source"],
        own["date"],
    )
    assert len(read_prices(path).of) == len(built_in_prices().of)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b'{"region": "x", "prices": {"nat": {}}}',
        b'{"region": "x", "prices": {"nat": {"unit": "h", "dollars": 1, "date": "soon"}}}',
    ],
)
def test_a_file_that_is_no_list_of_prices_is_named(stage: Stage, tmp_path: Path, text: bytes) -> None:
    """The command ends with 1 and says which form is expected."""
    path = tmp_path / "prices.json"
    path.write_bytes(text)

    result = stage.run("cost", "--services", 1, "--days", 1, "--prices", path)

    assert result.exit_code == 1
    assert "prices.json is no list of prices" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_price_that_no_line_uses_is_rejected(tmp_path: Path) -> None:
    """A misspelt name would leave the built-in price in the bill."""
    path = tmp_path / "prices.json"
    text = b'{"region": "x", "prices": {"nats": {"unit": "h", "dollars": 1, "date": "2026-01-01"}}}'
    path.write_bytes(text)

    with pytest.raises(InvalidPrices, match="does not know: nats"):
        read_prices(path)
    assert parse_prices(text, "text").of["nats"].source is None


def test_a_size_is_required(stage: Stage) -> None:
    """Without services and days there is nothing to compute."""
    assert stage.run("cost", "--days", 3).exit_code == 2
    assert stage.run("cost", "--services", 0, "--days", 3).exit_code == 2
