"""Where an end of a test runs: one client and one server process a run, which hold the sockets of all paths."""
