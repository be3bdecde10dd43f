"""Speed and quality figures. `make bench` runs all; each is also a command: `python -m benchmarks.steps`."""
