"""What people would pick instead: one adapter a file, each a program under its peer's own interpreter.

A peer's environment has neither us nor our dependencies, so an adapter imports its peer and ``adapter`` alone.
"""
