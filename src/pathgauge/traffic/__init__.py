"""The tests: one file each, under netperf's names."""
