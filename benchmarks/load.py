"""As many requests as a server answers, by ``wrk``, and the proof that the answers were the right ones.

Belongs here: one question, asked over so many connections for so long. Does not belong here: which questions.

``wrk`` tells how many answers were errors and how many bytes came. So one answer is looked at whole before, and what
came meanwhile has to be so many times its size: a 304 that turned into a document, or the reverse, cannot hide.
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
"""Of all that came: the numbers in some headers have now one digit more and now one less."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what is the only right answer to it."""

    port: int
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answers:
    """Of one run: requests a second, and the milliseconds that half of them, and 99 of 100, took at most."""

    rate: float
    p50: float
    p99: float


class Wrk:
    """The load generator; it runs where whoever calls it runs."""

    def __init__(self, executable: str, keys_file: Path, key: str) -> None:
        self._executable = executable
        self._keys_file = keys_file
        self._key = key

    def ask(self, question: Question, connections: int, seconds: int) -> Answers:
        """Raises :class:`WrongResult` where any answer was an error, or they were not the right ones together."""
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
        """The size of one answer with everything, when it is the right one."""
        answer = get(
            question.port, question.path, {**question.headers, "Authorization": f"Bearer {self._key}"}
        )
        if (answer.status, answer.body) != (question.status, question.body):
            raise WrongResult(
                f"{question.path} was answered with {answer.status} and {len(answer.body)} bytes, not with "
                f"{question.status} and the {len(question.body)} bytes that are right"
            )
        return answer.size


def wrk_executable() -> str | None:
    return shutil.which("wrk")


def _answers(told: Mapping[str, int], question: Question, size: int) -> Answers:
    if told["broken"] or told["refused"] or not told["requests"]:
        raise WrongResult(f"not all answers came for {question.path}: {told}")
    each = told["bytes"] / told["requests"]
    if abs(each / size - 1) > _SIZES_DIFFER_BY:
        raise WrongResult(f"an answer had {each:.0f} bytes, not {size}, for {question.path}")
    return Answers(
        told["requests"] / told["microseconds"] * 1_000_000, told["p50"] / 1_000, told["p99"] / 1_000
    )
