"""Probes, and how they are run: at the same time, each within its own limit."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.errors import NotPermitted, PipelineError

_TEXT_CHARACTERS = 400


class ProbeName(StrEnum):
    S3_ANSWERS = "s3-answers"
    CATALOGUE_ANSWERS = "catalogue-answers"
    LEGACY_ANSWERS = "legacy-answers"
    REDIS_ACCEPTS_WRITES = "redis-accepts-writes"
    QUEUE_ATTRIBUTES = "queue-attributes"
    SUBSCRIPTIONS = "subscriptions"
    BUCKET_EVENTS = "bucket-events"
    DELIVERY_ANSWERS = "delivery-answers"
    DAGSTER_ANSWERS = "dagster-answers"
    CANARY_SCHEDULE = "canary-schedule"
    CANARY_ITEM = "canary-item"


class Verdict(StrEnum):
    """``UNCHECKED``: the probe could not tell, for example without a permission."""

    PASSED = "passed"
    UNCHECKED = "unchecked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a probe found about one subject. ``text``: a clause, such as ``the queue q does not exist``."""

    verdict: Verdict
    subject: str
    text: str
    remedy: str = ""


def passed(subject: str, text: str) -> Finding:
    return Finding(Verdict.PASSED, subject, text)


def unchecked(subject: str, text: str, remedy: str = "") -> Finding:
    return Finding(Verdict.UNCHECKED, subject, f"{subject} could not be checked: {text}", remedy)


def failed(subject: str, text: str, remedy: str) -> Finding:
    return Finding(Verdict.FAILED, subject, text, remedy)


@dataclass(frozen=True, slots=True)
class Probe:
    """``run`` yields its findings, and may raise any error. ``remedy``: what to do if it raises."""

    name: ProbeName
    subject: str
    proves: str
    run: Callable[[], Iterable[Finding]]
    remedy: str = ""
    limit: timedelta = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    name: ProbeName
    proves: str
    limit: timedelta
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return max((f.verdict for f in self.findings), key=list(Verdict).index, default=Verdict.PASSED)


def run_probes(probes: Sequence[Probe]) -> list[ProbeResult]:
    """Run all at the same time; each result comes after its own limit at the latest.

    A probe that exceeds its limit goes on in a thread that does not keep the process alive.
    """
    started = [_Running(probe) for probe in probes]
    return [running.result() for running in started]


class _Running:
    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._began = time.monotonic()
        self._ended = self._began
        self._findings: tuple[Finding, ...] | None = None
        self._thread = threading.Thread(target=self._run, name=f"probe {probe.name}", daemon=True)
        self._thread.start()

    def result(self) -> ProbeResult:
        probe = self._probe
        limit = probe.limit.total_seconds()
        self._thread.join(max(0.0, self._began + limit - time.monotonic()))
        findings, seconds = self._findings, self._ended - self._began
        if findings is None:
            text = f"{probe.subject} did not answer within {limit:g} s"
            findings, seconds = (failed(probe.subject, text, probe.remedy),), limit
        return ProbeResult(probe.name, probe.proves, probe.limit, findings, seconds)

    def _run(self) -> None:
        findings = _findings_of(self._probe)
        self._ended = time.monotonic()
        self._findings = findings


def _findings_of(probe: Probe) -> tuple[Finding, ...]:
    """A missing permission, and an error that the pipeline does not expect, prove nothing."""
    try:
        return tuple(probe.run())
    except NotPermitted as error:
        return (unchecked(probe.subject, _shown(error), "allow the call, or leave it unchecked"),)
    except PipelineError as error:
        return (failed(probe.subject, _shown(error), probe.remedy),)
    except Exception as error:  # noqa: BLE001 - a defect of one probe must not hide the others
        return (unchecked(probe.subject, f"{type(error).__name__}: {_shown(error)}"),)


def _shown(error: Exception) -> str:
    return shorten(printable(str(error)), _TEXT_CHARACTERS)
