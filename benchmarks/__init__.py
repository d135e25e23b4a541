"""The benchmarks: ``python -m benchmarks``, or ``make bench``. Each measured question is a module with ``run``.

Belongs here: measurements, and what only they need. Not in the wheel; tests run them with small sizes only.
"""
