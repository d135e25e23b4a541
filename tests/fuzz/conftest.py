"""Fuzzing: whatever is read is read or refused, and what is refused changes nothing.

In the suite every property sees a hundred inputs, which takes seconds. ``SCHEDULES_FUZZ_EXAMPLES`` asks for more
of each, as in ``SCHEDULES_FUZZ_EXAMPLES=20000 pytest tests/fuzz``. What Hypothesis finds it keeps in
``.hypothesis/`` and tries first the next time. ``make fuzz`` looks for inputs by the branches that they reach
instead (``coverage_guided.py``).
"""
