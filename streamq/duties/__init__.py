"""Upkeep of queues: what is done again and again, by workers and schedulers, each duty a file."""
