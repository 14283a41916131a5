"""Bugs planted on purpose: does the suite notice? Run with ``make planted``; it is no part of ``make test``."""
