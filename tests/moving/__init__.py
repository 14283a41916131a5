"""Queues that move: to another server, and from another job system."""
