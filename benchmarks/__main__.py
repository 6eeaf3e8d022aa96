"""``python -m benchmarks``: Markdown tables on standard output."""

from benchmarks.lifting import main

main()
