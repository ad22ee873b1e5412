"""The stock programs that pathgauge is measured beside, one a module, as arms of its own measuring loop."""
