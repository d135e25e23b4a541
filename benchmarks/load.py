"""Sends one request over and over with ``wrk``, and verifies that the answers were right.

``wrk`` reports the number of errors and of received bytes. So one answer is compared in full before the run, and the
bytes of the run must be that many times its size; a document in place of a 304, or the reverse, would change them.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from benchmarks.harness import WrongResult
from benchmarks.web_servers import get
from demo.servers import LOOPBACK

_SCRIPT = Path(__file__).with_name("load.lua")
_SIZES_DIFFER_BY = 0.03
"""The accepted relative difference of sizes, because numbers in some headers vary by a digit."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request and its expected answer."""

    port: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answers:
    """The result of one run: requests a second, and the median and 99th percentile in milliseconds."""

    rate: float
    p50: float
    p99: float


class Wrk:
    """The load generator. It runs on the core of the calling thread."""

    def __init__(self, executable: str, keys_file: Path, key: str) -> None:
        self._executable = executable
        self._keys_file = keys_file
        self._key = key

    def ask(self, question: Question, connections: int, seconds: int) -> Answers:
        """Send the request for ``seconds``. Raises WrongResult if an answer was an error or of another size."""
        size = self.verify(question)
        url = f"http://{LOOPBACK}:{question.port}{question.path}"
        command = [self._executable, "--threads", "1", "--connections", str(connections)]
        command += ["--timeout", "10s", "--duration", f"{seconds}s", "--script", str(_SCRIPT)]
        for name, value in question.headers.items():
            command += ["--header", f"{name}: {value}"]
        command += [url, "--", str(self._keys_file)]
        finished = subprocess.run(command, capture_output=True, check=True)
        return _answers(orjson.loads(finished.stdout.splitlines()[-1]), question, size)

    def verify(self, question: Question) -> int:
        """Return the size of one whole answer. Raises WrongResult if it is not the expected one."""
        answer = get(
            question.port, question.path, {**question.headers, "Authorization": f"Bearer {self._key}"}
        )
        if (answer.status, answer.body) != (question.status, question.body):
            raise WrongResult(
                f"{question.path} returned {answer.status} and {len(answer.body)} bytes, not with "
                f"{question.status} and the {len(question.body)} expected bytes"
            )
        return answer.size


def wrk_executable() -> str | None:
    return shutil.which("wrk")


def _answers(counts: Mapping[str, int], question: Question, size: int) -> Answers:
    if counts["broken"] or counts["refused"] or not counts["requests"]:
        raise WrongResult(f"some answers are missing for {question.path}: {counts}")
    each = counts["bytes"] / counts["requests"]
    if abs(each / size - 1) > _SIZES_DIFFER_BY:
        raise WrongResult(f"an answer had {each:.0f} bytes, not {size}, for {question.path}")
    return Answers(
        counts["requests"] / counts["microseconds"] * 1_000_000, counts["p50"] / 1_000, counts["p99"] / 1_000
    )
