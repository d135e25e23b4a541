"""Fuzzing: every input is read or rejected, and a rejected input changes nothing.

In the suite every property sees a hundred inputs, which takes seconds. ``SCHEDULES_FUZZ_EXAMPLES`` sets another number,
as in ``SCHEDULES_FUZZ_EXAMPLES=20000 pytest tests/fuzz``. Hypothesis stores failing inputs in ``.hypothesis/`` and
tries them first the next time. ``make fuzz`` searches by the branches that inputs reach instead
(``coverage_guided.py``).
"""
