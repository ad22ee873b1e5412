"""Pure functions: numbers in, estimates and verdicts out. No I/O, no clock, no randomness of their own."""
