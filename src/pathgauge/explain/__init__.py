"""Why one path is slower than another, or what limits one: evidence, experiments, and what to change."""
