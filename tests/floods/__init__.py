"""What is kept of failures, statistics and acts is bounded, and counted once, however many there are and whoever dies.

The suite does so for a moment; ``make floods`` with a million of each, and with many kills.
"""
