"""Verdicts against noise of known kinds."""
