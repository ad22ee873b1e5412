"""Causes planted by plain commands, and what `pathgauge explain` makes of them."""
