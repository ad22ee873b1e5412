"""Counters of the kernel, one module a source: the processors, TCP connections, links, the processors' cycles."""
