"""``python -m bench`` from a checkout."""

from .commands import bench

bench(prog_name="python -m bench")
