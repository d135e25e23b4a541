"""The figures that the README quotes, each reproducible by ``python -m benchmarks``. No test times anything."""
