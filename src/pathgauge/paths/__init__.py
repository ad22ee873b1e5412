"""Kinds of path, and the labs that hold them."""
