"""The benchmark suite: ``python -m benchmarks list``, ``python -m benchmarks run [NAME…]``. See README.md here."""
