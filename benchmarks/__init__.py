"""What the product does on this machine, beside what the machine could do: `python -m benchmarks`."""
