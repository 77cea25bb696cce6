"""What an update costs, beside what it would cost written naively and written bare. Run as `python -m benchmarks`."""
