"""Measures the engine against the bare limit of Redis."""
