"""netperf's two programs: its command line, its control protocol, its output; the bytes move in our own engine."""
