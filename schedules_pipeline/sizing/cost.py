"""What an installation costs a month on AWS, line by line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schedules_pipeline.sizing.hardware import (
    DAY,
    DOCUMENT_BYTES,
    PLAIN_BYTES,
    SOURCE_BYTES,
    Hardware,
    Use,
    hardware_for,
)
from schedules_pipeline.sizing.memory import Installation
from schedules_pipeline.sizing.prices import Prices

HOURS = 730
"""Of a month, as AWS counts."""
_DAYS = HOURS / 24
_REDIS_NODES = 3
"""Of a shard: a primary and two replicas, because each write waits for one of them."""
SECRETS = 14
ALARMS = 20
"""Of deploy/cloudformation, which a test compares."""
_BALANCERS = 2
_GATEWAYS = 2
_QUEUES = 2
_POLL_SECONDS = 10
_LOG_BYTES_A_VERSION = 500
_LOG_GIGABYTES_OF_A_TASK = 0.5
_REPORT_GIGABYTES = 1


@dataclass(frozen=True, slots=True)
class Line:
    """``price``: the name of the price. ``quantity``: in its unit, a month."""

    part: str
    what: str
    price: str
    quantity: float
    dollars: float
    is_assumed: bool


@dataclass(frozen=True, slots=True)
class Bill:
    installation: Installation
    use: Use
    hardware: Hardware
    lines: Sequence[Line]

    @property
    def dollars(self) -> float:
        return sum(line.dollars for line in self.lines)


def cost_of(of: Installation, use: Use, prices: Prices) -> Bill:
    hardware = hardware_for(of, use)
    parts = (*_machines(hardware), *_requests(of), *_traffic(of, use, hardware), *_others(of, hardware))
    lines = [_line(prices, *each) for each in parts]
    return Bill(of, use, hardware, lines)


def _line(prices: Prices, part: str, what: str, name: str, quantity: float) -> Line:
    price = prices.of[name]
    return Line(part, what, name, quantity, price.of(quantity), price.source is None)


_Part = tuple[str, str, str, float]


def _machines(hardware: Hardware) -> Iterator[_Part]:
    for task in hardware.tasks:
        size = f"{task.count} × {task.name}, {task.cpus:g} CPU and {task.gigabytes:g} GB"
        yield "Fargate", size, "fargate-cpu", task.cpus * task.count * HOURS
        yield "Fargate", "… its memory", "fargate-memory", task.gigabytes * task.count * HOURS
    nodes = hardware.redis_shards * _REDIS_NODES
    yield "ElastiCache", f"{nodes} × {hardware.redis_node}", hardware.redis_node, nodes * HOURS
    yield "RDS", f"{hardware.database} in two zones", hardware.database, HOURS
    yield "RDS", "storage", "database-storage", hardware.database_gigabytes
    yield "Load balancers", f"{_BALANCERS}", "load-balancer", _BALANCERS * HOURS
    yield "NAT gateways", f"{_GATEWAYS}", "nat", _GATEWAYS * HOURS


def _requests(of: Installation) -> Iterator[_Part]:
    """Every change is one message, which is sent, received and deleted alone: batches make it less."""
    versions = of.schedules * of.changes * _DAYS
    polls = _QUEUES * DAY / _POLL_SECONDS * _DAYS
    yield "SQS", "messages and polls", "sqs", (3 * versions + polls) / 1e6
    yield "SNS", "announcements", "sns", versions / 1e6
    yield "S3", "documents, and Dagster's output", "s3-storage", of.schedules * SOURCE_BYTES / 1e9
    # Each version is built from its document, and each schedule is reconciled with it once a day.
    yield "S3", "reads", "s3-get", (versions + of.schedules * _DAYS) / 1e3
    # Output of runs, uploaded every minute, and an export of the state every hour.
    yield "S3", "writes", "s3-put", (60 * HOURS + HOURS) / 1e3


def _traffic(of: Installation, use: Use, hardware: Hardware) -> Iterator[_Part]:
    versions = of.schedules * of.changes * _DAYS
    out = versions * of.partners * use.share * DOCUMENT_BYTES / 1e9
    inside = versions * (_REDIS_NODES - 1 + hardware.delivery.count) * PLAIN_BYTES / 1e9
    yield "Traffic", "to partners", "out", out
    yield "Traffic", "between zones", "between-zones", 2 * inside
    yield "Load balancers", "capacity for the traffic", "load-balancer-units", max(out, HOURS)
    yield "NAT gateways", "requests to AWS", "nat-data", 3 * versions * 2_000 / 1e9


def _others(of: Installation, hardware: Hardware) -> Iterator[_Part]:
    versions = of.schedules * of.changes * _DAYS
    tasks = sum(task.count for task in hardware.tasks)
    yield (
        "CloudWatch",
        "logs",
        "logs",
        versions * _LOG_BYTES_A_VERSION / 1e9 + tasks * _LOG_GIGABYTES_OF_A_TASK,
    )
    yield "CloudWatch", f"{ALARMS} alarms", "alarm", ALARMS
    yield "Secrets Manager", f"{SECRETS} secrets", "secret", SECRETS
    yield "EFS", "parity reports", "efs", _REPORT_GIGABYTES
