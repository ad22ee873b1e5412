"""One file a kind of path; registry.py names them."""
