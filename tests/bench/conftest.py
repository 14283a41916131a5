"""Fixtures of these tests."""

from ..rig import app, client, make_app  # noqa: F401  # pytest finds them here
