"""A coverage-guided search for input that breaks a parser: ``make fuzz``, or ``make fuzz TIME=600`` for longer.

Every parser of ``parsers`` is searched for so many seconds in a process of its own, by what branches of this
package an input reaches (atheris, on libFuzzer). The first byte of an input says what the others are: the bytes
to be read, or the choices by which Hypothesis makes a document out of a sample, for no search by branches finds
its way through a JSON reader of native code. The same property as in ``test_parsers`` must hold. Input that breaks
it is kept in ``.fuzz/``, and this ends with an error; to try such an input again::

    PYTHONPATH=.:tests .venv-fuzz/bin/python -m fuzz.coverage_guided --only <parser> --input .fuzz/<parser>-crash-<hash>

Not part of the suite: atheris has an environment of its own, and how far it gets depends on the machine.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import atheris
from fuzz.hostile import contents
from hypothesis import given, settings

with atheris.instrument_imports(include=["schedules_pipeline"]):
    from fuzz.parsers import PARSERS, Parser

    from schedules_pipeline.errors import ContentError

_FOUND = Path(".fuzz")
_ROW = "{:<24}{:>12}{:>12}{:>12}  {}\n"
_LARGEST_BYTES = 8_192
_AS_IT_IS, _AS_CHOICES = b"\0", b"\1"


class PropertyBroken(Exception):
    """A parser accepted an input that its writer does not reproduce."""


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    parser = next((parser for parser in PARSERS if parser.name == arguments.only), None)
    if parser is None:
        return _search_all(arguments.seconds)
    if arguments.input is None:
        _search(parser, arguments.seconds)
    else:
        _entry(parser)(arguments.input.read_bytes())
    return 0


def _search_all(seconds: int) -> int:
    """Search one after the other and print a line for each; 1 where something was found."""
    _FOUND.mkdir(exist_ok=True)
    sys.stdout.write(_ROW.format("parser", "inputs", "a second", "branches", "found"))
    total, broken = 0, 0
    for parser in PARSERS:
        command = [
            sys.executable,
            "-m",
            "fuzz.coverage_guided",
            "--only",
            parser.name,
            "--seconds",
            str(seconds),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
        inputs, branches = _figures(done.stderr)
        verdict = "nothing" if done.returncode == 0 else _what_was_found(done)
        sys.stdout.write(_ROW.format(parser.name, f"{inputs:,}", f"{inputs // seconds:,}", branches, verdict))
        sys.stdout.flush()
        total, broken = total + inputs, broken + (done.returncode != 0)
    sys.stdout.write(f"{total:,} inputs; {broken} of {len(PARSERS)} parsers broken\n")
    return 1 if broken else 0


def _search(parser: Parser, seconds: int) -> None:
    """Never returns: libFuzzer ends the process."""
    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{parser.name}-"))
    for number, sample in enumerate(parser.samples):
        (corpus / f"sample-{number}").write_bytes(_AS_IT_IS + sample)
        (corpus / f"choices-{number}").write_bytes(_AS_CHOICES + bytes([number]) * 200)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={_LARGEST_BYTES}",
        f"-artifact_prefix={_FOUND}/{parser.name}-",
        "-timeout=10",
        "-rss_limit_mb=1024",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], _entry(parser))
    atheris.Fuzz()


def _entry(parser: Parser) -> Callable[[bytes], None]:
    @settings(database=None, deadline=None)
    @given(contents(parser.samples))
    def made_of_choices(content: bytes) -> None:
        _try(parser, content)

    choose = cast("Any", made_of_choices).hypothesis.fuzz_one_input

    def entry(content: bytes) -> None:
        if content[:1] == _AS_IT_IS:
            _try(parser, content[1:])
        else:
            choose(content[1:])

    return entry


def _try(parser: Parser, content: bytes) -> None:
    try:
        value = parser.read(content)
    except ContentError as rejection:
        if not str(rejection).isprintable():
            raise PropertyBroken(f"the refusal cannot be shown: {str(rejection)!r}") from rejection
        return
    if parser.read_again is not None and parser.read_again(value) != value:
        raise PropertyBroken(f"{value!r} is read back as {parser.read_again(value)!r}")


def _figures(log: str) -> tuple[int, int]:
    """How many inputs libFuzzer says that it tried, and how many branches they reached."""
    inputs = [int(number) for number in re.findall(r"^#(\d+)", log, re.MULTILINE)]
    branches = [int(number) for number in re.findall(r"cov: (\d+)", log)]
    return max(inputs, default=0), max(branches, default=0)


def _what_was_found(done: subprocess.CompletedProcess[str]) -> str:
    kept = re.search(r"Test unit written to (\S+)", done.stderr)
    errors = re.findall(r"^\S*(?:Error|Exception|Broken)\b.*", done.stdout + done.stderr, re.MULTILINE)
    return f"{kept[1] if kept else 'no input kept'}: {(errors or ['it died'])[0][:200]}"


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz.coverage_guided", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each parser")
    parser.add_argument("--only", choices=[parser.name for parser in PARSERS], help="search this one alone")
    parser.add_argument("--input", type=Path, help="try this file instead of searching; needs --only")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
