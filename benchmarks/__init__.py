"""Benchmarks of the product against the floor of the machine: `python -m benchmarks`."""
