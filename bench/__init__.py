"""Measures the engine against the bare limit of Redis, in the same run on the same machine."""
