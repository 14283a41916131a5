"""Sending jobs and waiting for their results; nothing here knows a handler."""
