"""Pathgauge against its peers, through its own measuring loop: `python -m benchmarks.engine`."""
