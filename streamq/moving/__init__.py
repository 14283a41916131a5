"""Queues that move: from one server to another, and from another job system to here."""
