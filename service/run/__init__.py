"""The programs ``streamq up``, ``api`` and ``sandbox``."""
